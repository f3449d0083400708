use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use lote::{
    Draft, Mode, NewEntity, NewService, Operator, Postal, Profile, Publication, ServiceKind,
    Signers, Verifier,
};
use pki::Certificate;
use trust::{Location, SignerPolicy, Source, Upkeep};

use super::TestBed;
use super::parties::names;
use crate::exit::{Doing, Failure};
use crate::{files, input};

/// The sample's wallet solution, as it stands on the list of wallet providers.
pub(crate) const WALLET_SOLUTION: &str = "Sample wallet solution";

/// One of the sample lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListName {
    Pid,
    Wallet,
    Access,
}

impl ListName {
    pub(crate) const ALL: [ListName; 3] = [ListName::Pid, ListName::Wallet, ListName::Access];

    pub(crate) fn profile(self) -> Profile {
        match self {
            ListName::Pid => Profile::Pid,
            ListName::Wallet => Profile::Wallet,
            ListName::Access => Profile::Access,
        }
    }

    /// The name of the sealed list's file, and of its address.
    pub(crate) fn file(self) -> String {
        format!("{}.jws", self.profile().name())
    }
}

/// The sample lists in a folder that is served at an address.
#[derive(Debug, Clone)]
pub(crate) struct SampleLists {
    folder: PathBuf,
    url: String,
}

impl SampleLists {
    /// Sees to it that each list is in `folder`, sealed, current, and naming what
    /// the test bed has now. A list that is there and serves is left as it is;
    /// one that does not is followed by its next version.
    pub(crate) async fn publish(
        test_bed: &TestBed,
        folder: &Path,
        url: &str,
        at: Timestamp,
    ) -> Result<Self, Failure> {
        std::fs::create_dir_all(folder).doing(folder.display())?;
        let lists = Self {
            folder: folder.to_owned(),
            url: url.to_owned(),
        };
        for name in ListName::ALL {
            lists.publish_one(test_bed, name, at).await?;
        }
        Ok(lists)
    }

    /// The address of a list.
    pub(crate) fn url(&self, name: ListName) -> String {
        format!("{}/{}", self.url, name.file())
    }

    /// The lists as sources, read where they are written.
    pub(crate) fn sources(&self, operator: &Certificate) -> Vec<Source> {
        ListName::ALL
            .into_iter()
            .map(|name| Source {
                profile: name.profile(),
                location: Location::File(self.path(name)),
                signers: SignerPolicy::Pinned(vec![operator.clone()]),
                mode: Mode::Strict,
                upkeep: Upkeep::default(),
            })
            .collect()
    }

    /// The file of a list.
    pub(crate) fn path(&self, name: ListName) -> PathBuf {
        self.folder.join(name.file())
    }

    async fn publish_one(
        &self,
        test_bed: &TestBed,
        name: ListName,
        at: Timestamp,
    ) -> Result<(), Failure> {
        let at = crate::time::whole_second(at);
        let path = self.path(name);
        let what = || format!("the sample list {}", path.display());
        let mut fresh = self.draft(test_bed, name, at).doing(what())?;
        if path.exists() {
            let bytes = input::read(&path, input::LIST)?;
            let verifier = Verifier {
                signers: Signers::Pinned(std::slice::from_ref(&test_bed.operator.certificate)),
                mode: Mode::Strict,
            };
            if let Ok(there) = verifier.authenticate(&bytes, at) {
                let two_weeks = SignedDuration::from_hours(14 * 24);
                let lasts = there
                    .list
                    .next_update()
                    .is_some_and(|next| next.duration_since(at) > two_weeks);
                let same = there.list.content().lote.entities == fresh.list().lote.entities;
                if lasts && same {
                    return Ok(());
                }
                let mut next = there.list.content().clone();
                next.lote.entities = fresh.list().lote.entities.clone();
                fresh = Draft::after(next).doing(what())?;
            }
        }
        fresh
            .issue(at, lote::next_update_after(at, 150))
            .doing(what())?;
        let operator = &test_bed.operator;
        let chain = std::slice::from_ref(&operator.certificate);
        let sealed = lote::seal(fresh.list(), chain, operator.signer.as_ref(), at)
            .await
            .doing(what())?;
        files::write(&path, sealed.as_bytes()).doing(path.display())
    }

    fn draft(
        &self,
        test_bed: &TestBed,
        name: ListName,
        at: Timestamp,
    ) -> Result<Draft, lote::DraftError> {
        let operator = Operator {
            name: names::OPERATOR.into(),
            territory: names::TERRITORY.into(),
            address: postal(),
            email: "lists@operator.example".into(),
            web: "https://operator.example".into(),
        };
        let publication = Publication {
            scheme_name: format!("sample list of {}", entity_kind(name)),
            location: self.url(name),
            information: "https://operator.example/lists".into(),
            archive: "https://operator.example/lists/archive".into(),
            policy: "https://operator.example/policy".into(),
        };
        let signers = [test_bed.operator.certificate.clone()];
        let mut draft = Draft::new(name.profile(), &operator, &publication, &signers);
        let ((entity, registration), issuing, status): (_, &Certificate, &Certificate) = match name
        {
            ListName::Pid => {
                let own = &test_bed.pid_provider.certificate;
                (names::PID_PROVIDER, own, own)
            }
            ListName::Wallet => (
                names::WALLET_PROVIDER,
                &test_bed.wallet_provider.certificate,
                &test_bed.wallet_status.certificate,
            ),
            ListName::Access => {
                let own = &test_bed.access_ca.certificate;
                (names::ACCESS_CA, own, own)
            }
        };
        draft.add_entity(&NewEntity {
            name: entity.into(),
            registration: registration.into(),
            member_state: names::COUNTRY.into(),
            address: postal(),
            email: "contact@provider.example".into(),
            phone: "+49301234567".into(),
            web: "https://provider.example".into(),
            policies: "https://provider.example/policy".into(),
            law: None,
        })?;
        for (kind, certificate, what) in [
            (ServiceKind::Issuance, issuing, "issuance"),
            (ServiceKind::Revocation, status, "revocation"),
        ] {
            let service = NewService {
                kind,
                name: service_name(name, what),
                certificates: vec![certificate.clone()],
                unique_id: (name == ListName::Wallet)
                    .then(|| "https://provider.example/solutions/1".into()),
                supply_point: None,
            };
            draft.add_service(entity, &service, at)?;
        }
        Ok(draft)
    }
}

/// Table E.3: a wallet provider's service is named as its wallet solution.
fn service_name(name: ListName, what: &str) -> String {
    match name {
        ListName::Wallet => WALLET_SOLUTION.into(),
        _ => format!("Sample {}, {what}", entity_kind(name)),
    }
}

fn entity_kind(name: ListName) -> &'static str {
    match name {
        ListName::Pid => "PID provider",
        ListName::Wallet => "wallet solution",
        ListName::Access => "access certificates",
    }
}

fn postal() -> Postal {
    Postal {
        street: "Example Street 1".into(),
        locality: "Berlin".into(),
        postal_code: "10115".into(),
        country: names::COUNTRY.into(),
    }
}
