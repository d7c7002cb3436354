//! Translations: pairs of texts, and rows of one text in many languages.
//!
//! | file | read as |
//! |---|---|
//! | table with header `src_lang tgt_lang src tgt` | pairs (the languages may be declared instead) |
//! | table with header `english non_english` | pairs, English first |
//! | table with header `lang idx src eng` | pairs, English second |
//! | table with header `lang idx text` | rows: texts of one `idx` are translations |
//! | JSON lines or array with `src`, `tgt` or `english`, `non_english` | pairs |
//! | JSON lines or array with `text` or `translation`: {"en": …, "de": …} | rows |
//! | TSV without header | `score src tgt` (LASER), `src_lang tgt_lang src tgt`, `id src id tgt` (Tatoeba's export) or `src tgt` |
//! | `prefix`, where `prefix.<lang>` are two files | pairs, line by line (Moses) |
//!
//! Rows become pairs as [`PairOptions::pairing`] says. A pair of which one side is blank is left out.

use crate::Lang;
use crate::dataset::Pair;
use crate::error::{Error, Result, snippet};
use crate::fields::{Record, Records};
use crate::reader::Lines;
use crate::table::{Rows, Table, header_of};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Read;
use std::path::Path;

pub(crate) mod moses;
pub use moses::load_moses;

/// Which pairs a row of many languages gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pairing {
    /// Every other language with this one, which is the target.
    With(Lang),
    /// Every two languages, in the order of their codes.
    Every,
}

/// What a file of translations does not say of itself.
#[derive(Debug, Clone)]
pub struct PairOptions {
    /// The language of the sources of pairs that name none.
    pub src_lang: Option<Lang>,
    /// The language of the targets of pairs that name none.
    pub tgt_lang: Option<Lang>,
    /// Which pairs rows of many languages give; with both languages above declared, those two alone.
    pub pairing: Pairing,
    /// The least LASER score kept.
    pub min_score: f32,
}

impl Default for PairOptions {
    fn default() -> Self {
        Self { src_lang: None, tgt_lang: None, pairing: Pairing::With(english()), min_score: f32::NEG_INFINITY }
    }
}

fn english() -> Lang {
    Lang::from_ascii(b"en")
}

/// One text in many languages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParallelRow {
    /// Its name, where it has one.
    pub id: Option<String>,
    /// The document it stands in, where known: rows of one document are in its order.
    pub doc: Option<String>,
    /// Its place in the document, where known.
    pub pos: Option<u64>,
    /// The text by language; none is blank.
    pub texts: BTreeMap<Lang, String>,
}

const EXPECTED: &str = "translations: a header of src_lang, tgt_lang, src, tgt; or of lang, idx, text; JSON lines with text: {\"en\": …}; TSV `score src tgt` or `src tgt`; or the common name of two Moses files";

/// The pairs of a file, or of two Moses files by their common name.
///
/// # Errors
/// A file that cannot be read, is malformed or of no known format, gives no pair, or rows that lack
/// the language every pair should have.
pub fn load_pairs(path: impl AsRef<Path>, options: &PairOptions) -> Result<Vec<Pair>> {
    let path = path.as_ref();
    match moses::siblings(path) {
        Some([src, tgt]) => load_moses(src, tgt, options),
        None => pairs_from(Lines::open(path)?, options),
    }
}

/// As [`load_pairs`], from any source; `name` stands for the path in errors.
///
/// # Errors
/// As [`load_pairs`].
pub fn read_pairs<'a>(reader: impl Read + Send + 'a, name: &str, options: &PairOptions) -> Result<Vec<Pair>> {
    pairs_from(Lines::from_reader(reader, name)?, options)
}

/// The rows of a file of many languages.
///
/// # Errors
/// A file that cannot be read, is empty, malformed or holds pairs.
pub fn load_parallel(path: impl AsRef<Path>) -> Result<Vec<ParallelRow>> {
    rows_from(Lines::open(path.as_ref())?)
}

/// As [`load_parallel`], from any source; `name` stands for the path in errors.
///
/// # Errors
/// As [`load_parallel`].
pub fn read_parallel<'a>(reader: impl Read + Send + 'a, name: &str) -> Result<Vec<ParallelRow>> {
    rows_from(Lines::from_reader(reader, name)?)
}

fn rows_from(lines: Lines<'_>) -> Result<Vec<ParallelRow>> {
    let path = lines.path().to_path_buf();
    match Source::open(lines)? {
        Source::Parallel(records) => rows(records),
        _ => Err(Error::UnknownFormat {
            path,
            line: 1,
            expected: "rows of many languages: JSON lines with text: {\"en\": …}, or a header of lang, idx, text",
            got: "pairs".into(),
        }),
    }
}

fn pairs_from(lines: Lines<'_>, options: &PairOptions) -> Result<Vec<Pair>> {
    let path = lines.path().to_path_buf();
    let mut pairs: Vec<Pair> = match Source::open(lines)? {
        Source::Parallel(records) => pairs_of_rows(&rows(records)?, &path, options)?,
        Source::Pairs(records) => records.map(|record| pair(&mut record?)).collect::<Result<_>>()?,
        Source::Columns(rows) => columns(rows, options)?,
    };
    pairs.retain_mut(|pair| {
        pair.src_lang = pair.src_lang.or(options.src_lang);
        pair.tgt_lang = pair.tgt_lang.or(options.tgt_lang);
        !pair.src.trim().is_empty() && !pair.tgt.trim().is_empty()
    });
    match pairs.is_empty() {
        true => Err(Error::Empty { path, expected: EXPECTED }),
        false => Ok(pairs),
    }
}

type Boxed<'a> = Box<dyn Iterator<Item = Result<Record>> + 'a>;

enum Source<'a> {
    Parallel(Boxed<'a>),
    Pairs(Boxed<'a>),
    Columns(Rows<'a>),
}

impl<'a> Source<'a> {
    fn open(mut lines: Lines<'a>) -> Result<Self> {
        let path = lines.path().to_path_buf();
        let mut records = match lines.peek_bytes()?.first() {
            Some(b'{' | b'[') => Records::json(lines)?,
            _ => {
                let line = lines.number() + 1;
                let first = lines.peek_content()?.ok_or(Error::Empty { path: path.clone(), expected: EXPECTED })?;
                match header(first) {
                    Some(delimiter) => Records::table(Table::new(lines, delimiter)?),
                    None if first.contains('\t') => return Ok(Self::Columns(Rows::new(lines, '\t'))),
                    None => return Err(Error::UnknownFormat { path, line, expected: EXPECTED, got: snippet(first) }),
                }
            }
        };
        let first = records.next().transpose()?.ok_or(Error::Empty { path, expected: EXPECTED })?;
        let parallel = is_parallel(&first);
        let all = Box::new(std::iter::once(Ok(first)).chain(records));
        Ok(if parallel { Self::Parallel(all) } else { Self::Pairs(all) })
    }
}

pub(crate) fn header(line: &str) -> Option<char> {
    let headers: [&[&[&str]]; 4] = [
        &[&["src"], &["tgt"]],
        &[&["english"], &["non_english"]],
        &[&["lang"], &["src"], &["eng"]],
        &[&["lang"], &["idx"], &["text"]],
    ];
    headers.iter().find_map(|names| header_of(line, names)).map(|(delimiter, _)| delimiter)
}

pub(crate) fn is_parallel(record: &Record) -> bool {
    record.has("translation") || record.has("text")
}

pub(crate) fn pair(record: &mut Record) -> Result<Pair> {
    if record.has("english") {
        let (src, tgt) = (record.text(&["english"])?, record.text(&["non_english"])?);
        return Ok(Pair { src_lang: Some(english()), tgt_lang: record.lang(&["lang"])?, src, tgt });
    }
    if record.has("eng") {
        let (src, tgt) = (record.text(&["src"])?, record.text(&["eng"])?);
        return Ok(Pair { src_lang: record.lang(&["lang"])?, tgt_lang: Some(english()), src, tgt });
    }
    let (src_lang, tgt_lang) = (record.lang(&["src_lang"])?, record.lang(&["tgt_lang"])?);
    Ok(Pair { src_lang, tgt_lang, src: record.text(&["src"])?, tgt: record.text(&["tgt"])? })
}

/// The rows without header: what they are is told from the first.
fn columns(mut rows: Rows<'_>, options: &PairOptions) -> Result<Vec<Pair>> {
    let mut pairs = Vec::new();
    let mut width = None;
    while let Some((row, line)) = rows.next_row()? {
        let expected = *width.get_or_insert(row.len());
        if row.len() != expected || !(2..=4).contains(&expected) {
            let expected = "2 (src, tgt), 3 (score, src, tgt) or 4 (src_lang, tgt_lang, src, tgt; or id, src, id, tgt) in every row";
            return Err(rows.columns(expected, row.len(), line));
        }
        pairs.extend(column_pair(&row, &rows, line, options)?);
    }
    Ok(pairs)
}

pub(crate) fn column_pair(row: &[String], rows: &Rows<'_>, line: usize, options: &PairOptions) -> Result<Option<Pair>> {
    let untold = |src: &str, tgt: &str| Pair { src_lang: None, tgt_lang: None, src: src.into(), tgt: tgt.into() };
    let is_id = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match row {
        [src, tgt] => Ok(Some(untold(src, tgt))),
        [score, src, tgt] => {
            let score: f32 = score.parse().map_err(|_| Error::Number {
                path: rows.path().into(),
                line,
                field: "the score",
                expected: "a number such as 1.04",
                got: snippet(score),
            })?;
            Ok((score >= options.min_score).then(|| untold(src, tgt)))
        }
        [id, src, other, tgt] if is_id(id) && is_id(other) => Ok(Some(untold(src, tgt))),
        [src_lang, tgt_lang, src, tgt] => {
            let lang = |code: &String| {
                code.parse().map_err(|_| Error::LangAt { path: rows.path().into(), line, got: snippet(code) })
            };
            Ok(Some(Pair { src_lang: Some(lang(src_lang)?), tgt_lang: Some(lang(tgt_lang)?), ..untold(src, tgt) }))
        }
        _ => Ok(None),
    }
}

/// Rows in the order in which they first appear.
fn rows(records: Boxed<'_>) -> Result<Vec<ParallelRow>> {
    let mut rows: Vec<ParallelRow> = Vec::new();
    let mut by_idx: HashMap<String, usize> = HashMap::new();
    for record in records {
        let mut record = record?;
        if !record.has("idx") {
            rows.push(json_row(&mut record)?);
            continue;
        }
        let (idx, text) = (record.id(&["idx"])?, record.text(&["text"])?);
        let lang = record.lang(&["lang"])?.ok_or_else(|| record.missing(&["lang"]))?;
        let at = *by_idx.entry(idx.clone()).or_insert(rows.len());
        if at == rows.len() {
            rows.push(ParallelRow { id: Some(idx), ..ParallelRow::default() });
        }
        if !text.trim().is_empty() {
            rows[at].texts.insert(lang, text);
        }
    }
    Ok(rows)
}

pub(crate) fn json_row(record: &mut Record) -> Result<ParallelRow> {
    const EXPECTED: &str = "an object of texts by language; write {\"en\": \"…\", \"de\": \"…\"}";
    let name = if record.has("translation") { "translation" } else { "text" };
    let mut row = ParallelRow {
        id: record.optional_id(&["id", "_id"])?,
        doc: record.optional_id(&["doc"])?,
        pos: record.fields.get("pos").and_then(Value::as_u64),
        texts: BTreeMap::new(),
    };
    let texts = match record.fields.get_mut(name) {
        Some(Value::Object(texts)) => std::mem::take(texts),
        Some(_) => return Err(record.wrong(name, EXPECTED)),
        None => return Err(record.missing(&["text", "translation"])),
    };
    for (code, text) in texts {
        let lang = record.parse_lang(&code)?;
        match text {
            Value::String(text) if !text.trim().is_empty() => drop(row.texts.insert(lang, text)),
            Value::String(_) | Value::Null => {}
            _ => return Err(record.wrong_as(name, EXPECTED, "an object with something other than strings")),
        }
    }
    Ok(row)
}

fn pairs_of_rows(rows: &[ParallelRow], path: &Path, options: &PairOptions) -> Result<Vec<Pair>> {
    if let (Some(src), Some(tgt)) = (options.src_lang, options.tgt_lang) {
        has_lang(rows, src, path)?;
        has_lang(rows, tgt, path)?;
        return Ok(rows.iter().filter_map(|row| pair_of(row, src, tgt)).collect());
    }
    match options.pairing {
        Pairing::With(pivot) => {
            has_lang(rows, pivot, path)?;
            let of_row = |row: &ParallelRow| -> Vec<Pair> {
                row.texts.keys().filter(|lang| **lang != pivot).filter_map(|lang| pair_of(row, *lang, pivot)).collect()
            };
            Ok(rows.iter().flat_map(of_row).collect())
        }
        Pairing::Every => {
            let of_row = |row: &ParallelRow| -> Vec<Pair> {
                let langs: Vec<Lang> = row.texts.keys().copied().collect();
                let two =
                    |(i, src): (usize, &Lang)| langs[i + 1..].iter().map(move |tgt| (*src, *tgt)).collect::<Vec<_>>();
                langs.iter().enumerate().flat_map(two).filter_map(|(src, tgt)| pair_of(row, src, tgt)).collect()
            };
            Ok(rows.iter().flat_map(of_row).collect())
        }
    }
}

fn pair_of(row: &ParallelRow, src: Lang, tgt: Lang) -> Option<Pair> {
    let (text, translation) = (row.texts.get(&src)?, row.texts.get(&tgt)?);
    Some(Pair { src_lang: Some(src), tgt_lang: Some(tgt), src: text.clone(), tgt: translation.clone() })
}

fn has_lang(rows: &[ParallelRow], lang: Lang, path: &Path) -> Result<()> {
    if rows.iter().any(|row| row.texts.contains_key(&lang)) {
        return Ok(());
    }
    let langs: BTreeSet<Lang> = rows.iter().flat_map(|row| row.texts.keys().copied()).collect();
    let mut found: Vec<String> = langs.iter().take(12).map(Lang::to_string).collect();
    if langs.len() > found.len() {
        found.push("…".into());
    }
    Err(Error::NoPivot { path: path.into(), pivot: lang.to_string(), found: found.join(", ") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_with(text: &str, options: &PairOptions) -> Vec<(String, String, String, String)> {
        let pairs = read_pairs(text.as_bytes(), "x", options).unwrap();
        let lang = |lang: Option<Lang>| lang.map_or(String::new(), |l| l.to_string());
        pairs.into_iter().map(|p| (lang(p.src_lang), lang(p.tgt_lang), p.src, p.tgt)).collect()
    }

    fn pair(src_lang: &str, tgt_lang: &str) -> Vec<(String, String, String, String)> {
        vec![(src_lang.into(), tgt_lang.into(), "s".into(), "t".into())]
    }

    #[test]
    fn every_pair_format_is_told_from_its_first_line() {
        let cases = [
            ("src_lang\ttgt_lang\tsrc\ttgt\nsw\ten\ts\tt\n", pair("sw", "en")),
            ("src,tgt\ns,t\n", pair("", "")),
            ("english\tnon_english\ns\tt\n", pair("en", "")),
            ("lang\tidx\tsrc\teng\nfi\t0\ts\tt\n", pair("fi", "en")),
            ("lang\tidx\ttext\nfi\t0\ts\nen\t0\tt\nfi\t1\tu\n", pair("fi", "en")),
            ("1.2\ts\tt\n", pair("", "")),
            ("fin\teng\ts\tt\n", pair("fin", "eng")),
            ("12\ts\t13\tt\n", pair("", "")),
            ("s\tt\n \tt\n", pair("", "")),
            (r#"{"src":"s","tgt":"t","src_lang":"fi"}"#, pair("fi", "")),
            (r#"{"english":"s","non_english":"t","lang":"fi"}"#, pair("en", "fi")),
            (r#"{"id":"1","doc":"d","pos":3,"text":{"fi":"s","en":"t","sw":""}}"#, pair("fi", "en")),
            (r#"[{"translation":{"fi":"s","en":"t"}}]"#, pair("fi", "en")),
        ];
        for (text, want) in cases {
            assert_eq!(read_with(text, &PairOptions::default()), want, "{text}");
        }
    }

    #[test]
    fn rows_pair_as_asked() {
        let text = r#"{"text":{"fi":"a","en":"b","sw":"c"}}"#;
        let with = |pairing| read_with(text, &PairOptions { pairing, ..Default::default() });
        let langs = |pairs: Vec<(String, String, String, String)>| {
            pairs.into_iter().map(|p| p.0 + ">" + &p.1).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(langs(with(Pairing::With("sw".parse().unwrap()))), "en>sw fi>sw");
        assert_eq!(langs(with(Pairing::Every)), "en>fi en>sw fi>sw");
        let both = PairOptions { src_lang: "sw".parse().ok(), tgt_lang: "fi".parse().ok(), ..Default::default() };
        assert_eq!(langs(read_with(text, &both)), "sw>fi");
        let error =
            read_pairs(&br#"{"text":{"fi":"a","sw":"c"}}"#[..], "x", &PairOptions::default()).unwrap_err().to_string();
        assert!(error.contains("no row has text in en") && error.contains("fi, sw"), "{error}");
    }

    #[test]
    fn low_scores_are_left_out() {
        let options = PairOptions { min_score: 1.05, ..Default::default() };
        assert_eq!(read_with("1.04\ta\tb\n1.05\ts\tt\n", &options), pair("", ""));
    }

    #[test]
    fn rows_keep_their_documents() {
        let rows = read_parallel(&br#"{"id":"1","doc":"d","pos":3,"text":{"fi":"s","zh_hant":"t"}}"#[..], "x").unwrap();
        assert_eq!((rows[0].doc.as_deref(), rows[0].pos), (Some("d"), Some(3)));
        assert_eq!(rows[0].texts[&"zh-Hant".parse().unwrap()], "t");
    }
}
