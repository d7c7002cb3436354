//! Files of every format as rows to examine: a row that cannot be read is told, and the next one is read.

use crate::collection::{DOCS, Entry, QUERIES, columns_entry, entry_of};
use crate::error::{Error, Result, snippet};
use crate::fields::{Record, Records, parse_object};
use crate::format::clear::{self, ClearExample};
use crate::format::documents::document;
use crate::format::parallel::moses::{siblings, suffix_lang, unparallel};
use crate::format::parallel::{self, column_pair, is_parallel, json_row};
use crate::format::{self, squad};
use crate::reader::{Lines, bare_name};
use crate::table::{Rows, Table, header_of};
use crate::{Example, ExampleOptions, Format, Lang, Pair, PairOptions};
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Documents to be searched.
    Corpus,
    /// Queries.
    Queries,
    /// Whole documents in order.
    Documents,
    /// Pairs of translations.
    Pairs,
    /// Rows of one text in many languages.
    Parallel,
    /// One text per line.
    Texts,
    /// Labelled examples.
    Examples(Format),
    /// Judgements.
    Qrels,
    /// What a system found.
    Run,
}

const NAMES: [(Kind, &str); 8] = [
    (Kind::Corpus, "corpus"),
    (Kind::Queries, "queries"),
    (Kind::Documents, "documents"),
    (Kind::Pairs, "pairs"),
    (Kind::Parallel, "parallel"),
    (Kind::Texts, "texts"),
    (Kind::Qrels, "qrels"),
    (Kind::Run, "run"),
];

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self, NAMES.iter().find(|(kind, _)| kind == self)) {
            (Self::Examples(format), _) => format.fmt(f),
            (_, name) => f.pad(name.map_or("", |(_, name)| name)),
        }
    }
}

impl FromStr for Kind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = "corpus, queries, documents, pairs, parallel, texts, qrels, run, dpr, tevatron, flag-embedding, sentence-transformers, clear, squad, ms-marco-triples";
        let found = NAMES.iter().find(|(_, name)| *name == text).map(|(kind, _)| *kind);
        let example = text.parse().ok().filter(|format| *format != Format::Beir).map(Kind::Examples);
        found.or(example).ok_or_else(|| Error::FormatName { got: snippet(text), known })
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What a text is in its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Query,
    Positive,
    Negative,
    /// Of a corpus, of documents, of a plain file, or either side of a translation.
    Text,
}

/// One text of a row.
pub(super) struct Part {
    pub role: Role,
    pub id: Option<String>,
    pub title: String,
    pub text: String,
    pub lang: Option<Lang>,
}

/// One record of a file.
#[derive(Default)]
pub(super) struct Row {
    pub line: usize,
    pub id: Option<String>,
    pub parts: Vec<Part>,
    /// Documents and queries that are named without their texts.
    pub named: Vec<(Role, String)>,
    /// Languages that the row names without a text.
    pub blank: Vec<Lang>,
}

/// What is read.
pub(super) enum Event {
    Row(Row),
    /// A query, a document, and whether that is relevant.
    Judgement(usize, String, String, bool),
    /// A query and a document found for it.
    Hit(usize, String, String),
    /// A row that cannot be read, and its id where that can.
    Fault(Error, Option<String>),
    ByteOrderMark,
}

/// Takes events, each with what the file is known to hold by then.
pub(super) type Take<'a> = dyn FnMut(Option<Kind>, Event) + 'a;

const EXPECTED: &str =
    "a corpus, queries, documents, translations, training examples, qrels or a run in a format of the field";

/// Reads a file, or two Moses files by their common name.
///
/// # Errors
/// A file that cannot be opened, or not be read on, or is of no known format.
pub(super) fn read(path: &Path, wanted: Option<Kind>, take: &mut Take<'_>) -> Result<Kind> {
    if let Some(sides) = siblings(path) {
        return moses(&sides, take);
    }
    let mut lines = Lines::open(path)?;
    if lines.is_marked() {
        take(wanted, Event::ByteOrderMark);
    }
    let text_file = bare_name(path).ends_with(".txt");
    let head = lines.peek_bytes()?;
    match head.first() {
        None => Err(Error::Empty { path: path.into(), expected: EXPECTED }),
        Some(b'{') if matches!(wanted, None | Some(Kind::Examples(Format::Squad))) && format::is_squad(head) => {
            let kind = Kind::Examples(Format::Squad);
            squad::load(lines, &Default::default())?
                .into_iter()
                .for_each(|example| take(Some(kind), Event::Row(of_example(example, 0))));
            Ok(kind)
        }
        Some(b'{') if !text_file => json_lines(lines, wanted, take),
        Some(b'[') if !text_file => {
            let mut records = Records::json(lines)?;
            each_record(path, wanted, &mut || records.next().transpose(), take)
        }
        Some(_) => delimited(lines, wanted, text_file, take),
    }
}

/// Whether the rows after this fault can be read.
fn goes_on(error: &Error) -> bool {
    matches!(
        error,
        Error::Utf8 { .. } | Error::Json { .. } | Error::Columns { .. } | Error::Number { .. } | Error::LangAt { .. }
    )
}

/// Gives on what `next` gives of a file of that kind, faults included, until there is nothing more.
fn drain(kind: Kind, next: &mut dyn FnMut() -> Result<Option<Event>>, take: &mut Take<'_>) -> Result<()> {
    loop {
        match next() {
            Ok(Some(event)) => take(Some(kind), event),
            Ok(None) => return Ok(()),
            Err(error) if goes_on(&error) => take(Some(kind), Event::Fault(error, None)),
            Err(error) => return Err(error),
        }
    }
}

fn json_lines(mut lines: Lines<'_>, wanted: Option<Kind>, take: &mut Take<'_>) -> Result<Kind> {
    let path: Arc<Path> = lines.path().into();
    let (mut buf, at) = (String::new(), path.clone());
    let mut next = || match lines.next_content(&mut buf)? {
        true => {
            let line = lines.number();
            Ok(Some(Record { fields: parse_object(&buf, &at, line)?, path: at.clone(), line }))
        }
        false => Ok(None),
    };
    each_record(&path, wanted, &mut next, take)
}

fn each_record(
    path: &Path,
    wanted: Option<Kind>,
    next: &mut dyn FnMut() -> Result<Option<Record>>,
    take: &mut Take<'_>,
) -> Result<Kind> {
    let (mut kind, mut number) = (wanted, 0);
    loop {
        let mut record = match next() {
            Ok(Some(record)) => record,
            Ok(None) => return kind.ok_or_else(|| Error::Empty { path: path.into(), expected: EXPECTED }),
            Err(error) if goes_on(&error) => {
                take(kind, Event::Fault(error, None));
                continue;
            }
            Err(error) => return Err(error),
        };
        let known = match kind {
            Some(kind) => kind,
            None => *kind.insert(kind_of(&record, path)?),
        };
        match row_of(&mut record, known, number) {
            Ok(row) => take(kind, Event::Row(row)),
            Err(error) => take(kind, Event::Fault(error, id_of(&mut record))),
        }
        number += 1;
    }
}

/// The id of a record that cannot be read otherwise.
fn id_of(record: &mut Record) -> Option<String> {
    record.optional_id(&["_id", "id", "docid", "doc_id", "qid", "query_id"]).ok().flatten()
}

/// What a record is, by its fields and, where those leave it open, by the file's name.
fn kind_of(record: &Record, path: &Path) -> Result<Kind> {
    let has = |names: &[&str]| names.iter().any(|name| record.has(name));
    let translated = record.has("translation") || record.fields.get("text").is_some_and(Value::is_object);
    if translated || (is_parallel(record) && has(&["idx"]) && has(&["lang"])) {
        return Ok(Kind::Parallel);
    }
    if has(&["src", "english"]) && has(&["tgt", "non_english", "eng"]) {
        return Ok(Kind::Pairs);
    }
    if let Some(format) = format::detect(record) {
        return Ok(Kind::Examples(format));
    }
    let named = has(&["_id", "id", "docid", "doc_id"]);
    match () {
        () if has(&["question", "query", "query_text"]) => Ok(Kind::Queries),
        () if has(&["sentences", "paragraphs", "paras"]) || has(&["text"]) && !named && !has(&["qid", "query_id"]) => {
            Ok(Kind::Documents)
        }
        () if !has(&["text", "document_text", "contents", "title"]) => {
            let got = record.fields.keys().take(6).map(String::as_str).collect::<Vec<_>>().join(", ");
            let got = format!("a record of {}", snippet(&got));
            Err(Error::UnknownFormat { path: path.into(), line: record.line, expected: EXPECTED, got })
        }
        () if names_queries(path) || has(&["qid", "query_id", "answers"]) => Ok(Kind::Queries),
        () => Ok(Kind::Corpus),
    }
}

fn names_queries(path: &Path) -> bool {
    let name = bare_name(path);
    ["quer", "topic", "question"].iter().any(|part| name.contains(part))
}

fn row_of(record: &mut Record, kind: Kind, number: usize) -> Result<Row> {
    let line = record.line;
    match kind {
        Kind::Corpus => Ok(of_entry(entry_of(record, DOCS, number)?, Role::Text)),
        Kind::Queries => Ok(of_entry(entry_of(record, QUERIES, number)?, Role::Query)),
        Kind::Examples(Format::Clear) => Ok(of_clear(clear::example(record)?, line)),
        Kind::Examples(format) => {
            // The corpus of ids is another file: it is not looked into here.
            let options = ExampleOptions { corpus: Some("corpus".into()), ..ExampleOptions::default() };
            Ok(format::example(record, format, &options)?.map_or_else(Row::default, |e| of_example(e, line)))
        }
        Kind::Pairs => Ok(of_pair(parallel::pair(record)?, line)),
        Kind::Parallel => of_parallel(record),
        Kind::Documents | Kind::Texts => {
            let named = ["id", "_id", "docid", "doc_id"].iter().any(|id| record.has(id));
            let document = document(record, number, None)?;
            let (id, title, lang) = (named.then_some(document.id), document.title, document.lang);
            let text = document.body.parts().join("\n");
            let part = Part { role: Role::Text, id: id.clone(), title, text, lang };
            Ok(Row { line, id, parts: vec![part], ..Row::default() })
        }
        Kind::Qrels | Kind::Run => Err(record.missing(&["qid"])),
    }
}

fn plain(role: Role, text: String, lang: Option<Lang>) -> Part {
    Part { role, id: None, title: String::new(), text, lang }
}

fn of_entry(entry: Entry, role: Role) -> Row {
    let Entry { id, title, text, lang, line, .. } = entry;
    Row { line, id: Some(id.clone()), parts: vec![Part { role, id: Some(id), title, text, lang }], ..Row::default() }
}

fn of_pair(pair: Pair, line: usize) -> Row {
    let parts = vec![plain(Role::Text, pair.src, pair.src_lang), plain(Role::Text, pair.tgt, pair.tgt_lang)];
    Row { line, parts, ..Row::default() }
}

fn of_example(example: Example, line: usize) -> Row {
    let Example { query, positives, negatives, lang, doc_lang, ids, .. } = example;
    let mut row = Row { line, id: ids.query.clone(), ..Row::default() };
    if !query.is_empty() || ids.query.is_none() {
        row.parts.push(Part { id: ids.query, ..plain(Role::Query, query, lang) });
    } else {
        row.named.extend(ids.query.map(|id| (Role::Query, id)));
    }
    for (role, texts, names) in [(Role::Positive, positives, ids.positives), (Role::Negative, negatives, ids.negatives)]
    {
        if texts.is_empty() {
            row.named.extend(names.into_iter().map(|id| (role, id)));
            continue;
        }
        let mut names = names.into_iter();
        row.parts.extend(texts.into_iter().map(|text| Part { id: names.next(), ..plain(role, text, doc_lang) }));
    }
    row
}

fn of_clear(example: ClearExample, line: usize) -> Row {
    let (cross, others) = (example.cross_anchor, example.neg_queries);
    let cross_lang = example.cross_lang;
    let mono = Example {
        doc_lang: example.lang,
        ..Example::from(ClearExample { cross_anchor: None, neg_queries: Vec::new(), ..example })
    };
    let mut row = of_example(mono, line);
    let cross = cross.into_iter().chain(others);
    row.parts.extend(cross.map(|text| plain(Role::Query, text, cross_lang)));
    row
}

fn of_parallel(record: &mut Record) -> Result<Row> {
    let line = record.line;
    if record.has("idx") {
        let (text, lang) = (record.text(&["text"])?, record.lang(&["lang"])?);
        let lang = lang.ok_or_else(|| record.missing(&["lang"]))?;
        return Ok(Row { line, parts: vec![plain(Role::Text, text, Some(lang))], ..Row::default() });
    }
    let named = ["text", "translation"].iter().filter_map(|name| record.fields.get(*name)?.as_object());
    let blank = |text: &Value| text.as_str().is_none_or(|text| text.trim().is_empty());
    let blank: Vec<Lang> =
        named.flatten().filter(|(_, text)| blank(text)).filter_map(|(code, _)| code.parse().ok()).collect();
    let row = json_row(record)?;
    let parts = row.texts.into_iter().map(|(lang, text)| plain(Role::Text, text, Some(lang))).collect();
    Ok(Row { line, id: row.id, parts, blank, ..Row::default() })
}

fn moses(sides: &[std::path::PathBuf; 2], take: &mut Take<'_>) -> Result<Kind> {
    let langs = [suffix_lang(&sides[0]), suffix_lang(&sides[1])];
    let (mut left, mut right) = (Lines::open(&sides[0])?, Lines::open(&sides[1])?);
    let (mut src, mut tgt) = (String::new(), String::new());
    let mut next = || {
        // Both are read before a fault of one is told, so that they stay side by side.
        let (a, b) = (left.next_line(&mut src), right.next_line(&mut tgt));
        match (a?, b?) {
            (false, false) => Ok(None),
            (true, false) => Err(unparallel(&right, &left)),
            (false, true) => Err(unparallel(&left, &right)),
            (true, true) => {
                let pair = Pair { src_lang: langs[0], tgt_lang: langs[1], src: src.clone(), tgt: tgt.clone() };
                Ok(Some(Event::Row(of_pair(pair, left.number()))))
            }
        }
    };
    drain(Kind::Pairs, &mut next, take)?;
    Ok(Kind::Pairs)
}

/// Tables with and without header, qrels, runs and lines of text.
fn delimited(mut lines: Lines<'_>, wanted: Option<Kind>, text_file: bool, take: &mut Take<'_>) -> Result<Kind> {
    let path: Arc<Path> = lines.path().into();
    let line = lines.number() + 1;
    let first = lines.peek_content()?.unwrap_or_default().to_owned();
    let headers = [format::header(&first), parallel::header(&first)].into_iter().flatten();
    let collections = [DOCS, QUERIES].into_iter().filter_map(|kind| header_of(&first, kind.header()).map(|(d, _)| d));
    if let Some(delimiter) = headers.chain(collections).next() {
        let mut table = Table::new(lines, delimiter)?;
        let at = path.clone();
        let mut next = || Ok(table.next_object()?.map(|(fields, line)| Record { fields, path: at.clone(), line }));
        return each_record(&path, wanted, &mut next, take);
    }
    let kind = wanted.or_else(|| kind_of_line(&first, &path, text_file)).ok_or_else(|| Error::UnknownFormat {
        path: path.to_path_buf(),
        line,
        expected: EXPECTED,
        got: snippet(&first),
    })?;
    match kind {
        Kind::Qrels | Kind::Run => ranked(lines, kind, take)?,
        Kind::Texts => {
            let mut buf = String::new();
            let mut next = || {
                let some = lines.next_content(&mut buf)?;
                let part = || plain(Role::Text, buf.clone(), None);
                Ok(some.then(|| Event::Row(Row { line: lines.number(), parts: vec![part()], ..Row::default() })))
            };
            drain(kind, &mut next, take)?;
        }
        kind => columns(Rows::new(lines, '\t'), kind, take)?,
    }
    Ok(kind)
}

const BEIR_HEADER: [&str; 3] = ["query-id", "corpus-id", "score"];

/// What a first line without names of columns shows.
pub(super) fn kind_of_line(first: &str, path: &Path, text_file: bool) -> Option<Kind> {
    let words: Vec<&str> = first.split_whitespace().collect();
    let number = |at: usize| words.get(at).is_some_and(|word| word.parse::<f32>().is_ok());
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if words == BEIR_HEADER || words.len() == 4 && number(1) && number(3) && words[3].parse::<i32>().is_ok() {
        return Some(Kind::Qrels);
    }
    if words.len() == 6 && number(3) && number(4) {
        return Some(Kind::Run);
    }
    let columns: Vec<&str> = first.split('\t').collect();
    let is_name = !columns[0].trim().contains(char::is_whitespace);
    let score = columns[0].contains('.') && columns[0].parse::<f32>().is_ok();
    match columns.len() {
        1 => text_file.then_some(Kind::Texts),
        2 if is_name => Some(if names_queries(path) { Kind::Queries } else { Kind::Corpus }),
        3 if is_name && !score && !columns.iter().all(|column| digits(column)) => Some(Kind::Corpus),
        3 if !score => Some(Kind::Examples(Format::MsMarcoTriples)),
        2..=4 => Some(Kind::Pairs),
        _ => None,
    }
}

fn columns(mut rows: Rows<'_>, kind: Kind, take: &mut Take<'_>) -> Result<()> {
    let options = PairOptions::default();
    let mut next = || {
        let row = match kind {
            Kind::Queries => columns_entry(&mut rows, QUERIES)?.map(|entry| of_entry(entry, Role::Query)),
            Kind::Examples(_) => rows.next_columns("3 (query, positive, negative), apart by tabs")?.map(triple),
            Kind::Pairs | Kind::Parallel => match rows.next_row()? {
                Some((row, line)) if (2..=4).contains(&row.len()) => Some(
                    column_pair(&row, &rows, line, &options)?.map_or_else(Row::default, |pair| of_pair(pair, line)),
                ),
                Some((row, line)) => return Err(rows.columns("2 (src, tgt) to 4", row.len(), line)),
                None => None,
            },
            _ => columns_entry(&mut rows, DOCS)?.map(|entry| of_entry(entry, Role::Text)),
        };
        Ok(row.map(Event::Row))
    };
    drain(kind, &mut next, take)
}

/// A triple of texts, or of ids, which are numbers.
fn triple((columns, line): ([String; 3], usize)) -> Row {
    let by_id = columns.iter().all(|text| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()));
    let roles = [Role::Query, Role::Positive, Role::Negative].into_iter().zip(columns);
    match by_id {
        true => Row { line, named: roles.collect(), ..Row::default() },
        false => Row { line, parts: roles.map(|(role, text)| plain(role, text, None)).collect(), ..Row::default() },
    }
}

/// The rows of qrels or of a run.
fn ranked(mut lines: Lines<'_>, kind: Kind, take: &mut Take<'_>) -> Result<()> {
    let first = lines.peek_content()?.unwrap_or_default();
    let beir = first.split('\t').map(str::trim).eq(BEIR_HEADER);
    let mut buf = String::new();
    if beir {
        lines.next_content(&mut buf)?;
    }
    let path = lines.path().to_path_buf();
    let mut next = || {
        if !lines.next_content(&mut buf)? {
            return Ok(None);
        }
        let line = lines.number();
        let columns: Vec<&str> = if beir { buf.split('\t').collect() } else { buf.split_whitespace().collect() };
        let number = |text: &str| text.trim().parse::<f32>().ok().filter(|number| !number.is_nan());
        let expected = match kind {
            Kind::Run => "6 (qid Q0 docid rank score tag), the score a number",
            _ if beir => "3 (query-id, corpus-id, score), the score a number, apart by tabs",
            _ => "4 (qid 0 docid rel), the last a number",
        };
        let wrong = Error::Columns { path: path.clone(), line, expected: expected.into(), got: columns.len() };
        let (query, doc, value) = match (kind, beir, &columns[..]) {
            (Kind::Run, _, [query, _, doc, _, score, _]) => (query, doc, number(score)),
            (Kind::Qrels, true, [query, doc, grade]) | (Kind::Qrels, false, [query, _, doc, grade]) => {
                (query, doc, number(grade))
            }
            _ => return Err(wrong),
        };
        let (Some(value), query, doc) = (value, query.to_string(), doc.to_string()) else { return Err(wrong) };
        Ok(Some(match kind {
            Kind::Run => Event::Hit(line, query, doc),
            _ => Event::Judgement(line, query, doc, value > 0.0),
        }))
    };
    drain(kind, &mut next, take)
}
