//! Who may import whom: the line of crates that ARCHITECTURE.md draws, held against what cargo says.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Every crate with the crates of this workspace that it may import, in the order of the line.
const MAY_IMPORT: [(&str, &[&str]); 8] = [
    ("isogloss-ir", &[]),
    ("isogloss-dense", &["isogloss-ir"]),
    ("isogloss-lexical", &["isogloss-ir"]),
    ("isogloss-engine", &[]),
    ("isogloss-model", &["isogloss-ir", "isogloss-dense", "isogloss-engine"]),
    ("isogloss-train", &["isogloss-ir", "isogloss-dense", "isogloss-engine", "isogloss-model"]),
    ("isogloss-mine", &["isogloss-ir", "isogloss-dense", "isogloss-lexical"]),
    (
        "isogloss",
        &[
            "isogloss-ir",
            "isogloss-dense",
            "isogloss-engine",
            "isogloss-lexical",
            "isogloss-mine",
            "isogloss-model",
            "isogloss-train",
        ],
    ),
];

/// What talks to people and networks: the program's alone.
const PROGRAM_ONLY: [&str; 7] = ["anyhow", "axum", "clap", "clap_complete", "comfy-table", "indicatif", "tokio"];

/// Dependencies of every kind (also of tests and build scripts) by crate.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| env!("CARGO").into());
    let output = Command::new(cargo)
        .args(["metadata", "--offline", "--no-deps", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let name = |value: &Value| value["name"].as_str().unwrap().to_owned();
    let of = |package: &Value| package["dependencies"].as_array().unwrap().iter().map(name).collect();
    metadata["packages"].as_array().unwrap().iter().map(|package| (name(package), of(package))).collect()
}

#[test]
fn every_crate_has_its_place_in_the_line() {
    let placed: BTreeSet<String> = MAY_IMPORT.iter().map(|(name, _)| (*name).to_owned()).collect();
    let found: BTreeSet<String> = dependencies().into_keys().collect();
    assert_eq!(found, placed, "give a new crate its place here and in ARCHITECTURE.md");
}

#[test]
fn no_crate_imports_against_the_line() {
    let dependencies = dependencies();
    for (name, allowed) in MAY_IMPORT {
        let ours = dependencies[name].iter().filter(|other| dependencies.contains_key(*other));
        let against: Vec<&String> = ours.filter(|other| !allowed.contains(&other.as_str())).collect();
        assert!(against.is_empty(), "{name} may not import {against:?}");
    }
}

#[test]
fn command_lines_and_servers_stay_in_the_program() {
    for (name, dependencies) in dependencies().iter().filter(|(name, _)| *name != "isogloss") {
        let foreign: Vec<&str> = PROGRAM_ONLY.into_iter().filter(|only| dependencies.contains(*only)).collect();
        assert!(foreign.is_empty(), "{name} may not depend on {foreign:?}");
    }
}
