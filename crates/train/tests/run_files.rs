//! Every run file of the repository is taken, and those with published settings say of every value whose it is.

use std::fs;
use std::path::{Path, PathBuf};

use isogloss_train::RunConfig;

fn run_files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let paths = entries.map(|entry| entry.unwrap().path());
    let (folders, files): (Vec<PathBuf>, Vec<PathBuf>) = paths.partition(|path| path.is_dir());
    let own = files.into_iter().filter(|path| path.extension().is_some_and(|kind| kind == "toml"));
    own.chain(folders.iter().flat_map(|folder| run_files(folder))).collect()
}

fn runs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../runs")
}

/// The files that git knows: results below `runs/out` are no part of the repository. The file of a loop is no run file; the program's tests read it.
fn ours() -> Vec<PathBuf> {
    let [out, of_loop] = ["out", "self_supervised.toml"].map(|name| runs().join(name));
    run_files(&runs()).into_iter().filter(|path| !path.starts_with(&out) && *path != of_loop).collect()
}

#[test]
fn all_are_taken_and_come_back_the_same() {
    let files = ours();
    assert!(files.len() >= 11, "{files:?}");
    for file in files {
        let config = RunConfig::read(&file).unwrap_or_else(|e| panic!("{e}"));
        let resolved = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<RunConfig>(&resolved).unwrap(), config, "{}", file.display());
    }
}

#[test]
fn no_two_write_to_the_same_place() {
    let mut out: Vec<PathBuf> = ours().iter().map(|file| RunConfig::read(file).unwrap().out).collect();
    let files = out.len();
    out.sort();
    out.dedup();
    assert_eq!(out.len(), files);
}

#[test]
fn bundled_data_that_they_name_is_there_and_none_of_it_is_for_evaluation() {
    for file in ours() {
        for set in RunConfig::read(&file).unwrap().tasks().unwrap().iter().flat_map(|task| &task.data) {
            assert!(!set.path.starts_with("data/eval"), "{}", file.display());
            let bundled = set.path.starts_with("data");
            assert!(!bundled || runs().join("..").join(&set.path).exists(), "{}", file.display());
        }
    }
}

#[test]
fn published_settings_say_whose_they_are() {
    for file in run_files(&runs().join("paper")) {
        for (number, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
            let value = line.split_once(" = ").filter(|(key, _)| !key.starts_with('#'));
            let Some((_, value)) = value else { continue };
            let mark = value.rsplit_once("# ").map_or("", |(_, mark)| mark.split(':').next().unwrap_or(""));
            let known = ["paper", "sibling code", "ours", "yours"];
            assert!(known.contains(&mark.trim()), "{}:{}: {line}", file.display(), number + 1);
        }
    }
}
