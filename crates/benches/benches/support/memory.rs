//! The memory that a loaded list takes, as the kernel counts it for a process that
//! does nothing else. Unsafe code is forbidden in this house, and a counting
//! allocator would need it; what the kernel counts is more than what was
//! allocated, never less.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use lote::{Mode, Signers, Verifier};
use pki::Certificate;

use crate::lists::List;

/// The first argument of the process that is measured.
pub(crate) const ROLE: &str = "measure-memory-of-loading";

/// Bytes beyond those of the process before it loaded.
pub(crate) struct Memory {
    pub(crate) kept: u64,
    pub(crate) peak: u64,
}

/// Loads the list in a process of its own.
pub(crate) fn of_loading(list: &List) -> Result<Memory, String> {
    let folder = tempfile::tempdir().map_err(|e| e.to_string())?;
    let (sealed, signer) = (folder.path().join("list"), folder.path().join("signer"));
    fs::write(&sealed, &list.sealed).map_err(|e| e.to_string())?;
    fs::write(&signer, list.signer.der()).map_err(|e| e.to_string())?;
    let output = Command::new(std::env::current_exe().map_err(|e| e.to_string())?)
        .arg(ROLE)
        .args([&sealed, &signer])
        .arg(list.at.to_string())
        // What is freed goes back, so that what is counted is what is held.
        .env("MALLOC_ARENA_MAX", "1")
        .env("MALLOC_TRIM_THRESHOLD_", "0")
        .env("MALLOC_TOP_PAD_", "0")
        .env("MALLOC_MMAP_THRESHOLD_", "65536")
        .output()
        .map_err(|e| e.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut numbers = text.split_whitespace().map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(kept)), Some(Ok(peak))) => Ok(Memory { kept, peak }),
        _ => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// The measured process: prints what is kept and what the peak was.
pub(crate) fn measure(mut arguments: impl Iterator<Item = String>) -> ExitCode {
    let mut next = || arguments.next().unwrap();
    let (sealed, signer, at) = (next(), next(), next());
    let signers = [Certificate::from_der(&fs::read(signer).unwrap()).unwrap()];
    let at = at.parse().unwrap();
    let verifier = Verifier {
        signers: Signers::Pinned(&signers),
        mode: Mode::Strict,
    };
    let Some(before) = status("VmRSS:") else {
        eprintln!("/proc/self/status cannot be read");
        return ExitCode::FAILURE;
    };
    // The peak starts anew.
    if fs::write(Path::new("/proc/self/clear_refs"), "5").is_err() {
        eprintln!("/proc/self/clear_refs cannot be written");
        return ExitCode::FAILURE;
    }
    let bytes = fs::read(sealed).unwrap();
    let loaded = verifier.load(&bytes, at).unwrap();
    drop(bytes);
    let (kept, peak) = (status("VmRSS:"), status("VmHWM:"));
    println!(
        "{} {}",
        kept.unwrap_or_default().saturating_sub(before),
        peak.unwrap_or_default().saturating_sub(before)
    );
    drop(loaded);
    ExitCode::SUCCESS
}

/// A number of kibibytes in `/proc/self/status`, in bytes.
fn status(name: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with(name))?;
    let kibibytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kibibytes * 1024)
}
