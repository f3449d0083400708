//! NIST's Public Key Interoperability Test Suite, fetched for the tests of `pki`.
//!
//! The suite is not part of the project. A Python package keeps a copy of it
//! with its own tests; its source distribution is fetched by version and
//! digest, once, into the target folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Failure;
use crate::workspace::Workspace;

/// Names the folder of the suite to the tests.
pub const FOLDER: &str = "CLAVIGER_PKITS";

/// Names the file into which the test writes what came out.
pub const REPORT: &str = "CLAVIGER_PKITS_REPORT";

const PACKAGE: &str = "pyhanko-certvalidator";
const VERSION: &str = "0.33.0";
const SHA256: &str = "a4c3309f99c77cdcad24532f75340bd8cc8b108aa8992b8102d44f250ebd449c";

/// Unpacks `certs/`, `crls/` and `pkits.json` of the archive named first into
/// the folder named second, and nothing else.
const UNPACK: &str = r#"
import os, sys, tarfile
archive, folder = sys.argv[1:]
with tarfile.open(archive) as tar:
    for member in tar:
        _, found, name = member.name.partition("/tests/fixtures/nist_pkits/")
        parts = name.split("/")
        if not found or not member.isfile() or ".." in parts:
            continue
        if name != "pkits.json" and parts[0] not in ("certs", "crls"):
            continue
        path = os.path.join(folder, *parts)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(tar.extractfile(member).read())
"#;

/// Fetches the suite and says where it is. `Ok(false)` when it cannot be had.
pub fn report(workspace: &Workspace) -> Result<bool, Failure> {
    let found = folder(workspace, None);
    match &found {
        Ok(folder) => println!("{}", folder.display()),
        Err(why) => println!("{why}"),
    }
    Ok(found.is_ok())
}

/// The folder of the suite, fetched if it is not there yet; or why there is none.
pub fn folder(workspace: &Workspace, python: Option<&Path>) -> Result<PathBuf, String> {
    if let Some(given) = std::env::var_os(FOLDER) {
        return Ok(PathBuf::from(given));
    }
    let folder = workspace.target.join("pkits");
    let pin = pin();
    // Written last, so what an interrupted fetch left is fetched again.
    let mark = folder.join("source.txt");
    if std::fs::read_to_string(&mark).is_ok_and(|text| text == pin) {
        return Ok(folder);
    }
    let work = workspace.target.join("xtask").join("pkits");
    fetch(&work, &folder, python.unwrap_or(Path::new("python3")))
        .map_err(|why| format!("{PACKAGE} {VERSION} cannot be had: {why}"))?;
    std::fs::write(&mark, pin).map_err(|error| format!("{}: {error}", mark.display()))?;
    Ok(folder)
}

/// A line of a requirements file: pip takes no archive with another digest.
fn pin() -> String {
    format!("{PACKAGE}=={VERSION} --hash=sha256:{SHA256}\n")
}

fn fetch(work: &Path, folder: &Path, python: &Path) -> Result<(), String> {
    let said = |path: &Path, error: std::io::Error| format!("{}: {error}", path.display());
    for old in [work, folder] {
        if old.exists() {
            std::fs::remove_dir_all(old).map_err(|error| said(old, error))?;
        }
        std::fs::create_dir_all(old).map_err(|error| said(old, error))?;
    }
    let wanted = work.join("requirements.txt");
    std::fs::write(&wanted, pin()).map_err(|error| said(&wanted, error))?;
    run(Command::new(python)
        .args(["-m", "pip", "download", "--quiet", "--require-hashes"])
        .args(["--disable-pip-version-check", "--no-deps"])
        .args(["--no-binary", PACKAGE, "--timeout", "20", "--dest"])
        .arg(work)
        .arg("--requirement")
        .arg(&wanted))?;
    let archive = std::fs::read_dir(work)
        .map_err(|error| said(work, error))?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|end| end == "gz"))
        .ok_or("pip left no archive")?;
    run(Command::new(python)
        .args(["-c", UNPACK])
        .arg(archive)
        .arg(folder))?;
    if !folder.join("pkits.json").is_file() {
        return Err("the archive holds no tests/fixtures/nist_pkits/pkits.json".to_owned());
    }
    Ok(())
}

/// Runs a command; what it says on standard error is why it failed, its last
/// line being the one that says most.
fn run(command: &mut Command) -> Result<(), String> {
    let output = command
        .output()
        .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect();
    let error = lines
        .iter()
        .rfind(|line| line.starts_with("ERROR"))
        .or(lines.last());
    Err(error.map_or_else(|| output.status.to_string(), |line| line.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn an_archive_is_pinned_by_version_and_digest() {
        let pin = super::pin();
        let (version, digest) = pin.split_once(" --hash=sha256:").unwrap_or_default();
        assert!(version.contains("=="), "{pin}");
        assert_eq!(digest.trim_end().len(), 64, "{pin}");
    }

    #[test]
    fn what_cannot_be_fetched_says_why() {
        let work = std::env::temp_dir().join(format!("xtask-pkits-{}", std::process::id()));
        let fetched = super::fetch(
            &work.join("work"),
            &work.join("folder"),
            Path::new("/nonexistent/python"),
        );
        let _ = std::fs::remove_dir_all(&work);
        assert!(
            fetched.is_err_and(|why| why.starts_with("/nonexistent/python: ")),
            "no reason was given"
        );
    }
}
