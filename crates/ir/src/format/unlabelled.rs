//! Texts without labels from any file of the field: what tokenizers, language models and contrast within documents are trained on.
//!
//! | kind | read as |
//! |---|---|
//! | `documents` | whole documents in order (`sentences`, `paragraphs`, `paras` or `text`) |
//! | `corpus` | the documents of a retrieval set, title and text as one |
//! | `queries` | queries |
//! | `parallel` | every side of every pair; of rows that name their document, that document in each language |

use super::documents::{Body, Document, load_documents};
use super::parallel::{PairOptions, load_pairs, load_parallel};
use crate::collection::{ReadOptions, read_docs, read_queries};
use crate::error::{Error, Result, snippet};
use crate::reader::Lines;
use crate::{Lang, Pair, ParallelRow};
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// What a file of texts holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextKind {
    /// Whole documents.
    Documents,
    /// The documents of a retrieval set.
    Corpus,
    /// Queries.
    Queries,
    /// Texts and their translations.
    Parallel,
}

const NAMES: [(TextKind, &str); 4] = [
    (TextKind::Documents, "documents"),
    (TextKind::Corpus, "corpus"),
    (TextKind::Queries, "queries"),
    (TextKind::Parallel, "parallel"),
];

impl std::str::FromStr for TextKind {
    type Err = Error;

    fn from_str(name: &str) -> Result<TextKind> {
        let known = "documents, corpus, queries, parallel";
        let found = NAMES.iter().find(|(_, known)| *known == name);
        found.map(|(kind, _)| *kind).ok_or_else(|| Error::FormatName { got: snippet(name), known })
    }
}

/// Gives `take` every text of a file or of a folder in the BEIR layout as a document; `lang` is that of texts that name none.
///
/// Whole documents and translations are held in memory while they are read, corpora and queries are not.
///
/// # Errors
/// A file that cannot be read or is malformed; one of which neither `kind` nor the first line tells what it holds; what `take` fails with.
pub fn each_document<E: From<Error>>(
    path: impl AsRef<Path>,
    kind: Option<TextKind>,
    lang: Option<Lang>,
    mut take: impl FnMut(Document) -> std::result::Result<(), E>,
) -> std::result::Result<(), E> {
    let path = path.as_ref();
    let options = ReadOptions { lang };
    match kind.map_or_else(|| detect(path), Ok)? {
        TextKind::Documents => load_documents(path, lang)?.into_iter().try_for_each(take),
        TextKind::Corpus => read_docs(path, &options)?.try_for_each(|doc| {
            let doc = doc?;
            take(text(doc.id.clone(), doc.lang, doc.full_text().into_owned()))
        }),
        TextKind::Queries => read_queries(path, &options)?.try_for_each(|query| {
            let query = query?;
            take(text(query.id, query.lang, query.text))
        }),
        TextKind::Parallel => parallel(path, lang)?.into_iter().try_for_each(take),
    }
}

fn text(id: String, lang: Option<Lang>, text: String) -> Document {
    Document { id, title: String::new(), lang, body: Body::Text(text) }
}

fn parallel(path: &Path, lang: Option<Lang>) -> Result<Vec<Document>> {
    if let Ok(rows) = load_parallel(path) {
        return Ok(documents_of(rows));
    }
    let pairs = load_pairs(path, &PairOptions { src_lang: lang, ..PairOptions::default() })?;
    let sides = |(row, pair): (usize, Pair)| {
        [text(format!("{row}.src"), pair.src_lang, pair.src), text(format!("{row}.tgt"), pair.tgt_lang, pair.tgt)]
    };
    Ok(pairs.into_iter().enumerate().flat_map(sides).collect())
}

/// Rows of one document become that document in each language, in the order of `pos`; other rows' texts stand alone.
fn documents_of(mut rows: Vec<ParallelRow>) -> Vec<Document> {
    let mut whole: BTreeMap<(String, Lang), Vec<String>> = BTreeMap::new();
    let mut single = Vec::new();
    rows.sort_by_key(|row| row.pos);
    for (number, row) in rows.into_iter().enumerate() {
        for (lang, sentence) in row.texts {
            match &row.doc {
                Some(doc) => whole.entry((doc.clone(), lang)).or_default().push(sentence),
                None => single.push(text(row.id.clone().unwrap_or_else(|| number.to_string()), Some(lang), sentence)),
            }
        }
    }
    let document = |((id, lang), sentences)| Document {
        id,
        title: String::new(),
        lang: Some(lang),
        body: Body::Sentences(sentences),
    };
    whole.into_iter().map(document).chain(single).collect()
}

fn detect(path: &Path) -> Result<TextKind> {
    if path.is_dir() {
        return Ok(TextKind::Corpus);
    }
    if !path.exists() && path.parent().is_some_and(Path::exists) {
        // The common name of two Moses files, or nothing: the reader says which.
        return Ok(TextKind::Parallel);
    }
    let mut lines = Lines::open(path)?;
    let Some(first) = lines.peek_content()? else {
        // The reader says what is expected.
        return Ok(TextKind::Corpus);
    };
    match first.trim_start().starts_with(['{', '[']) {
        true => Ok(of_json(first)),
        false => of_line(first).ok_or_else(|| Error::UnknownFormat {
            path: path.to_path_buf(),
            line: 1,
            expected: "a header that says which column is text, or the kind declared (--kind; `format` in a run file)",
            got: "a table without header".into(),
        }),
    }
}

/// By the fields of the first record; one that cannot be told is for the reader of corpora to complain of.
fn of_json(first: &str) -> TextKind {
    let record = match serde_json::from_str(first.trim().trim_start_matches('[').trim_end_matches(',')) {
        Ok(Value::Object(record)) => record,
        _ => return TextKind::Corpus,
    };
    let has = |names: &[&str]| names.iter().any(|name| record.contains_key(*name));
    if has(&["src", "english", "translation"]) || record.get("text").is_some_and(Value::is_object) {
        TextKind::Parallel
    } else if has(&["question", "query", "query_text"]) {
        TextKind::Queries
    } else if has(&["sentences", "paragraphs", "paras"]) || !has(&["_id", "id", "docid", "doc_id"]) && has(&["text"]) {
        TextKind::Documents
    } else {
        TextKind::Corpus
    }
}

/// By the names of a header; a line that holds no tab is a text.
fn of_line(first: &str) -> Option<TextKind> {
    let delimiter = if first.contains('\t') { '\t' } else { ',' };
    let columns: Vec<&str> = first.split(delimiter).map(str::trim).collect();
    let has = |names: &[&str]| names.iter().any(|name| columns.contains(name));
    if has(&["src", "english"]) || (has(&["idx"]) && has(&["text"])) {
        Some(TextKind::Parallel)
    } else if has(&["question", "query", "query_text"]) {
        Some(TextKind::Queries)
    } else if has(&["text", "contents", "document_text"]) || delimiter == ',' {
        Some(TextKind::Corpus)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn documents(name: &str, content: &str, kind: Option<TextKind>) -> Result<Vec<Document>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        let mut documents = Vec::new();
        each_document(&path, kind, None, |document| {
            documents.push(document);
            Ok::<(), Error>(())
        })?;
        Ok(documents)
    }

    fn texts(name: &str, content: &str, kind: Option<TextKind>) -> Vec<String> {
        let documents = documents(name, content, kind).unwrap();
        documents.into_iter().flat_map(|d| d.body.parts()).collect()
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
            ("a.jsonl", "{\"lang\":\"sw\",\"text\":\"x\"}", &["x"]),
            ("a.jsonl", "{\"id\":\"1\",\"paras\":[[\"\",\"x\"],[\"h\",\"y\"]]}", &["x", "y"]),
            ("a.txt", "x, y\nz\n", &["x, y", "z"]),
            ("a.csv", "docid,title,text\n1,T,x\n", &["T x"]),
        ];
        for (name, content, want) in cases {
            assert_eq!(texts(name, content, None), want, "{content}");
        }
    }

    #[test]
    fn a_bare_table_needs_to_be_told() {
        let error = documents("a.tsv", "1\tx\n2\ty\n", None).unwrap_err().to_string();
        assert!(error.contains("a.tsv:1") && error.contains("--kind"), "{error}");
        assert_eq!(texts("a.tsv", "1\tx\n2\ty\n", Some(TextKind::Corpus)), ["x", "y"]);
        assert_eq!(texts("a.tsv", "x\ty\n", Some(TextKind::Parallel)), ["x", "y"]);
    }

    #[test]
    fn rows_of_one_document_are_that_document_in_each_language() {
        let rows = r#"{"id":"2","doc":"d","pos":1,"text":{"en":"b","sw":"y"}}
{"id":"1","doc":"d","pos":0,"text":{"en":"a","sw":"x"}}"#;
        let documents = documents("a.jsonl", rows, None).unwrap();
        let read: Vec<_> = documents.into_iter().map(|d| (d.lang.unwrap().to_string(), d.body.parts())).collect();
        let want = |parts: [&str; 2]| parts.map(String::from).to_vec();
        assert_eq!(read, [("en".to_string(), want(["a", "b"])), ("sw".to_string(), want(["x", "y"]))]);
    }

    #[test]
    fn names_of_kinds_parse() {
        assert_eq!("queries".parse::<TextKind>().unwrap(), TextKind::Queries);
        assert!("x".parse::<TextKind>().unwrap_err().to_string().contains("documents"));
    }
}
