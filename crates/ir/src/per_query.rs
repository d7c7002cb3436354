//! Measured values by query, as files keep them: what two systems are compared by.
//!
//! Written as JSON lines `{"query": "q1", "lang": "fi", "values": {"nDCG@10": 0.5}}`. Read besides: a report of
//! `evaluate` in JSON that holds its `queries`.

use crate::atomic::AtomicFile;
use crate::compare::Scores;
use crate::error::{Error, Result, snippet};
use crate::fields::{Record, json_error};
use crate::reader::Lines;
use crate::unique::Unique;
use crate::{Lang, QueryId, Report};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The values of every query under the measures' names, and its language where known.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PerQuery {
    measures: Vec<String>,
    rows: BTreeMap<QueryId, Row>,
}

#[derive(Debug, Clone, PartialEq)]
struct Row {
    lang: Option<Lang>,
    values: Vec<f64>,
}

#[derive(Serialize)]
struct Line<'a> {
    query: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    lang: Option<Lang>,
    values: Map<String, Value>,
}

const EXPECTED: &str = "values by query: JSON lines {\"query\", \"lang\", \"values\": {measure: number}}, or a report of evaluate --per-query --json";

impl PerQuery {
    /// No query yet, of these measures.
    pub fn new(measures: Vec<String>) -> Self {
        Self { measures, rows: BTreeMap::new() }
    }

    /// The queries of a report.
    pub fn from_report(report: &Report, langs: Option<&BTreeMap<QueryId, Lang>>) -> Self {
        let mut all = Self::new(report.mean.0.iter().map(|(measure, _)| measure.to_string()).collect());
        for (query, values) in &report.queries {
            let lang = langs.and_then(|langs| langs.get(query)).copied();
            all.insert(query.clone(), lang, values.0.iter().map(|(_, value)| *value).collect());
        }
        all
    }

    /// Sets the values of a query, in the order of the measures.
    ///
    /// # Panics
    /// Where there are more or fewer values than measures.
    pub fn insert(&mut self, query: impl Into<QueryId>, lang: Option<Lang>, values: Vec<f64>) {
        assert_eq!(values.len(), self.measures.len(), "one value a measure");
        self.rows.insert(query.into(), Row { lang, values });
    }

    /// Reads a file of either form, plain or compressed.
    ///
    /// # Errors
    /// A file that cannot be read, is empty or malformed, a query twice, or one without a value that another has.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        Self::from_lines(Lines::open(path.as_ref())?)
    }

    /// Reads from any source; `name` stands for the path in errors.
    ///
    /// # Errors
    /// As [`PerQuery::read`].
    pub fn read_from<'a>(reader: impl Read + Send + 'a, name: &str) -> Result<Self> {
        Self::from_lines(Lines::from_reader(reader, name)?)
    }

    /// Whether the file holds JSON and so no TREC run.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn is_in(path: impl AsRef<Path>) -> Result<bool> {
        Ok(Lines::open(path.as_ref())?.peek_bytes()?.first() == Some(&b'{'))
    }

    /// Writes JSON lines, whole or not at all.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let mut file = AtomicFile::create(path)?;
        for (query, row) in &self.rows {
            let values = self.measures.iter().cloned().zip(row.values.iter().map(|value| Value::from(*value)));
            let line = Line { query, lang: row.lang, values: values.collect() };
            serde_json::to_writer(&mut file, &line).map_err(|e| Error::io(path, e.into()))?;
            writeln!(file).map_err(|source| Error::io(path, source))?;
        }
        file.commit()
    }

    /// Queries with their languages and values, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (&QueryId, Option<Lang>, &[f64])> {
        self.rows.iter().map(|(query, row)| (query, row.lang, row.values.as_slice()))
    }

    /// The measures' names, in the order of the first query's values.
    pub fn measures(&self) -> &[String] {
        &self.measures
    }

    /// Number of queries.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no query.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The values of one measure; `None` for a name that is none of [`PerQuery::measures`].
    pub fn scores(&self, measure: &str) -> Option<Scores> {
        let at = self.measures.iter().position(|name| name == measure)?;
        Some(self.rows.iter().map(|(query, row)| (query.clone(), row.values[at])).collect())
    }

    /// The languages of all queries; `None` where one has none.
    pub fn langs(&self) -> Option<BTreeMap<QueryId, Lang>> {
        self.rows.iter().map(|(query, row)| Some((query.clone(), row.lang?))).collect()
    }

    fn from_lines(mut lines: Lines<'_>) -> Result<Self> {
        let path = lines.path().to_path_buf();
        let line = lines.number() + 1;
        let first = lines.peek_content()?.ok_or(Error::Empty { path: path.clone(), expected: EXPECTED })?;
        if !first.trim_start().starts_with('{') {
            let got = snippet(first);
            return Err(Error::UnknownFormat { path, line, expected: EXPECTED, got });
        }
        let is_row = serde_json::from_str::<Map<String, Value>>(first).is_ok_and(|row| !row.contains_key("queries"));
        let all = if is_row { rows(lines)? } else { report(lines)? };
        match all.is_empty() {
            true => Err(Error::Empty { path, expected: EXPECTED }),
            false => Ok(all),
        }
    }

    fn take(&mut self, query: String, lang: Option<Lang>, mut values: Record) -> Result<()> {
        if self.rows.is_empty() {
            self.measures = values.fields.keys().cloned().collect();
        }
        let number = |measure: &String| match values.fields.get(measure) {
            None => Err(values.missing(&[measure])),
            Some(value) => value.as_f64().ok_or_else(|| values.wrong(measure, "a number such as 0.5")),
        };
        let numbers: Vec<f64> = self.measures.iter().map(number).collect::<Result<_>>()?;
        values.fields.retain(|measure, _| !self.measures.contains(measure));
        match values.fields.keys().next().cloned() {
            Some(new) => Err(values.wrong_as(&new, "the measures of the first query", "a measure that it lacks")),
            None => {
                self.insert(query, lang, numbers);
                Ok(())
            }
        }
    }
}

fn rows(mut lines: Lines<'_>) -> Result<PerQuery> {
    let (mut all, mut seen) = (PerQuery::default(), Unique::default());
    let path: Arc<Path> = lines.path().into();
    let mut buf = String::new();
    while lines.next_content(&mut buf)? {
        let fields = crate::fields::parse_object(&buf, &path, lines.number())?;
        let mut record = Record { fields, path: path.clone(), line: lines.number() };
        let (query, lang) = (record.id(&["query"])?, record.lang(&["lang"])?);
        seen.insert(&query, "query", &path, record.line)?;
        let values = object(&mut record, "values")?;
        all.take(query, lang, values)?;
    }
    Ok(all)
}

fn report(mut lines: Lines<'_>) -> Result<PerQuery> {
    let path: PathBuf = lines.path().into();
    let (mut text, mut buf) = (String::new(), String::new());
    while lines.next_line(&mut buf)? {
        text.push_str(&buf);
        text.push('\n');
    }
    let fields = serde_json::from_str(&text).map_err(|e| json_error(&e, &path, e.line(), EXPECTED))?;
    let mut whole = Record { fields, path: path.into(), line: 1 };
    if !whole.has("queries") {
        return Err(whole.missing(&["queries"]));
    }
    let mut all = PerQuery::default();
    let queries = object(&mut whole, "queries")?;
    let line = queries.line;
    for (query, values) in queries.fields {
        let mut record = Record { fields: Map::from_iter([(query.clone(), values)]), path: queries.path.clone(), line };
        let values = object(&mut record, &query)?;
        all.take(query, None, values)?;
    }
    Ok(all)
}

/// A field that is itself a record.
fn object(record: &mut Record, name: &str) -> Result<Record> {
    match record.fields.get_mut(name) {
        None => Err(record.missing(&[name])),
        Some(Value::Object(fields)) => {
            Ok(Record { fields: std::mem::take(fields), path: record.path.clone(), line: record.line })
        }
        Some(_) => Err(record.wrong(name, "an object: {measure: number}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<PerQuery> {
        PerQuery::read_from(text.as_bytes(), "x.jsonl")
    }

    #[test]
    fn written_and_read_again_it_is_the_same() {
        let mut all = PerQuery::new(vec!["nDCG@10".into(), "R@2kt".into()]);
        all.insert("q 1", Some("fi".parse().unwrap()), vec![1.0 / 3.0, 0.0]);
        all.insert("q2", Some("sw".parse().unwrap()), vec![1.0, 1.0]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jsonl");
        all.write(&path).unwrap();
        assert_eq!(PerQuery::read(&path).unwrap(), all);
        assert!(PerQuery::is_in(&path).unwrap());
        assert_eq!(all.scores("R@2kt").unwrap()["q2"], 1.0);
        assert_eq!((all.scores("x"), all.langs().unwrap()["q2"].as_str()), (None, "sw"));
    }

    #[test]
    fn a_report_is_read_whole() {
        let text =
            "{\n \"mean\": {\"RR@10\": 0.75},\n \"queries\": {\"a\": {\"RR@10\": 1.0}, \"b\": {\"RR@10\": 0.5}}}";
        let all = read(text).unwrap();
        assert_eq!((all.scores("RR@10").unwrap()["b"], all.langs()), (0.5, None));
        assert_eq!(read(&text.replace('\n', "")).unwrap(), all);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let good = "{\"query\":\"a\",\"values\":{\"R@5\":1}}\n";
        let cases = [
            ("".to_owned(), "x.jsonl:1: the file is empty"),
            ("a 0 d 1\n".into(), "x.jsonl:1: unknown format"),
            (format!("{good}{good}"), "x.jsonl:2: query \"a\" already stands in line 1"),
            (format!("{good}{{\"query\":\"b\",\"values\":{{\"R@5\":\"1\"}}}}"), "x.jsonl:2: field `R@5` is a string"),
            (format!("{good}{{\"query\":\"b\",\"values\":{{}}}}"), "x.jsonl:2: missing field `R@5`"),
            (format!("{good}{{\"query\":\"b\",\"values\":{{\"R@5\":1,\"P@5\":1}}}}"), "x.jsonl:2: field `P@5`"),
            (format!("{good}{{\"query\":\"b\"}}"), "x.jsonl:2: missing field `values`"),
            ("{\n\"mean\": 1}".into(), "x.jsonl:1: missing field `queries`"),
            ("{\n\"mean\": }".into(), "x.jsonl:2: malformed JSON"),
        ];
        for (text, told) in cases {
            let error = read(&text).unwrap_err().to_string();
            assert!(error.starts_with(told), "{text}\n{error}");
        }
    }
}
