//! The texts of any file of the field, found by its first line.

use crate::exit::Fault;
use clap::ValueEnum;
use isogloss_ir::reader::Lines;
use isogloss_ir::{PairOptions, ReadOptions, Result, load_pairs, load_parallel, read_docs, read_queries};
use serde_json::Value;
use std::path::Path;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Texts and their translations.
    Parallel,
    /// Documents.
    Corpus,
    /// Queries.
    Queries,
}

/// Gives `take` every text of a file or of a folder in the BEIR layout, as `kind` or else its first line says.
///
/// # Errors
/// A file that cannot be read or is malformed; one whose first line does not tell what it holds.
pub fn each_text(path: &Path, kind: Option<Kind>, mut take: impl FnMut(String)) -> anyhow::Result<()> {
    let kind = kind.map_or_else(|| detect(path), Ok)?;
    let options = ReadOptions::default();
    match kind {
        Kind::Parallel => parallel(path, take)?,
        Kind::Corpus => {
            for doc in read_docs(path, &options)? {
                take(doc?.full_text().into_owned());
            }
        }
        Kind::Queries => {
            for query in read_queries(path, &options)? {
                take(query?.text);
            }
        }
    }
    Ok(())
}

/// Rows of many languages in all of them; of pairs both sides.
fn parallel(path: &Path, mut take: impl FnMut(String)) -> Result<()> {
    if let Ok(rows) = load_parallel(path) {
        rows.into_iter().flat_map(|row| row.texts.into_values()).for_each(take);
        return Ok(());
    }
    for pair in load_pairs(path, &PairOptions::default())? {
        take(pair.src);
        take(pair.tgt);
    }
    Ok(())
}

fn detect(path: &Path) -> anyhow::Result<Kind> {
    if path.is_dir() {
        return Ok(Kind::Corpus);
    }
    if !path.exists() && path.parent().is_some_and(Path::exists) {
        // The common name of two Moses files, or nothing: the reader says which.
        return Ok(Kind::Parallel);
    }
    let mut lines = Lines::open(path)?;
    let Some(first) = lines.peek_content()? else {
        // The reader says what is expected.
        return Ok(Kind::Corpus);
    };
    match first.trim_start().starts_with(['{', '[']) {
        true => Ok(of_json(first)),
        false => of_line(first).ok_or_else(|| {
            Fault::new(path, "line 1 is no header, so nothing says which column is text; give --kind").into()
        }),
    }
}

/// By the fields of the first record; one that cannot be told is for the reader of corpora to complain of.
fn of_json(first: &str) -> Kind {
    let record = match serde_json::from_str(first.trim().trim_start_matches('[').trim_end_matches(',')) {
        Ok(Value::Object(record)) => record,
        _ => return Kind::Corpus,
    };
    let has = |names: &[&str]| names.iter().any(|name| record.contains_key(*name));
    if has(&["src", "english", "translation"]) || record.get("text").is_some_and(Value::is_object) {
        Kind::Parallel
    } else if has(&["question", "query", "query_text"]) {
        Kind::Queries
    } else {
        Kind::Corpus
    }
}

/// By the names of a header; a line that holds no tab is a text.
fn of_line(first: &str) -> Option<Kind> {
    let delimiter = if first.contains('\t') { '\t' } else { ',' };
    let columns: Vec<&str> = first.split(delimiter).map(str::trim).collect();
    let has = |names: &[&str]| names.iter().any(|name| columns.contains(name));
    if has(&["src", "english"]) || (has(&["idx"]) && has(&["text"])) {
        Some(Kind::Parallel)
    } else if has(&["question", "query", "query_text"]) {
        Some(Kind::Queries)
    } else if has(&["text", "contents", "document_text"]) || delimiter == ',' {
        Some(Kind::Corpus)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(name: &str, text: &str, kind: Option<Kind>) -> anyhow::Result<Vec<String>> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join(name);
        std::fs::write(&path, text)?;
        let mut texts = Vec::new();
        each_text(&path, kind, |text| texts.push(text))?;
        Ok(texts)
    }

    #[test]
    fn every_kind_of_file_gives_its_texts() {
        let cases = [
            ("a.tsv", "src_lang\ttgt_lang\tsrc\ttgt\nen\tsw\tx\ty\n", &["x", "y"][..]),
            ("a.tsv", "lang\tidx\ttext\nen\t0\tx\nsw\t0\ty\nfi\t0\tz\n", &["x", "z", "y"]),
            ("a.tsv", "lang\tidx\tsrc\teng\nsw\t0\tx\ty\n", &["x", "y"]),
            ("a.jsonl", "{\"src\":\"x\",\"tgt\":\"y\"}", &["x", "y"]),
            ("a.jsonl", "{\"_id\":\"1\",\"title\":\"T\",\"text\":\"x\"}", &["T x"]),
            ("a.jsonl", "{\"_id\":\"1\",\"question\":\"x?\"}", &["x?"]),
            ("a.txt", "x, y\nz\n", &["x, y", "z"]),
            ("a.csv", "docid,title,text\n1,T,x\n", &["T x"]),
        ];
        for (name, text, want) in cases {
            assert_eq!(texts(name, text, None).unwrap(), want, "{text}");
        }
    }

    #[test]
    fn a_bare_table_needs_to_be_told() {
        let error = texts("a.tsv", "1\tx\n2\ty\n", None).unwrap_err().to_string();
        assert!(error.contains("a.tsv") && error.contains("--kind"), "{error}");
        assert_eq!(texts("a.tsv", "1\tx\n2\ty\n", Some(Kind::Corpus)).unwrap(), ["x", "y"]);
        assert_eq!(texts("a.tsv", "x\ty\n", Some(Kind::Parallel)).unwrap(), ["x", "y"]);
    }
}
