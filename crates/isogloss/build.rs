//! Tells the program which commit it is built from, for the manifests of results.

use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-env-changed=ISOGLOSS_COMMIT");
    println!("cargo:rerun-if-changed=build.rs");
    let given = std::env::var("ISOGLOSS_COMMIT").ok();
    // Unpacked below another project's repository, the sources are of no commit.
    let tracked = git(&["ls-files", "--error-unmatch", "Cargo.toml"]).is_some();
    let commit = given.or_else(|| git(&["rev-parse", "HEAD"]).filter(|_| tracked));
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]).filter(|log| tracked && Path::new(log).exists()) {
        println!("cargo:rerun-if-changed={log}");
    }
    println!("cargo:rustc-env=ISOGLOSS_COMMIT={}", commit.unwrap_or_default());
}

/// What git prints in one line, if it can.
fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}
