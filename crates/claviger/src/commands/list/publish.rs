//! Publishing a list into a folder that any web server or object store can serve:
//! the sealed list, a JSON copy, a page for people, and all instances.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use finding::{Finding, Severity, has_errors};
use jiff::Timestamp;
use lote::publish::{self, Instance, Links};
use lote::{Mode, Signers, VerifiedList, Verifier};
use owo_colors::OwoColorize;
use serde::Serialize;

use super::read::mode;
use crate::exit::{Doing, Done, Failure, Outcome};
use crate::output::{self, Output, Report};
use crate::{files, input, time};

/// The sealed list, in the folder that is published.
const SEALED: &str = "list.jws";
/// The same as plain JSON.
const JSON: &str = "list.json";
/// The page that a person can read.
const PAGE: &str = "index.html";
/// All instances, this one among them: `<sequence>.jws`, `.json` and `.html`, with
/// an index for people and one for machines.
const ARCHIVE: &str = "archive";
const INDEX: &str = "index.json";
/// An index of a million instances is no index of a list.
const INDEX_BYTES: u64 = 16 << 20;

#[derive(Debug, clap::Args)]
pub(crate) struct Publish {
    /// The sealed list
    file: PathBuf,
    /// The folder that is served; it is made when it is not there
    #[arg(long)]
    out: PathBuf,
    /// The certificates of the operator who has to have sealed it and the
    /// instances published before (PEM or DER)
    #[arg(long)]
    signer: PathBuf,
    /// How exactly the seal has to follow JAdES: strict, or interop
    #[arg(long, default_value = "strict", value_parser = mode)]
    mode: Mode,
    /// The time the answer holds for (RFC 3339); now, if absent
    #[arg(long)]
    at: Option<Timestamp>,
}

pub(super) fn publish(args: &Publish, output: Output) -> Done {
    let bytes = input::read(&args.file, input::LIST)?;
    let signers = input::certificates(&args.signer)?;
    let at = args.at.unwrap_or_else(time::now);
    let verifier = Verifier {
        signers: Signers::Pinned(&signers),
        mode: args.mode,
    };
    let verified = match verifier.verify(&bytes, at) {
        Ok(verified) => verified,
        Err(refusal) => return refused(args, None, refusal.into_findings(), output),
    };
    let sequence = verified.list.sequence();
    let mut errors = defects(args.mode, &bytes, &verified, at);
    let folder = Folder::open(&args.out)?;
    if let Some(newest) = folder.newest()? {
        let there = input::read(&newest, input::LIST)?;
        // Published a second time, as after a crash, it is what it was.
        if there != bytes {
            let before = match verifier.authenticate(&there, at) {
                Ok(before) => before,
                Err(refusal) => {
                    let mut findings = refusal.into_findings();
                    for finding in &mut findings {
                        let subject = format!("{}, {}", newest.display(), finding.subject);
                        finding.subject = subject;
                    }
                    return refused(args, Some(sequence), findings, output);
                }
            };
            errors.extend(lote::succession_of_sealed(&before, &verified));
        }
    }
    if has_errors(&errors) {
        return refused(args, Some(sequence), errors, output);
    }
    let written = folder.write(&bytes, &verified, &verifier, at)?;
    output.print(&Published {
        folder: args.out.display().to_string(),
        published: true,
        sequence: Some(sequence),
        files: written,
        findings: verified.findings,
    })?;
    Ok(Outcome::Yes)
}

/// What the lint has against the list: nothing with an error in it is published,
/// as nobody could take it back. In interop mode the seal's own deviations were
/// weighed when it was verified.
fn defects(mode: Mode, bytes: &[u8], verified: &VerifiedList, at: Timestamp) -> Vec<Finding> {
    let mut findings = match mode {
        Mode::Strict => lote::lint_bytes(bytes, None, at).findings,
        Mode::Interop => lote::lint(verified.list.content(), None, at),
    };
    findings.retain(|finding| finding.severity == Severity::Error);
    findings
}

fn refused(args: &Publish, sequence: Option<u64>, findings: Vec<Finding>, output: Output) -> Done {
    output.print(&Published {
        folder: args.out.display().to_string(),
        published: false,
        sequence,
        files: Vec::new(),
        findings,
    })?;
    Ok(Outcome::No)
}

/// A folder that is published, held against a second writer.
struct Folder<'a> {
    root: &'a Path,
    archive: PathBuf,
    _lock: File,
}

impl<'a> Folder<'a> {
    fn open(root: &'a Path) -> Result<Self, Failure> {
        let archive = root.join(ARCHIVE);
        fs::create_dir_all(&archive).doing(archive.display())?;
        let path = root.join(".publish.lock");
        let lock = File::create(&path).doing(path.display())?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let text = format!("{}: another publish is under way", root.display());
                return Err(Failure::new(text));
            }
            Err(TryLockError::Error(error)) => return Err(Failure::of(path.display(), &error)),
        }
        Ok(Self {
            root,
            archive,
            _lock: lock,
        })
    }

    /// The sealed instance with the highest number, or the one that is served where
    /// the archive is gone.
    fn newest(&self) -> Result<Option<PathBuf>, Failure> {
        let newest = self.sequences()?.into_iter().max();
        if let Some(sequence) = newest {
            return Ok(Some(self.instance(sequence, "jws")));
        }
        let served = self.root.join(SEALED);
        Ok(served.exists().then_some(served))
    }

    fn sequences(&self) -> Result<Vec<u64>, Failure> {
        let mut sequences = Vec::new();
        for entry in fs::read_dir(&self.archive).doing(self.archive.display())? {
            let name = entry.doing(self.archive.display())?.file_name();
            let sequence: Option<u64> = name
                .to_str()
                .and_then(|name| name.strip_suffix(".jws"))
                .and_then(|number| number.parse().ok());
            sequences.extend(sequence);
        }
        Ok(sequences)
    }

    fn instance(&self, sequence: u64, ending: &str) -> PathBuf {
        self.archive.join(format!("{sequence}.{ending}"))
    }

    /// Writes everything. The archive comes first, so that whatever was served is
    /// in it, and the sealed list last, so that whoever fetches it finds the rest.
    fn write(
        &self,
        bytes: &[u8],
        verified: &VerifiedList,
        verifier: &Verifier<'_>,
        at: Timestamp,
    ) -> Result<Vec<String>, Failure> {
        let sequence = verified.list.sequence();
        let json = verified.list.content().to_json().doing(JSON)?;
        let [jws_name, json_name] = ["jws", "json"].map(|ending| format!("{sequence}.{ending}"));
        let archived = publish::page(
            verified,
            &Links {
                sealed: &jws_name,
                json: &json_name,
                archive: PAGE,
                current: Some("../index.html"),
            },
        );
        let page = publish::page(
            verified,
            &Links {
                sealed: SEALED,
                json: JSON,
                archive: "archive/index.html",
                current: None,
            },
        );
        let mut written = Vec::new();
        let mut write = |path: PathBuf, content: &[u8]| {
            files::write(&path, content).doing(path.display())?;
            let shown = path.strip_prefix(self.root).unwrap_or(&path);
            written.push(shown.display().to_string());
            Ok::<(), Failure>(())
        };
        write(self.instance(sequence, "jws"), bytes)?;
        write(self.instance(sequence, "json"), &json)?;
        write(self.instance(sequence, "html"), archived.as_bytes())?;
        let instances = self.instances(verified, verifier, at)?;
        let index = serde_json::to_vec_pretty(&instances).doing(INDEX)?;
        write(self.archive.join(INDEX), &index)?;
        let all = publish::archive(verified, &instances, "../index.html");
        write(self.archive.join(PAGE), all.as_bytes())?;
        write(self.root.join(JSON), &json)?;
        write(self.root.join(PAGE), page.as_bytes())?;
        write(self.root.join(SEALED), bytes)?;
        Ok(written)
    }

    /// The instances in the archive. The index remembers those before this one; what
    /// it does not know is read, and left out where it does not verify.
    fn instances(
        &self,
        verified: &VerifiedList,
        verifier: &Verifier<'_>,
        at: Timestamp,
    ) -> Result<Vec<Instance>, Failure> {
        let path = self.archive.join(INDEX);
        let known: Vec<Instance> = if path.exists() {
            let index = input::read(&path, INDEX_BYTES)?;
            serde_json::from_slice(&index).unwrap_or_default()
        } else {
            Vec::new()
        };
        let mut known: BTreeMap<u64, Instance> =
            known.into_iter().map(|i| (i.sequence, i)).collect();
        known.insert(verified.list.sequence(), Instance::of(verified));
        let mut instances = Vec::new();
        for sequence in self.sequences()? {
            if let Some(instance) = known.remove(&sequence) {
                instances.push(instance);
                continue;
            }
            let bytes = input::read(&self.instance(sequence, "jws"), input::LIST)?;
            if let Ok(read) = verifier.authenticate(&bytes, at) {
                instances.push(Instance::of(&read));
            }
        }
        instances.sort_by_key(|instance| instance.sequence);
        Ok(instances)
    }
}

#[derive(Serialize)]
struct Published {
    folder: String,
    published: bool,
    sequence: Option<u64>,
    files: Vec<String>,
    findings: Vec<Finding>,
}

impl Report for Published {
    fn for_people(&self, out: &mut dyn Write) -> std::io::Result<()> {
        match (self.published, self.sequence) {
            (true, Some(sequence)) => {
                writeln!(
                    out,
                    "{}  {} no. {sequence}",
                    "published".green().bold(),
                    self.folder
                )?;
                for file in &self.files {
                    writeln!(out, "           {file}")?;
                }
            }
            _ => writeln!(out, "{}  nothing was written", "refused".red().bold())?,
        }
        output::findings(out, &self.findings)
    }
}
