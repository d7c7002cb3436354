//! Whole documents in order: what self-supervised training reads.

use crate::Lang;
use crate::error::{Error, Result};
use crate::fields::{Record, Records};
use crate::reader::Lines;
use serde_json::Value;
use std::io::Read;
use std::path::Path;

/// A document with its parts in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its name: `id`, `_id`, `docid` or `doc_id`, else its place in the file from 0.
    pub id: String,
    /// Its heading; empty where there is none.
    pub title: String,
    /// The language it is written in, where known.
    pub lang: Option<Lang>,
    /// What it says.
    pub body: Body,
}

/// How finely a document comes apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// `sentences`: ["…", …].
    Sentences(Vec<String>),
    /// `paragraphs`: ["…", …], or `paras`: [["heading", "paragraph"], …], whose headings are left out.
    Paragraphs(Vec<String>),
    /// `text`, not split.
    Text(String),
}

impl Body {
    /// The parts as they were read.
    pub fn parts(self) -> Vec<String> {
        match self {
            Body::Sentences(parts) | Body::Paragraphs(parts) => parts,
            Body::Text(text) => vec![text],
        }
    }
}

const EXPECTED: &str = "documents: JSON lines {\"id\", \"lang\", \"sentences\": […]} or {\"id\", \"lang\", \"text\"}";

/// The documents of a file of JSON lines or of a JSON array.
///
/// # Errors
/// A file that cannot be read, is empty or malformed, or a record without body.
pub fn load_documents(path: impl AsRef<Path>, lang: Option<Lang>) -> Result<Vec<Document>> {
    from_lines(Lines::open(path.as_ref())?, lang)
}

/// As [`load_documents`], from any source; `name` stands for the path in errors.
///
/// # Errors
/// As [`load_documents`].
pub fn read_documents<'a>(reader: impl Read + Send + 'a, name: &str, lang: Option<Lang>) -> Result<Vec<Document>> {
    from_lines(Lines::from_reader(reader, name)?, lang)
}

fn from_lines(lines: Lines<'_>, lang: Option<Lang>) -> Result<Vec<Document>> {
    let path = lines.path().to_path_buf();
    let records = Records::json(lines)?.enumerate();
    let documents: Vec<_> = records.map(|(row, record)| document(&mut record?, row, lang)).collect::<Result<_>>()?;
    match documents.is_empty() {
        true => Err(Error::Empty { path, expected: EXPECTED }),
        false => Ok(documents),
    }
}

pub(crate) fn document(record: &mut Record, row: usize, lang: Option<Lang>) -> Result<Document> {
    Ok(Document {
        id: record.optional_id(&["id", "_id", "docid", "doc_id"])?.unwrap_or_else(|| row.to_string()),
        title: record.optional_text(&["title"])?.unwrap_or_default(),
        lang: record.lang(&["lang"])?.or(lang),
        body: body(record)?,
    })
}

fn body(record: &mut Record) -> Result<Body> {
    if record.has("sentences") {
        return record.some_texts("sentences").map(Body::Sentences);
    }
    if record.has("paragraphs") {
        return record.some_texts("paragraphs").map(Body::Paragraphs);
    }
    if record.has("paras") {
        return paras(record).map(Body::Paragraphs);
    }
    match record.optional_text(&["text"])? {
        Some(text) => Ok(Body::Text(text)),
        None => Err(record.missing(&["sentences", "paragraphs", "paras", "text"])),
    }
}

fn paras(record: &mut Record) -> Result<Vec<String>> {
    const EXPECTED: &str = "a list of [heading, paragraph]; write [[\"…\", \"…\"]]";
    let items = match record.fields.get_mut("paras") {
        Some(Value::Array(items)) => std::mem::take(items),
        _ => return Err(record.wrong("paras", EXPECTED)),
    };
    let paragraph = |item| match item {
        Value::Array(parts) => match <[Value; 2]>::try_from(parts) {
            Ok([_, Value::String(paragraph)]) => Ok(paragraph),
            _ => Err(record.wrong_as("paras", EXPECTED, "a list with something else")),
        },
        _ => Err(record.wrong_as("paras", EXPECTED, "a list with something else")),
    };
    items.into_iter().map(paragraph).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_of_every_kind() {
        let text = r#"{"id":"a","lang":"sw","sentences":["x","y"]}
            {"doc_id":"b","title":"T","paras":[[null,"x"],["h","y"]],"source":"s"}
            {"text":"x y"}"#;
        let got = read_documents(text.as_bytes(), "x", "en".parse().ok()).unwrap();
        let two = || vec!["x".to_owned(), "y".to_owned()];
        assert_eq!(got[0].body, Body::Sentences(two()));
        assert_eq!((&got[1].body, &got[1].title[..]), (&Body::Paragraphs(two()), "T"));
        assert_eq!((&got[2].body, &got[2].id[..]), (&Body::Text("x y".into()), "2"));
        assert_eq!((got[0].lang.unwrap().as_str(), got[2].lang.unwrap().as_str()), ("sw", "en"));
    }
}
