//! The real parts that tests run with, as Debian calls them. Where we may, what is
//! missing is installed, so that a fresh machine runs every test; where we may not,
//! the tests concerned skip themselves, and this says which parts they miss.

use std::path::Path;
use std::process::{Command, Stdio};

use postgres_cluster::Programs;

use crate::workspace::works;

/// `skip`: nothing is installed.
pub const INSTALL: &str = "CLAVIGER_INSTALL";

/// A part, its package in Debian, and how one sees that it is there.
struct Part {
    package: &'static str,
    is_there: fn() -> bool,
}

const PARTS: &[Part] = &[
    Part {
        package: "postgresql",
        is_there: || Programs::find().is_ok(),
    },
    Part {
        package: "softhsm2",
        is_there: || runs("softhsm2-util", "--version"),
    },
    Part {
        package: "openssl",
        is_there: || runs("openssl", "version"),
    },
    Part {
        package: "chromium",
        is_there: || {
            std::env::var_os("CLAVIGER_CHROMIUM").is_some()
                || ["chromium", "chromium-browser", "google-chrome"]
                    .iter()
                    .any(|name| runs(name, "--version"))
        },
    },
    Part {
        package: "chromium-driver",
        is_there: || runs("chromedriver", "--version"),
    },
    Part {
        package: "python3-venv",
        is_there: || works(Command::new("python3").args(["-c", "import venv, ensurepip"])),
    },
    Part {
        package: "pkg-config",
        is_there: || runs("pkg-config", "--version"),
    },
    Part {
        package: "libssl-dev",
        is_there: || works(Command::new("pkg-config").args(["--exists", "openssl >= 3.0.7"])),
    },
];

/// Looks for every part, installs what is missing where that can be done, and says
/// what it did.
pub fn provide() {
    let wanted = missing();
    if wanted.is_empty() {
        println!("every part is there");
        return;
    }
    if may_install() {
        println!(
            "missing: {}; installing ({INSTALL}=skip leaves it out)",
            wanted.join(" ")
        );
        install(&wanted);
    }
    let left = missing();
    if left.is_empty() {
        println!("every part is there now");
    } else {
        println!(
            "missing, and so some tests will be skipped: {0} (Debian: apt-get install {0})",
            left.join(" ")
        );
    }
}

fn missing() -> Vec<&'static str> {
    PARTS
        .iter()
        .filter(|part| !(part.is_there)())
        .map(|part| part.package)
        .collect()
}

/// On Debian and its kin, as root, unless told not to.
fn may_install() -> bool {
    let told_not_to = std::env::var_os(INSTALL).is_some_and(|value| value == "skip");
    let root = Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout == b"0\n");
    !told_not_to && root && Path::new("/etc/debian_version").is_file()
}

/// The lists of a fresh machine are empty or old. A package that cannot be had must
/// not keep the others away.
fn install(packages: &[&str]) {
    if !apt_get(&["update"]) {
        println!("apt-get update failed; going on with the lists there are");
    }
    let all = [&["install", "-y", "--no-install-recommends"], packages].concat();
    if apt_get(&all) {
        return;
    }
    for package in packages {
        if !apt_get(&["install", "-y", "--no-install-recommends", package]) {
            println!("{package} could not be installed");
        }
    }
}

fn apt_get(arguments: &[&str]) -> bool {
    Command::new("apt-get")
        .args([
            "-qq",
            "-o",
            "Acquire::Retries=2",
            "-o",
            "Acquire::http::Timeout=30",
        ])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn runs(program: &str, argument: &str) -> bool {
    works(Command::new(program).arg(argument))
}
