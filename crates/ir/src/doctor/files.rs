//! Which files are examined, in which order, and which belong together.

use super::Input;
use super::rows::{Kind, kind_of_line};
use crate::Lang;
use crate::error::{Error, Result};
use crate::folder::part;
use crate::format::parallel::moses::siblings;
use crate::reader::Lines;
use std::fs;
use std::path::{Path, PathBuf};

/// A file to read.
pub(super) struct File {
    pub path: PathBuf,
    pub lang: Option<Lang>,
    pub doc_lang: Option<Lang>,
    pub test: bool,
    /// What it holds, where its folder says so.
    pub kind: Option<Kind>,
    /// The number of the input that named it.
    pub input: usize,
    /// Which files its ids belong to: 0 for files named one by one, else those of its folder.
    pub scope: usize,
}

/// The files of all inputs: test data first, judgements and runs last, since what came before tells what is wrong with them.
///
/// # Errors
/// A file or folder that is not there.
pub(super) fn list(inputs: &[Input]) -> Result<Vec<File>> {
    let (mut files, mut scopes) = (Vec::new(), 0);
    for (number, input) in inputs.iter().enumerate() {
        add((number, input), &input.path, &mut scopes, &mut files)?;
    }
    files.sort_by_key(|file| (is_ranked(file), !file.test));
    Ok(files)
}

fn add(of: (usize, &Input), path: &Path, scopes: &mut usize, files: &mut Vec<File>) -> Result<()> {
    let (number, &Input { kind, lang, doc_lang, test, .. }) = of;
    let file = |path: PathBuf, kind, scope| File { path, lang, doc_lang, test, kind, input: number, scope };
    if !path.is_dir() {
        if siblings(path).is_none() {
            fs::metadata(path).map_err(|source| Error::io(path, source))?;
        }
        files.push(file(path.into(), kind, 0));
        return Ok(());
    }
    let parts = beir(path)?;
    if !parts.is_empty() {
        *scopes += 1;
        files.extend(parts.into_iter().map(|(path, kind)| file(path, Some(kind), *scopes)));
        return Ok(());
    }
    let inside = entries(path)?;
    inside.iter().try_for_each(|path| add(of, path, scopes, files))
}

/// What a folder holds, hidden files left out, by name.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let read = fs::read_dir(folder).map_err(|source| Error::io(folder, source))?;
    let mut found = Vec::new();
    for entry in read {
        let entry = entry.map_err(|source| Error::io(folder, source))?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

/// The parts of a folder in the BEIR layout: a corpus, queries, and judgements of one or several splits.
fn beir(folder: &Path) -> Result<Vec<(PathBuf, Kind)>> {
    let of =
        |stem: &str| ["jsonl", "tsv", "csv", "txt"].iter().find_map(|suffix| part(folder, &format!("{stem}.{suffix}")));
    let (corpus, queries, qrels) = (of("corpus"), of("queries"), of("qrels"));
    let splits = folder.join("qrels");
    if corpus.is_none() && queries.is_none() {
        return Ok(Vec::new());
    }
    let mut parts: Vec<(PathBuf, Kind)> = corpus.map(|path| (path, Kind::Corpus)).into_iter().collect();
    parts.extend(queries.map(|path| (path, Kind::Queries)));
    parts.extend(qrels.map(|path| (path, Kind::Qrels)));
    if splits.is_dir() {
        parts.extend(entries(&splits)?.into_iter().map(|path| (path, Kind::Qrels)));
    }
    Ok(parts)
}

/// Whether a file holds judgements or a run; one that cannot be read is told of when it is read.
fn is_ranked(file: &File) -> bool {
    let ranked = |kind: Option<Kind>| matches!(kind, Some(Kind::Qrels | Kind::Run));
    let first =
        || Lines::open(&file.path).ok()?.peek_content().ok()?.and_then(|first| kind_of_line(first, &file.path, false));
    ranked(file.kind) || file.kind.is_none() && ranked(first())
}
