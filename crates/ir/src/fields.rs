//! Records with named fields, whichever file they come from: JSON lines, a JSON array or a table.

use crate::error::{Error, Result, snippet};
use crate::lang::Lang;
use crate::reader::{Lines, Place};
use crate::table::Table;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::io::{self, BufRead, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One record and the place it starts at.
pub(crate) struct Record {
    pub fields: Map<String, Value>,
    pub path: Arc<Path>,
    pub line: usize,
}

const LIST: &str = "a list of strings; write [\"…\"]";

impl Record {
    pub fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    /// The first of `names` the record has, taken out as text.
    pub fn text(&mut self, names: &[&str]) -> Result<String> {
        self.optional_text(names)?.ok_or_else(|| self.missing(names))
    }

    /// As [`Record::text`], refusing a blank one.
    pub fn content(&mut self, names: &[&str]) -> Result<String> {
        let text = self.text(names)?;
        match names.iter().find(|name| self.has(name)) {
            Some(name) if text.trim().is_empty() => Err(self.wrong_as(name, "some text", "blank")),
            _ => Ok(text),
        }
    }

    /// As [`Record::text`]; `None` for a field that is absent or null.
    pub fn optional_text(&mut self, names: &[&str]) -> Result<Option<String>> {
        let Some(name) = names.iter().find(|name| self.has(name)) else {
            return Ok(None);
        };
        match &mut self.fields[*name] {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(std::mem::take(text))),
            _ => Err(self.wrong(name, "a string; put it in quotes")),
        }
    }

    /// As [`Record::text`], where a whole number stands for its digits.
    pub fn id(&mut self, names: &[&str]) -> Result<String> {
        self.optional_id(names)?.ok_or_else(|| self.missing(names))
    }

    pub fn optional_id(&mut self, names: &[&str]) -> Result<Option<String>> {
        let Some(name) = names.iter().find(|name| self.has(name)) else {
            return Ok(None);
        };
        match &self.fields[*name] {
            Value::Null => Ok(None),
            Value::Number(n) if n.is_i64() || n.is_u64() => Ok(Some(n.to_string())),
            Value::String(id) if !id.is_empty() => Ok(Some(id.clone())),
            Value::String(_) => Err(self.wrong(name, "an id; give every record one of its own")),
            _ => Err(self.wrong(name, "a string; put it in quotes")),
        }
    }

    /// A list of strings, whole numbers standing for their digits; empty where absent or null.
    pub fn texts(&mut self, name: &str) -> Result<Vec<String>> {
        let items = match self.fields.get_mut(name) {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Array(items)) => std::mem::take(items),
            Some(_) => return Err(self.wrong(name, LIST)),
        };
        items.into_iter().map(|item| text_of(item).ok_or_else(|| self.wrong_item(name))).collect()
    }

    /// As [`Record::texts`], refusing an absent or empty list.
    pub fn some_texts(&mut self, name: &str) -> Result<Vec<String>> {
        let texts = self.texts(name)?;
        match texts.is_empty() {
            false => Ok(texts),
            true if self.has(name) => Err(self.wrong_as(name, "a list of at least one string", "an empty list")),
            true => Err(self.missing(&[name])),
        }
    }

    /// A list of records; empty where absent or null.
    pub fn records(&mut self, name: &str) -> Result<Vec<Record>> {
        const EXPECTED: &str = "a list of objects; write [{\"title\": …, \"text\": …}]";
        let items = match self.fields.get_mut(name) {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Array(items)) => std::mem::take(items),
            Some(_) => return Err(self.wrong(name, EXPECTED)),
        };
        let record = |item| match item {
            Value::Object(fields) => Ok(Record { fields, path: self.path.clone(), line: self.line }),
            other => Err(self.wrong_as(name, EXPECTED, &format!("a list with {}", described(&other)))),
        };
        items.into_iter().map(record).collect()
    }

    /// The texts of `<prefix>_1`, `<prefix>_2`, … up to the first that is absent; empty ones are left out.
    pub fn numbered(&mut self, prefix: &str) -> Result<Vec<String>> {
        let mut texts = Vec::new();
        for i in 1.. {
            let name = format!("{prefix}_{i}");
            if !self.has(&name) {
                break;
            }
            texts.extend(self.optional_text(&[&name])?.filter(|text| !text.is_empty()));
        }
        Ok(texts)
    }

    /// The first of `names` as a language; `None` where absent, null or empty.
    pub fn lang(&mut self, names: &[&str]) -> Result<Option<Lang>> {
        match self.optional_text(names)? {
            Some(code) if !code.is_empty() => self.parse_lang(&code).map(Some),
            _ => Ok(None),
        }
    }

    pub fn parse_lang(&self, code: &str) -> Result<Lang> {
        code.parse().map_err(|_| Error::LangAt { path: self.path.to_path_buf(), line: self.line, got: snippet(code) })
    }

    pub fn missing(&self, names: &[&str]) -> Error {
        let quoted = |names: &mut dyn Iterator<Item = &str>| names.map(|n| format!("`{n}`")).collect::<Vec<_>>();
        let found = quoted(&mut self.fields.keys().map(String::as_str).take(8)).join(", ");
        Error::FieldMissing {
            path: self.path.to_path_buf(),
            line: self.line,
            field: quoted(&mut names.iter().copied()).join(" or "),
            found: if found.is_empty() { "no fields".into() } else { found.escape_debug().to_string() },
        }
    }

    pub fn wrong(&self, name: &str, expected: &'static str) -> Error {
        self.wrong_as(name, expected, described(&self.fields[name]))
    }

    fn wrong_item(&self, name: &str) -> Error {
        self.wrong_as(name, LIST, "a list with something other than strings")
    }

    pub fn wrong_as(&self, name: &str, expected: &'static str, got: &str) -> Error {
        let field = name.escape_debug().to_string();
        Error::FieldType { path: self.path.to_path_buf(), line: self.line, field, expected, got: got.into() }
    }
}

fn text_of(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(n) if n.is_i64() || n.is_u64() => Some(n.to_string()),
        _ => None,
    }
}

fn described(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(text) if text.is_empty() => "an empty string",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The records of a file, one after the other; ends after the first error.
pub(crate) struct Records<'a> {
    source: Source<'a>,
    path: Arc<Path>,
    failed: bool,
}

enum Source<'a> {
    Lines(Lines<'a>, String),
    Array(Array<'a>),
    Table(Table<'a>),
}

const OBJECT: &str = "one JSON object per line";

impl<'a> Records<'a> {
    /// JSON lines or, where the file starts with `[`, the objects of one array.
    pub fn json(mut lines: Lines<'a>) -> Result<Self> {
        let path = lines.path().into();
        let source = match lines.peek_bytes()?.first() {
            Some(b'[') => Source::Array(Array::new(lines)),
            _ => Source::Lines(lines, String::new()),
        };
        Ok(Self { source, path, failed: false })
    }

    /// The rows of a table under the names of its header.
    pub fn table(table: Table<'a>) -> Self {
        Self { path: table.path().into(), source: Source::Table(table), failed: false }
    }

    fn next_record(&mut self) -> Result<Option<Record>> {
        let found = match &mut self.source {
            Source::Lines(lines, buf) => match lines.next_content(buf)? {
                true => Some((parse_object(buf, lines.path(), lines.number())?, lines.number())),
                false => None,
            },
            Source::Array(array) => array.next_object()?,
            Source::Table(table) => table.next_object()?,
        };
        Ok(found.map(|(fields, line)| Record { fields, path: self.path.clone(), line }))
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Record>;

    fn next(&mut self) -> Option<Result<Record>> {
        if self.failed {
            return None;
        }
        let next = self.next_record().transpose();
        self.failed = matches!(next, Some(Err(_)));
        next
    }
}

/// One line as a JSON object.
pub(crate) fn parse_object(text: &str, path: &Path, line: usize) -> Result<Map<String, Value>> {
    match serde_json::from_str(text) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(other) => Err(Error::Json {
            path: path.into(),
            line,
            column: 1,
            detail: format!("it is {}", described(&other)),
            expected: OBJECT,
        }),
        Err(e) => Err(json_error(&e, path, line, OBJECT)),
    }
}

/// serde's complaint without its own idea of the line.
pub(crate) fn json_error(e: &serde_json::Error, path: &Path, line: usize, expected: &'static str) -> Error {
    let message = e.to_string();
    let told = message.rsplit_once(" at line ").map_or(message.as_str(), |(told, _)| told);
    let detail = match e.is_eof() {
        true => format!("{told}: the text is cut off"),
        false => told.escape_debug().to_string(),
    };
    Error::Json { path: path.into(), line, column: e.column(), detail, expected }
}

/// The objects of a JSON array, read one at a time.
struct Array<'a> {
    bytes: Counted<Box<dyn BufRead + Send + 'a>>,
    place: Place,
    opened: bool,
}

const ARRAY: &str = "a JSON array of objects: [{…}, {…}]";

impl<'a> Array<'a> {
    fn new(lines: Lines<'a>) -> Self {
        let (input, place) = lines.into_parts();
        Self { bytes: Counted { inner: Box::new(input), line: place.line + 1 }, place, opened: false }
    }

    fn next_object(&mut self) -> Result<Option<(Map<String, Value>, usize)>> {
        let first = self.token()?;
        if first == Some(b']') && self.opened {
            return match self.token()? {
                None => Ok(None),
                Some(_) => Err(self.malformed("text after the end of the array")),
            };
        }
        if first != Some(if self.opened { b',' } else { b'[' }) {
            return Err(self.malformed(if first.is_none() {
                "the text is cut off"
            } else {
                "no comma between objects"
            }));
        }
        let empty = !std::mem::replace(&mut self.opened, true) && self.peek()? == Some(b']');
        if empty { self.next_end() } else { self.object().map(Some) }
    }

    fn next_end(&mut self) -> Result<Option<(Map<String, Value>, usize)>> {
        self.next_object()
    }

    fn object(&mut self) -> Result<(Map<String, Value>, usize)> {
        if self.peek()? != Some(b'{') {
            return Err(self.malformed("an element is no object"));
        }
        let line = self.bytes.line;
        let mut deserializer = serde_json::Deserializer::from_reader(&mut self.bytes);
        match Map::deserialize(&mut deserializer) {
            Ok(fields) => Ok((fields, line)),
            Err(e) if e.is_io() => Err(self.at(self.bytes.line).io(e.into())),
            Err(e) => Err(json_error(&e, &self.place.path, self.bytes.line, ARRAY)),
        }
    }

    /// The next byte that is not white space, taken.
    fn token(&mut self) -> Result<Option<u8>> {
        let byte = self.peek()?;
        if byte.is_some() {
            self.bytes.inner.consume(1);
        }
        Ok(byte)
    }

    /// The next byte that is not white space, left in place.
    fn peek(&mut self) -> Result<Option<u8>> {
        loop {
            let byte = match self.bytes.inner.fill_buf() {
                Ok(buffered) => buffered.first().copied(),
                Err(e) => return Err(self.at(self.bytes.line).io(e)),
            };
            match byte {
                Some(byte) if byte.is_ascii_whitespace() => {
                    self.bytes.line += usize::from(byte == b'\n');
                    self.bytes.inner.consume(1);
                }
                other => return Ok(other),
            }
        }
    }

    fn at(&mut self, line: usize) -> &Place {
        self.place.line = line;
        &self.place
    }

    fn malformed(&self, detail: &str) -> Error {
        let path: PathBuf = self.place.path.clone();
        Error::Json { path, line: self.bytes.line, column: 0, detail: detail.into(), expected: ARRAY }
    }
}

/// Counts the line ends that pass.
struct Counted<R> {
    inner: R,
    line: usize,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.line += buf[..n].iter().filter(|&&b| b == b'\n').count();
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<(usize, Map<String, Value>)>> {
        let lines = Lines::from_reader(text.as_bytes(), "x")?;
        Records::json(lines)?.map(|r| r.map(|r| (r.line, r.fields))).collect()
    }

    #[test]
    fn an_array_gives_its_objects_with_the_lines_they_start_at() {
        let got = read("\n[\n {\"a\": 1,\n \"b\": \"]\"} ,\n{\"a\": [2]}]\n").unwrap();
        assert_eq!(got.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [3, 5]);
        assert_eq!(got[1].1["a"][0], 2);
        assert!(read("[]").unwrap().is_empty());
    }

    #[test]
    fn a_broken_array_is_told_with_its_line() {
        let cases = [
            ("[\n{}\n{}]", "x:3"),
            ("[{},\n1]", "x:2"),
            ("[{}", "x:1"),
            ("[{}]\n{}", "x:2"),
            ("[\n{\"a\": ]}", "x:2"),
            ("[", "x:1"),
            ("[{},]", "x:1"),
        ];
        for (text, place) in cases {
            let error = read(text).unwrap_err().to_string();
            assert!(error.starts_with(place) && error.contains("JSON array"), "{text:?}: {error}");
        }
    }
}
