//! Finding the parts of a folder in the BEIR layout.

use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// `folder/name`, plain or compressed; `None` where there is no such file.
pub(crate) fn part(folder: &Path, name: &str) -> Option<PathBuf> {
    ["", ".zst", ".gz"].iter().map(|suffix| folder.join(format!("{name}{suffix}"))).find(|path| path.is_file())
}

/// The first of `names` that `folder` has.
pub(crate) fn first_part(folder: &Path, names: &[String]) -> Result<PathBuf> {
    names.iter().find_map(|name| part(folder, name)).ok_or_else(|| Error::FolderPart {
        path: folder.into(),
        expected: names.iter().map(|n| format!("{n}[.gz|.zst]")).collect::<Vec<_>>().join(" or "),
    })
}

/// A folder's part of that stem, or the path itself where it is no folder.
pub(crate) fn resolve(path: &Path, stem: &str) -> Result<PathBuf> {
    if !path.is_dir() {
        return Ok(path.into());
    }
    first_part(path, &["jsonl", "tsv", "csv", "txt"].map(|suffix| format!("{stem}.{suffix}")))
}

/// The judgements of a folder: `qrels/<split>.tsv`, else (without a split named) `qrels.tsv`, then the splits test, dev and train.
pub(crate) fn resolve_qrels(path: &Path, split: Option<&str>) -> Result<PathBuf> {
    if !path.is_dir() {
        return Ok(path.into());
    }
    let of_split = |split: &str| format!("qrels/{split}.tsv");
    let names = match split {
        Some(split) => vec![of_split(split)],
        None => vec!["qrels.tsv".into(), "qrels.txt".into(), of_split("test"), of_split("dev"), of_split("train")],
    };
    first_part(path, &names)
}
