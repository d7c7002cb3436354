//! What a corpus says of its documents besides their texts: the language, and the `metadata` of JSON lines.

use crate::exit::Fault;
use crate::input::Input;
use isogloss_ir::reader::Lines;
use isogloss_ir::{Lang, ReadOptions, read_docs};
use serde_json::Value;
use std::path::Path;

/// An id, and keys with their values.
type Record = (String, Vec<(String, String)>);

/// The key of the language.
const LANG: &str = "lang";

/// The attributes of every document, streamed.
///
/// # Errors
/// The corpus cannot be opened. The iterator gives an error for a record that is malformed.
pub fn records(corpus: &Input) -> anyhow::Result<Box<dyn Iterator<Item = anyhow::Result<Record>>>> {
    let path = &corpus.path;
    let is_json = path.is_file() && Lines::open(path)?.peek_content()?.is_some_and(|line| line.starts_with('{'));
    let docs = read_docs(path, &ReadOptions { lang: corpus.lang })?;
    let docs = docs.map(|doc| doc.map(|doc| (doc.id, lang(doc.lang))).map_err(anyhow::Error::from));
    if !is_json {
        return Ok(Box::new(docs));
    }
    let metadata = Metadata { lines: Lines::open(path)? };
    // The same lines twice: once as documents, which checks them, once for what documents do not hold.
    Ok(Box::new(docs.zip(metadata).map(|(doc, metadata)| {
        let (id, mut pairs) = doc?;
        pairs.extend(metadata?);
        Ok((id, pairs))
    })))
}

fn lang(lang: Option<Lang>) -> Vec<(String, String)> {
    lang.map(|lang| (LANG.to_owned(), lang.to_string())).into_iter().collect()
}

/// The `metadata` of every JSON line.
struct Metadata {
    lines: Lines<'static>,
}

impl Metadata {
    fn next_pairs(&mut self) -> anyhow::Result<Option<Vec<(String, String)>>> {
        let mut line = String::new();
        if !self.lines.next_content(&mut line)? {
            return Ok(None);
        }
        let mut record: Value = serde_json::from_str(&line)?;
        match record.get_mut("metadata").map(Value::take) {
            None | Some(Value::Null) => Ok(Some(Vec::new())),
            Some(Value::Object(fields)) => {
                let pairs = fields.into_iter().filter(|(_, value)| !value.is_null());
                let (path, number) = (self.lines.path().to_owned(), self.lines.number());
                Ok(Some(pairs.map(|(key, value)| plain(&path, number, key, value)).collect::<Result<_, _>>()?))
            }
            Some(_) => Err(fault(self.lines.path(), self.lines.number(), "metadata").into()),
        }
    }
}

impl Iterator for Metadata {
    type Item = anyhow::Result<Vec<(String, String)>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_pairs().transpose()
    }
}

/// A string, a number or a truth value, as text.
fn plain(path: &Path, line: usize, key: String, value: Value) -> Result<(String, String), Fault> {
    match value {
        Value::String(text) => Ok((key, text)),
        Value::Number(_) | Value::Bool(_) => Ok((key, value.to_string())),
        _ => Err(fault(path, line, &format!("metadata.{key}"))),
    }
}

fn fault(path: &Path, line: usize, what: &str) -> Fault {
    let problem = format!("line {line}: {what} is no plain value; give each key a string, a number, true or false");
    Fault::new(path, problem)
}
