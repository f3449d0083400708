//! Writing lists: new, add, withdraw, seal.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lote::{Draft, NewService, Profile, ServiceKind, UncheckedList};
use serde::Serialize;
use wscd::{DeviceSigner, KeyName};

use super::description::{self, EntityDescription, ListDescription};
use super::read::profile;
use crate::exit::{Doing, Done, Failure, Outcome};
use crate::output::{Output, Report};
use crate::{files, input, runtime, time};

#[derive(Debug, clap::Args)]
pub(crate) struct New {
    /// The profile: pid, wallet, access, registration, pub-eaa, registrars, mdl
    #[arg(long, value_parser = profile)]
    profile: Profile,
    /// Who runs the list and where it is published (TOML)
    #[arg(long)]
    description: PathBuf,
    /// The certificates that will seal it (PEM); its pointer to itself announces them
    #[arg(long)]
    signer: PathBuf,
    /// Where the draft goes (JSON)
    #[arg(long)]
    out: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Add {
    /// The draft (JSON); it is changed in place
    draft: PathBuf,
    /// The entity and its service (TOML)
    #[arg(long)]
    entity: PathBuf,
    /// The certificates of the service that issues (PEM or DER)
    #[arg(long)]
    certificate: PathBuf,
    /// The certificates of the service that says what is still valid (PEM or DER)
    #[arg(long)]
    status_certificate: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Withdraw {
    /// The draft (JSON); it is changed in place
    draft: PathBuf,
    /// The entity's name
    #[arg(long)]
    entity: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Signers {
    /// The draft (JSON); it is changed in place
    draft: PathBuf,
    /// Certificates that may seal the versions after the next one (PEM or DER)
    #[arg(long, required_unless_present = "retire")]
    announce: Option<PathBuf>,
    /// Certificates that seal no version any more (PEM or DER)
    #[arg(long)]
    retire: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Seal {
    /// The draft (JSON); it is changed in place to the version that was sealed
    draft: PathBuf,
    /// The device that holds the operator's key: software:PATH?key-file=FILE
    #[arg(long)]
    device: String,
    /// The key's name in the device
    #[arg(long, default_value = "list-operator")]
    key: String,
    /// The operator's certificate, with its chain (PEM)
    #[arg(long)]
    certificate: PathBuf,
    /// In how many days the next version comes, at most
    #[arg(long, default_value_t = 150)]
    next_update_days: i64,
    /// Where the sealed list goes
    #[arg(long)]
    out: PathBuf,
}

pub(super) fn new(args: &New, output: Output) -> Done {
    let description: ListDescription = description::read(&args.description)?;
    let (operator, publication) = description.into_parts();
    let signers = input::certificates(&args.signer)?;
    let draft = Draft::new(args.profile, &operator, &publication, &signers);
    write_draft(&args.out, draft.list())?;
    done(output, &args.out, draft.list())
}

pub(super) fn add(args: &Add, output: Output) -> Done {
    let mut draft = read_draft(&args.draft)?;
    let description: EntityDescription = description::read(&args.entity)?;
    let entity = description.entity();
    let at = time::now();
    let what = || args.draft.display();
    draft.add_entity(&entity).doing(what())?;
    let issuing = if draft.profile() == Profile::Registrars {
        ServiceKind::Register
    } else {
        ServiceKind::Issuance
    };
    let mut services = vec![(issuing, &args.certificate, description.service.name.clone())];
    if let Some(certificate) = &args.status_certificate {
        let name = format!("{}, status", description.service.name);
        services.push((ServiceKind::Revocation, certificate, name));
    }
    for (kind, certificate, name) in services {
        let service = NewService {
            kind,
            name,
            certificates: input::certificates(certificate)?,
            unique_id: description.service.unique_id.clone(),
            supply_point: description.service.supply_point.clone(),
        };
        draft
            .add_service(&entity.name, &service, at)
            .doing(what())?;
    }
    write_draft(&args.draft, draft.list())?;
    done(output, &args.draft, draft.list())
}

pub(super) fn withdraw(args: &Withdraw, output: Output) -> Done {
    let mut draft = read_draft(&args.draft)?;
    draft
        .withdraw_entity(&args.entity, time::now())
        .doing(args.draft.display())?;
    write_draft(&args.draft, draft.list())?;
    done(output, &args.draft, draft.list())
}

pub(super) fn signers(args: &Signers, output: Output) -> Done {
    let mut draft = read_draft(&args.draft)?;
    if let Some(path) = &args.announce {
        for certificate in input::certificates(path)? {
            draft
                .announce_signer(&certificate)
                .doing(args.draft.display())?;
        }
    }
    if let Some(path) = &args.retire {
        for certificate in input::certificates(path)? {
            draft
                .retire_signer(&certificate)
                .doing(args.draft.display())?;
        }
    }
    write_draft(&args.draft, draft.list())?;
    done(output, &args.draft, draft.list())
}

pub(super) fn seal(args: &Seal, output: Output) -> Done {
    let mut draft = read_draft(&args.draft)?;
    let chain = input::certificates(&args.certificate)?;
    let at = time::whole_second(time::now());
    let next_update = lote::next_update_after(at, args.next_update_days);
    let what = || args.draft.display();
    draft.issue(at, next_update).doing(what())?;
    let sealed = runtime::block_on(async {
        let device = crate::device::open(&args.device).await?;
        let name = KeyName::new(&args.key).doing("--key")?;
        let signer = DeviceSigner::open(Arc::clone(&device), name, jose::Curve::P256)
            .await
            .doing("the device")?;
        lote::seal(draft.list(), &chain, &signer, at)
            .await
            .doing("the seal")
    })?;
    // The seal first: a draft that is behind is issued again under the same
    // number, a draft that is ahead would leave a gap and look like a loss.
    files::write(&args.out, sealed.as_bytes()).doing(args.out.display())?;
    write_draft(&args.draft, draft.list())?;
    done(output, &args.out, draft.list())
}

fn read_draft(path: &Path) -> Result<Draft, Failure> {
    let bytes = input::read(path, input::LIST)?;
    let list = UncheckedList::from_json(&bytes).doing(path.display())?;
    Draft::after(list).doing(path.display())
}

fn write_draft(path: &Path, list: &UncheckedList) -> Result<(), Failure> {
    let json = list.to_json().doing(path.display())?;
    files::write(path, &json).doing(path.display())
}

fn done(output: Output, path: &Path, list: &UncheckedList) -> Done {
    output.print(&Written {
        file: path.display().to_string(),
        sequence: list.scheme().sequence.unwrap_or_default(),
        entities: list.entities().len(),
    })?;
    Ok(Outcome::Yes)
}

#[derive(Serialize)]
struct Written {
    file: String,
    sequence: i64,
    entities: usize,
}

impl Report for Written {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        writeln!(
            out,
            "{}: no. {}, {} entit{}",
            self.file,
            self.sequence,
            self.entities,
            if self.entities == 1 { "y" } else { "ies" }
        )
    }
}
