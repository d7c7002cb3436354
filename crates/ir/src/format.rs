//! Labelled examples in every format of the field: one file per format, told apart by their fields.

use crate::error::{Error, Result, snippet};
use crate::fields::{Record, Records};
use crate::reader::Lines;
use crate::table::{Table, header_of};
use crate::{Example, Lang};
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;

mod beir;
pub mod clear;
pub mod documents;
mod dpr;
mod flag_embedding;
mod ms_marco;
pub mod parallel;
mod sentence_transformers;
pub(crate) mod squad;
mod tevatron;
mod texts;
pub mod unlabelled;

/// A format of labelled examples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// A folder of `corpus`, `queries` and `qrels`: one example per query with a relevant document;
    /// documents judged not relevant are its negatives.
    Beir,
    /// `question, answers, positive_ctxs, negative_ctxs, hard_negative_ctxs`; questions without positives are passed over.
    Dpr,
    /// `query_id, query, positive_passages, negative_passages`, or `query_text, positive_document_ids,
    /// negative_document_ids` with a corpus.
    Tevatron,
    /// `query, pos, neg`.
    FlagEmbedding,
    /// Columns `anchor` (or `query`), `positive`, `negative` or `negative_1`, `negative_2`, …
    SentenceTransformers,
    /// `anchor, positive, negative_1 …, cross_anchor, neg_query_1 …` and its aliases; see [`clear`].
    Clear,
    /// `data[].paragraphs[].{context, qas[]}`: one example per answerable question, its positive the context.
    Squad,
    /// Rows `query positive negative` of texts, or of ids with a corpus and queries.
    MsMarcoTriples,
}

const NAMES: [(Format, &str); 8] = [
    (Format::Beir, "beir"),
    (Format::Dpr, "dpr"),
    (Format::Tevatron, "tevatron"),
    (Format::FlagEmbedding, "flag-embedding"),
    (Format::SentenceTransformers, "sentence-transformers"),
    (Format::Clear, "clear"),
    (Format::Squad, "squad"),
    (Format::MsMarcoTriples, "ms-marco-triples"),
];

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(format, _)| format == self);
        f.pad(name.map_or("", |(_, name)| name))
    }
}

impl FromStr for Format {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let known = "beir, dpr, tevatron, flag-embedding, sentence-transformers, clear, squad, ms-marco-triples";
        let found = NAMES.iter().find(|(_, name)| *name == text);
        found.map(|(format, _)| *format).ok_or_else(|| Error::FormatName { got: snippet(text), known })
    }
}

/// What a file of examples does not say of itself.
#[derive(Debug, Clone, Default)]
pub struct ExampleOptions {
    /// The format; told from the file where `None`.
    pub format: Option<Format>,
    /// The split of a BEIR folder: `qrels/<split>.tsv`. Without it `qrels.tsv`, else `qrels/train.tsv`.
    pub split: Option<String>,
    /// The texts of document ids, for formats that list ids alone.
    pub corpus: Option<PathBuf>,
    /// The texts of query ids, for formats that list ids alone.
    pub queries: Option<PathBuf>,
    /// The language of queries that name none.
    pub lang: Option<Lang>,
    /// The language of texts that name none.
    pub doc_lang: Option<Lang>,
    /// Whether a query without a language is an error.
    pub lang_needed: bool,
}

impl ExampleOptions {
    /// Refuses a query in `lang` at `line` of `path` if its language is needed and nobody names it.
    fn check_lang(&self, lang: Option<Lang>, path: &Path, line: usize) -> Result<()> {
        match self.lang_needed && lang.or(self.lang).is_none() {
            true => Err(Error::NoLang { path: path.into(), line }),
            false => Ok(()),
        }
    }
}

const EXPECTED: &str = "examples: a BEIR folder, or a file in DPR, Tevatron, FlagEmbedding, sentence-transformers, CLEAR, SQuAD or MS MARCO triples format";

/// The examples of a file or of a folder in the BEIR layout.
///
/// # Errors
/// A file that cannot be read, is empty, malformed or of no known format, an example without query
/// or positive, or an id without text.
pub fn load_examples(path: impl AsRef<Path>, options: &ExampleOptions) -> Result<Vec<Example>> {
    let path = path.as_ref();
    match path.is_dir() {
        true => finish(beir::load(path, options)?, path, options),
        false => from_lines(Lines::open(path)?, options),
    }
}

/// As [`load_examples`], from any source; `name` stands for the path in errors.
///
/// # Errors
/// As [`load_examples`].
pub fn read_examples<'a>(reader: impl Read + Send + 'a, name: &str, options: &ExampleOptions) -> Result<Vec<Example>> {
    from_lines(Lines::from_reader(reader, name)?, options)
}

fn from_lines(mut lines: Lines<'_>, options: &ExampleOptions) -> Result<Vec<Example>> {
    let path = lines.path().to_path_buf();
    let examples = match options.format {
        Some(Format::Beir) => return Err(not_a_folder(&path)),
        Some(Format::Squad) => squad::load(lines, options)?,
        Some(Format::MsMarcoTriples) => ms_marco::load(lines, options)?,
        Some(format) => of_records(records(lines)?, Some(format), options)?,
        None if is_squad(lines.peek_bytes()?) => squad::load(lines, options)?,
        None => match is_triples(&mut lines)? {
            true => ms_marco::load(lines, options)?,
            false => of_records(records(lines)?, None, options)?,
        },
    };
    finish(examples, &path, options)
}

fn not_a_folder(path: &Path) -> Error {
    let expected = "a folder with corpus.jsonl, queries.jsonl and qrels/";
    Error::UnknownFormat { path: path.into(), line: 1, expected, got: "no folder".into() }
}

/// Fills in the declared languages and refuses to give nothing.
fn finish(mut examples: Vec<Example>, path: &Path, options: &ExampleOptions) -> Result<Vec<Example>> {
    if examples.is_empty() {
        return Err(Error::Empty { path: path.into(), expected: EXPECTED });
    }
    for example in &mut examples {
        example.lang = example.lang.or(options.lang);
        example.doc_lang = example.doc_lang.or(options.doc_lang);
    }
    Ok(examples)
}

/// Whether the file is one JSON object around its data, not lines of objects.
pub(crate) fn is_squad(head: &[u8]) -> bool {
    let Some(rest) = head.strip_prefix(b"{") else { return false };
    let key = rest.trim_ascii_start();
    [&b"\"data\""[..], b"\"version\""].iter().any(|name| key.starts_with(name))
}

fn is_triples(lines: &mut Lines<'_>) -> Result<bool> {
    if matches!(lines.peek_bytes()?.first(), Some(b'{' | b'[')) {
        return Ok(false);
    }
    let first = lines.peek_content()?;
    Ok(first.is_some_and(|first| header(first).is_none() && first.split('\t').count() == 3))
}

pub(crate) fn header(line: &str) -> Option<char> {
    let names: &[&[&str]] = &[&["anchor", "query", "en_question"], &["positive", "paragraphs"]];
    header_of(line, names).map(|(delimiter, _)| delimiter)
}

/// The records of JSON lines, of a JSON array or of a table under a header.
fn records(mut lines: Lines<'_>) -> Result<Records<'_>> {
    if !lines.has_peeked() && matches!(lines.peek_bytes()?.first(), Some(b'{' | b'[')) {
        return Records::json(lines);
    }
    let (path, line) = (lines.path().to_path_buf(), lines.number() + 1);
    let Some(first) = lines.peek_content()? else { return Err(Error::Empty { path, expected: EXPECTED }) };
    match header(first) {
        Some(delimiter) => Ok(Records::table(Table::new(lines, delimiter)?)),
        None => Err(Error::UnknownFormat { path, line, expected: EXPECTED, got: snippet(first) }),
    }
}

fn of_records(mut records: Records<'_>, format: Option<Format>, options: &ExampleOptions) -> Result<Vec<Example>> {
    let Some(first) = records.next().transpose()? else { return Ok(Vec::new()) };
    let format = format.or_else(|| detect(&first)).ok_or_else(|| unknown(&first))?;
    let path = first.path.clone();
    let mut examples = Vec::new();
    for record in std::iter::once(Ok(first)).chain(records) {
        let mut record = record?;
        let Some(example) = example(&mut record, format, options)? else { continue };
        options.check_lang(example.lang, &path, record.line)?;
        examples.push(example);
    }
    if let Some(corpus) = options.corpus.as_deref().filter(|_| examples.iter().any(|e| e.positives.is_empty())) {
        texts::fill(&mut examples, corpus, &path)?;
    }
    Ok(examples)
}

pub(crate) fn example(record: &mut Record, format: Format, options: &ExampleOptions) -> Result<Option<Example>> {
    let example = match format {
        Format::Dpr => return dpr::example(record),
        Format::Tevatron => tevatron::example(record, options)?,
        Format::FlagEmbedding => flag_embedding::example(record)?,
        Format::Clear => clear::example(record)?.into(),
        Format::SentenceTransformers => sentence_transformers::example(record)?,
        Format::Beir | Format::Squad | Format::MsMarcoTriples => return Err(unknown(record)),
    };
    Ok(Some(example))
}

pub(crate) fn detect(record: &Record) -> Option<Format> {
    let has = |names: &[&str]| names.iter().any(|name| record.has(name));
    match () {
        () if has(&["positive_ctxs"]) => Some(Format::Dpr),
        () if has(&["positive_passages", "positive_document_ids"]) => Some(Format::Tevatron),
        () if has(&["pos"]) => Some(Format::FlagEmbedding),
        () if has(&["cross_anchor", "lang_question", "en_question", "neg_query_1"]) => Some(Format::Clear),
        () if has(&["anchor", "query"]) && has(&["positive"]) => Some(Format::SentenceTransformers),
        () => None,
    }
}

fn unknown(record: &Record) -> Error {
    let names: Vec<&str> = record.fields.keys().map(String::as_str).take(6).collect();
    let got = format!("a record of {}", snippet(&names.join(", ")));
    Error::UnknownFormat { path: record.path.to_path_buf(), line: record.line, expected: EXPECTED, got }
}

/// The languages a record names for its query and its texts.
fn langs(record: &mut Record) -> Result<(Option<Lang>, Option<Lang>)> {
    Ok((record.lang(&["lang", "query_lang"])?, record.lang(&["doc_lang"])?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<Example> {
        read_examples(text.as_bytes(), "x", &ExampleOptions::default()).unwrap()
    }

    fn want(negatives: &[&str]) -> Example {
        let negatives = negatives.iter().map(|n| (*n).to_owned()).collect();
        Example { query: "q".into(), positives: vec!["p".into()], negatives, ..Example::default() }
    }

    #[test]
    fn every_format_is_known_by_its_fields() {
        let same = [
            r#"{"query":"q","pos":["p"],"neg":["n","m"],"pos_scores":[1.0]}"#,
            r#"{"anchor":"q","positive":"p","negative_1":"n","negative_2":"m"}"#,
            "anchor\tpositive\tnegative_1\tnegative_2\nq\tp\tn\tm\n",
            "anchor,positive,negative_1,negative_2\n\"q\",p,n,m\n",
            r#"{"query":"q","positive_passages":[{"text":"p"}],"negative_passages":[{"text":"n"},{"text":"m"}]}"#,
            r#"[{"question":"q","answers":[],"positive_ctxs":[{"title":"","text":"p"}],"hard_negative_ctxs":[{"text":"n"}],"negative_ctxs":[{"text":"m"}]}]"#,
            r#"{"en_question":"q","paragraphs":"p","neg_1":"n","neg_2":"m","lang_question":"k"}"#,
        ];
        for text in same {
            let mut got = read(text);
            got[0].ids = Default::default();
            assert_eq!(got, [want(&["n", "m"])], "{text}");
        }
        assert_eq!(read("q\tp\tn\n"), [want(&["n"])]);
        assert_eq!(read(r#"{"anchor":"q","positive":"p","negative":"n"}"#), [want(&["n"])]);
    }

    #[test]
    fn a_query_without_the_language_that_is_needed_is_told_with_its_line() {
        let told = |text: &str, lang: Option<&str>| {
            let lang = lang.map(|lang| lang.parse().unwrap());
            let options = ExampleOptions { lang_needed: true, lang, ..Default::default() };
            read_examples(text.as_bytes(), "x", &options).map_err(|error| error.to_string())
        };
        let named = "{\"query\":\"q\",\"pos\":[\"p\"],\"lang\":\"fi\"}\n";
        for (text, line) in [
            (format!("{named}\n{{\"query\":\"q\",\"pos\":[\"p\"]}}\n"), "x:3: "),
            ("anchor\tpositive\nq\tp\n".into(), "x:2: "),
            ("q\tp\tn\n".into(), "x:1: "),
            (r#"{"data":[{"paragraphs":[{"context":"c","qas":[{"question":"q","answers":[]}]}]}]}"#.into(), "x:1: "),
        ] {
            let error = told(&text, None).unwrap_err();
            assert!(error.starts_with(line) && error.contains("`lang`"), "{error}");
            assert!(told(&text, Some("sw")).is_ok());
        }
        assert!(told(named, None).is_ok());
    }

    #[test]
    fn names_parse_and_print() {
        for (format, name) in NAMES {
            assert_eq!((name.parse::<Format>().unwrap(), format.to_string()), (format, name.to_owned()));
        }
        assert!("x".parse::<Format>().unwrap_err().to_string().contains("flag-embedding"));
    }

    #[test]
    fn declared_languages_fill_in() {
        let options = ExampleOptions { lang: "sw".parse().ok(), doc_lang: "en".parse().ok(), ..Default::default() };
        let text = "{\"query\":\"q\",\"pos\":[\"p\"]}\n{\"query\":\"q\",\"pos\":[\"p\"],\"lang\":\"fi\"}";
        let got = read_examples(text.as_bytes(), "x", &options).unwrap();
        let langs: Vec<_> = got.iter().map(|e| format!("{} {}", e.lang.unwrap(), e.doc_lang.unwrap())).collect();
        assert_eq!(langs, ["sw en", "fi en"]);
    }
}
