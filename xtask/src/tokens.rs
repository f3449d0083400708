//! The PKCS#11 modules that the tests of `wscd-pkcs11` want besides SoftHSM: kryoptic,
//! and a module whose token is in another process. Both stand in `tools/`, in
//! workspaces of their own, and are built once, outside the clone, by their version.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::workspace::{Workspace, cargo_in, works};
use crate::{Doing, Failure};

/// Where tools are kept between runs (default: `~/.cache/claviger-tools`).
pub const TOOLS: &str = "CLAVIGER_TOOLS";

/// Offers libclang where the system has none: bindgen, in kryoptic's build, loads it.
const LIBCLANG: &str = "libclang==18.1.1";

/// Builds both. `Ok(false)` when one cannot be had.
pub fn report(workspace: &Workspace) -> Result<bool, Failure> {
    let mut all = true;
    for (tool, built) in both(workspace, None) {
        match built {
            Ok(folder) => println!("{tool}: {}", folder.display()),
            Err(why) => {
                println!("{tool}: {why}");
                all = false;
            }
        }
    }
    Ok(all)
}

/// Each tool, and the folder it is in or why there is none.
pub fn both(
    workspace: &Workspace,
    python: Option<&Path>,
) -> [(&'static str, Result<PathBuf, String>); 2] {
    let tool = |name, files: &[&str], prepare: &dyn Fn(&mut Command) -> Result<(), String>| {
        let built = build(workspace, name, files, prepare);
        (name, built.unwrap_or_else(|error| Err(error.to_string())))
    };
    let python = python.unwrap_or(Path::new("python3"));
    [
        tool(
            "remote-token",
            &["libremote_token.so", "remote-token-server"],
            &|_| Ok(()),
        ),
        tool("kryoptic", &["libkryoptic_pkcs11.so"], &|command| {
            for_bindgen(workspace, python, command)
        }),
    ]
}

fn build(
    workspace: &Workspace,
    name: &str,
    files: &[&str],
    prepare: &dyn Fn(&mut Command) -> Result<(), String>,
) -> Result<Result<PathBuf, String>, Failure> {
    let source = workspace.root.join("tools").join(name);
    let Some(tools) = tools() else {
        return Ok(Err(format!("{TOOLS} is not set, and neither is HOME")));
    };
    let folder = tools.join(name).join(version(&source)?);
    if files.iter().all(|file| folder.join(file).is_file()) {
        return Ok(Ok(folder));
    }
    let target = tools.join(format!("target-{name}"));
    let mut command = cargo_in(&source, ["build", "--quiet", "--release", "--locked"]);
    command.env("CARGO_TARGET_DIR", &target);
    if let Err(why) = prepare(&mut command) {
        return Ok(Err(why));
    }
    println!("building tools/{name}, once");
    let output = command.output().doing("cargo build")?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let cause = text.lines().find(|line| line.starts_with("error"));
        return Ok(Err(format!(
            "tools/{name} does not build: {}",
            cause.unwrap_or("cargo build failed")
        )));
    }
    std::fs::create_dir_all(&folder).doing(folder.display())?;
    for file in files {
        // Renamed into place: a test that runs beside this one loads all of it.
        let (from, to) = (target.join("release").join(file), folder.join(file));
        let half = folder.join(format!("{file}.{}", std::process::id()));
        std::fs::copy(&from, &half).doing(from.display())?;
        std::fs::rename(&half, &to).doing(to.display())?;
    }
    // It has served; what is left is a cache of some hundred megabytes.
    let _ = std::fs::remove_dir_all(&target);
    Ok(Ok(folder))
}

fn tools() -> Option<PathBuf> {
    match std::env::var_os(TOOLS) {
        Some(folder) => Some(PathBuf::from(folder)),
        None => Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/claviger-tools")),
    }
}

/// The version that a tool's Cargo.toml gives: what is built is kept under it.
fn version(source: &Path) -> Result<String, Failure> {
    let manifest = source.join("Cargo.toml");
    let text = std::fs::read_to_string(&manifest).doing(manifest.display())?;
    text.lines()
        .find_map(|line| line.strip_prefix("version = \"")?.strip_suffix('"'))
        .map(str::to_owned)
        .ok_or_else(|| Failure::new(format!("{}: no version", manifest.display())))
}

/// What kryoptic's build needs besides Rust: OpenSSL's headers, found by pkg-config,
/// and libclang, from the system or from a Python package.
fn for_bindgen(workspace: &Workspace, python: &Path, command: &mut Command) -> Result<(), String> {
    if !works(Command::new("pkg-config").args(["--exists", "openssl >= 3.0.7"])) {
        return Err(
            "OpenSSL's headers are missing (Debian: apt-get install libssl-dev pkg-config)"
                .to_owned(),
        );
    }
    if std::env::var_os("LIBCLANG_PATH").is_some() || has_libclang() {
        return Ok(());
    }
    let folder = workspace.target.join("xtask").join("libclang");
    let library = folder.join("clang").join("native");
    if !library.join("libclang.so").is_file() {
        let installed = works(
            Command::new(python)
                .args(["-m", "pip", "install", "--quiet", "--no-deps"])
                .args(["--disable-pip-version-check", "--timeout", "20", "--target"])
                .arg(&folder)
                .arg(LIBCLANG),
        );
        if !installed {
            return Err(
                "libclang is missing (Debian: apt-get install libclang-dev), and pip has none"
                    .to_owned(),
            );
        }
    }
    command.env("LIBCLANG_PATH", library);
    // That package is the library alone; the compiler's own headers are the system's.
    let headers = Command::new("cc").arg("-print-file-name=include").output();
    if let Ok(headers) = headers {
        let headers = String::from_utf8_lossy(&headers.stdout);
        command.env("BINDGEN_EXTRA_CLANG_ARGS", format!("-I{}", headers.trim()));
    }
    Ok(())
}

fn has_libclang() -> bool {
    let entries = |folder: &Path| -> Vec<PathBuf> {
        let read = std::fs::read_dir(folder).into_iter().flatten();
        read.filter_map(|entry| Some(entry.ok()?.path())).collect()
    };
    let lib = Path::new("/usr/lib");
    let mut folders = vec![lib.to_owned(), "/usr/lib64".into()];
    for folder in entries(lib) {
        folders.push(folder.join("lib"));
        folders.push(folder);
    }
    folders
        .iter()
        .flat_map(|folder| entries(folder))
        .any(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            // Not libclang-cpp.so, which is another library.
            name == "libclang.so" || name.starts_with("libclang.so.") || {
                name.strip_prefix("libclang-")
                    .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
            }
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn each_tool_says_its_version() {
        let workspace = Workspace::open().unwrap();
        for tool in ["kryoptic", "remote-token"] {
            let version = version(&workspace.root.join("tools").join(tool)).unwrap();
            assert_eq!(version.split('.').count(), 3, "{tool} {version}");
        }
    }
}
