//! Corpora and query files of every format of the field, as streams of records.
//!
//! | file | read as |
//! |---|---|
//! | folder | its `corpus.*` or `queries.*` (`.jsonl`, `.tsv`, `.csv`, `.txt`; plain, `.gz`, `.zst`) |
//! | JSON lines or array, documents | `_id`, `id`, `docid` or `doc_id`; `title`; `text`, `document_text` or `contents` (title and text apart by a blank line); `lang` |
//! | JSON lines or array, queries | `_id`, `id`, `qid`, `query_id` or `docid`; `text`, `question`, `query` or `query_text`; `lang` |
//! | TSV, CSV with a header | columns of the same names |
//! | TSV without header | `id text` or (documents) `id title text` |
//! | `.txt` without a tab in its first line | one text per line; the id is the index of the line from 0, blank lines counted and passed over |

use crate::error::{Error, Result, snippet};
use crate::fields::{Record, Records};
use crate::folder;
use crate::reader::{Lines, bare_name};
use crate::table::{Rows, Table, header_of};
use crate::unique::Unique;
use crate::{Doc, Lang, Query};
use std::io::Read;
use std::path::{Path, PathBuf};

/// What a file does not say of itself.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// The language of records that name none.
    pub lang: Option<Lang>,
}

/// The documents of a file or of a folder in the BEIR layout.
///
/// # Errors
/// When it cannot be opened, is empty or of no known format. The iterator gives an error for a
/// malformed record or an id seen before, and ends there.
pub fn read_docs(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Docs<'static>> {
    let path = folder::resolve(path.as_ref(), "corpus")?;
    Entries::new(Lines::open(&path)?, DOCS, options).map(Docs)
}

/// The queries of a file or of a folder in the BEIR layout.
///
/// # Errors
/// As [`read_docs`].
pub fn read_queries(path: impl AsRef<Path>, options: &ReadOptions) -> Result<Queries<'static>> {
    let path = folder::resolve(path.as_ref(), "queries")?;
    Entries::new(Lines::open(&path)?, QUERIES, options).map(Queries)
}

/// Queries with the strings that answer them.
pub(crate) fn read_questions(path: &Path, options: &ReadOptions) -> Result<Entries<'static>> {
    let kind = Kind { answered: true, ..QUERIES };
    Entries::new(Lines::open(&folder::resolve(path, "queries")?)?, kind, options)
}

/// Documents, one after the other.
pub struct Docs<'a>(Entries<'a>);

/// Queries, one after the other.
pub struct Queries<'a>(Entries<'a>);

impl<'a> Docs<'a> {
    /// As [`read_docs`], from any source; `name` stands for the path in errors and in telling the format.
    ///
    /// # Errors
    /// As [`read_docs`].
    pub fn read_from(reader: impl Read + Send + 'a, name: &str, options: &ReadOptions) -> Result<Self> {
        Entries::new(Lines::from_reader(reader, name)?, DOCS, options).map(Self)
    }
}

impl<'a> Queries<'a> {
    /// As [`read_queries`], from any source; `name` stands for the path in errors and in telling the format.
    ///
    /// # Errors
    /// As [`read_docs`].
    pub fn read_from(reader: impl Read + Send + 'a, name: &str, options: &ReadOptions) -> Result<Self> {
        Entries::new(Lines::from_reader(reader, name)?, QUERIES, options).map(Self)
    }
}

impl Iterator for Docs<'_> {
    type Item = Result<Doc>;

    fn next(&mut self) -> Option<Result<Doc>> {
        let entry = self.0.next()?;
        Some(entry.map(|e| Doc { id: e.id, title: e.title, text: e.text, lang: e.lang }))
    }
}

impl Iterator for Queries<'_> {
    type Item = Result<Query>;

    fn next(&mut self) -> Option<Result<Query>> {
        let entry = self.0.next()?;
        Some(entry.map(|e| Query { id: e.id, text: e.text, lang: e.lang }))
    }
}

/// What tells documents from queries in a file.
#[derive(Clone, Copy)]
pub(crate) struct Kind {
    what: &'static str,
    ids: &'static [&'static str],
    texts: &'static [&'static str],
    /// Whether records have titles and `contents`.
    titled: bool,
    /// Whether `answers` are read.
    answered: bool,
    expected: &'static str,
}

pub(crate) const DOCS: Kind = Kind {
    what: "document",
    ids: &["_id", "id", "docid", "doc_id"],
    texts: &["text", "document_text"],
    titled: true,
    answered: false,
    expected: "documents: JSON lines {\"_id\", \"title\", \"text\"}, TSV `id text` or `docid title text`, or a .txt file of one text per line",
};

pub(crate) const QUERIES: Kind = Kind {
    what: "query",
    ids: &["_id", "id", "qid", "query_id", "docid"],
    texts: &["text", "question", "query", "query_text"],
    titled: false,
    answered: false,
    expected: "queries: JSON lines {\"_id\", \"text\"}, TSV `id text`, or a .txt file of one text per line",
};

/// A record of either kind.
pub(crate) struct Entry {
    pub id: String,
    pub title: String,
    pub text: String,
    pub lang: Option<Lang>,
    pub answers: Vec<String>,
    /// Where it stands, from 1.
    pub line: usize,
}

/// Records of either kind, one after the other.
pub(crate) struct Entries<'a> {
    source: Source<'a>,
    kind: Kind,
    lang: Option<Lang>,
    seen: Unique,
    path: PathBuf,
    row: usize,
    failed: bool,
}

enum Source<'a> {
    Records(Records<'a>),
    Columns(Rows<'a>),
    Texts(Lines<'a>),
}

impl<'a> Entries<'a> {
    fn new(lines: Lines<'a>, kind: Kind, options: &ReadOptions) -> Result<Self> {
        let path = lines.path().to_path_buf();
        let source = Source::detect(lines, kind)?;
        Ok(Self { source, kind, lang: options.lang, seen: Unique::default(), path, row: 0, failed: false })
    }

    fn next_entry(&mut self) -> Result<Option<Entry>> {
        let found = match &mut self.source {
            Source::Records(records) => match records.next().transpose()? {
                Some(mut record) => Some(entry_of(&mut record, self.kind, self.row)?),
                None => None,
            },
            Source::Columns(rows) => columns_entry(rows, self.kind)?,
            Source::Texts(lines) => text_entry(lines)?,
        };
        self.row += 1;
        let Some(mut entry) = found else {
            return Ok(None);
        };
        entry.lang = entry.lang.or(self.lang);
        self.seen.insert(&entry.id, self.kind.what, &self.path, entry.line)?;
        Ok(Some(entry))
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Result<Entry>> {
        if self.failed {
            return None;
        }
        let next = self.next_entry().transpose();
        self.failed = matches!(next, Some(Err(_)));
        next
    }
}

impl<'a> Source<'a> {
    fn detect(mut lines: Lines<'a>, kind: Kind) -> Result<Self> {
        let path = lines.path().to_path_buf();
        let text_file = bare_name(&path).ends_with(".txt");
        if !text_file && matches!(lines.peek_bytes()?.first(), Some(b'{' | b'[')) {
            return Records::json(lines).map(Self::Records);
        }
        let Some(first) = lines.peek_content()?.map(str::to_owned) else {
            return Err(Error::Empty { path, expected: kind.expected });
        };
        if let Some((delimiter, _)) = header_of(&first, kind.header()) {
            return Ok(Self::Records(Records::table(Table::new(lines, delimiter)?)));
        }
        match first.contains('\t') {
            true => Ok(Self::Columns(Rows::new(lines, '\t'))),
            false if text_file => Ok(Self::Texts(lines)),
            false => {
                let line = lines.number() + 1;
                Err(Error::UnknownFormat { path, line, expected: kind.expected, got: snippet(&first) })
            }
        }
    }
}

impl Kind {
    /// The names a header needs: documents an id and a text, queries a text (their ids may be their places).
    pub fn header(&self) -> &'static [&'static [&'static str]] {
        match self.titled {
            true => const { &[DOCS.ids, &["text", "document_text", "contents"]] },
            false => const { &[QUERIES.texts, &["_id", "id", "qid", "query_id", "docid", "lang"]] },
        }
    }
}

pub(crate) fn entry_of(record: &mut Record, kind: Kind, row: usize) -> Result<Entry> {
    let id = match record.optional_id(kind.ids)? {
        Some(id) => id,
        None if !kind.titled && !kind.ids.iter().any(|id| record.has(id)) && record.has("lang") => row.to_string(),
        None => return Err(record.missing(kind.ids)),
    };
    let lang = record.lang(&["lang"])?;
    let answers = if kind.answered { record.texts("answers")? } else { Vec::new() };
    let title = if kind.titled { record.optional_text(&["title"])? } else { None };
    if kind.titled && !kind.texts.iter().any(|text| record.has(text)) {
        let contents = record.text(&["text", "contents"])?;
        let (title, text) = split_contents(title, contents);
        return Ok(Entry { id, title, text, lang, answers, line: record.line });
    }
    let (title, text) = (title.unwrap_or_default(), record.text(kind.texts)?);
    Ok(Entry { id, title, text, lang, answers, line: record.line })
}

/// A title and a text in one field, apart by the first blank line.
fn split_contents(title: Option<String>, contents: String) -> (String, String) {
    match (title, contents.split_once("\n\n")) {
        (None, Some((title, text))) => (title.to_owned(), text.to_owned()),
        (title, _) => (title.unwrap_or_default(), contents),
    }
}

pub(crate) fn columns_entry(rows: &mut Rows<'_>, kind: Kind) -> Result<Option<Entry>> {
    let Some((row, line)) = rows.next_row()? else {
        return Ok(None);
    };
    let got = row.len();
    let mut row = row.into_iter();
    let (id, title, text) = match (row.next(), row.next(), row.next(), row.next()) {
        (Some(id), Some(text), None, None) => (id, String::new(), text),
        (Some(id), Some(title), Some(text), None) if kind.titled => (id, title, text),
        _ if kind.titled => {
            return Err(rows.columns("2 (id, text) or 3 (id, title, text), apart by tabs", got, line));
        }
        _ => return Err(rows.columns("2 (id, text), apart by a tab", got, line)),
    };
    Ok(Some(Entry { id, title, text, lang: None, answers: Vec::new(), line }))
}

fn text_entry(lines: &mut Lines<'_>) -> Result<Option<Entry>> {
    let mut text = String::new();
    if !lines.next_content(&mut text)? {
        return Ok(None);
    }
    let line = lines.number();
    let (id, title, answers) = ((line - 1).to_string(), String::new(), Vec::new());
    Ok(Some(Entry { id, title, text, lang: None, answers, line }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn docs(text: &str, name: &str) -> Vec<(String, String, String)> {
        let docs = Docs::read_from(text.as_bytes(), name, &ReadOptions::default()).unwrap();
        docs.map(|d| d.map(|d| (d.id, d.title, d.text)).unwrap()).collect()
    }

    fn queries(text: &str, name: &str) -> Vec<(String, String, Option<Lang>)> {
        let queries = Queries::read_from(text.as_bytes(), name, &ReadOptions::default()).unwrap();
        queries.map(|q| q.map(|q| (q.id, q.text, q.lang)).unwrap()).collect()
    }

    fn doc(id: &str, title: &str, text: &str) -> (String, String, String) {
        (id.into(), title.into(), text.into())
    }

    #[test]
    fn every_document_format_gives_the_same_records() {
        let want = [doc("1", "T", "x, y"), doc("2", "", "z")];
        let same = [
            (
                "{\"_id\":\"1\",\"title\":\"T\",\"text\":\"x, y\"}\n{\"_id\":\"2\",\"title\":\"\",\"text\":\"z\"}\n",
                "c.jsonl",
            ),
            (
                "{\"docid\":\"1\",\"title\":\"T\",\"text\":\"x, y\"}\n\n{\"id\":2,\"title\":null,\"text\":\"z\"}",
                "c.jsonl",
            ),
            ("{\"id\":\"1\",\"contents\":\"T\\n\\nx, y\"}\n{\"id\":\"2\",\"contents\":\"z\"}\n", "docs.jsonl"),
            ("[{\"id\":\"1\",\"title\":\"T\",\"text\":\"x, y\"},{\"id\":\"2\",\"text\":\"z\"}]", "c.json"),
            ("docid,title,text\n1,T,\"x, y\"\n2,,z\n", "c.csv"),
            ("docid\ttitle\ttext\n1\tT\tx, y\n2\t\tz\n", "c.tsv"),
            ("1\tT\tx, y\n2\tz\n", "c.tsv"),
        ];
        for (text, name) in same {
            assert_eq!(docs(text, name), want, "{text}");
        }
    }

    #[test]
    fn mr_tydi_contents_split_at_the_first_blank_line_only() {
        let got = docs("{\"id\":\"X#Y\",\"contents\":\"title\\n\\none\\n\\ntwo\"}", "docs.jsonl");
        assert_eq!(got, [doc("X#Y", "title", "one\n\ntwo")]);
    }

    #[test]
    fn a_text_file_is_numbered_from_zero() {
        assert_eq!(docs("a\n\nb, c\n", "x.txt"), [doc("0", "", "a"), doc("2", "", "b, c")]);
        assert_eq!(docs("{a\n", "x.txt"), [doc("0", "", "{a")]);
    }

    #[test]
    fn queries_of_every_name() {
        let want = [("q1".to_owned(), "why?".to_owned(), None)];
        assert_eq!(queries("q1\twhy?\n", "topics.txt"), want);
        assert_eq!(queries("{\"id\":\"q1\",\"question\":\"why?\"}", "q"), want);
        assert_eq!(queries("{\"query_id\":\"q1\",\"query\":\"why?\",\"lang\":\"\"}", "q"), want);
        assert_eq!(queries("qid,question\nq1,why?", "q.csv"), want);
        let sw = Some("sw".parse().unwrap());
        assert_eq!(queries("lang\tquery\nSW\tkwa nini?\n", "q.tsv"), [("0".into(), "kwa nini?".into(), sw)]);
    }

    #[test]
    fn a_declared_language_fills_in_but_does_not_overrule() {
        let options = ReadOptions { lang: Some("fi".parse().unwrap()) };
        let text = "{\"_id\":\"a\",\"text\":\"\"}\n{\"_id\":\"b\",\"text\":\"\",\"lang\":\"ko\"}";
        let langs: Vec<_> = Queries::read_from(text.as_bytes(), "q", &options)
            .unwrap()
            .map(|q| q.unwrap().lang.unwrap().to_string())
            .collect();
        assert_eq!(langs, ["fi", "ko"]);
    }

    #[test]
    fn a_folder_stands_for_its_files() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = zstd::encode_all(&b"{\"_id\":\"d\",\"text\":\"x\"}"[..], 1).unwrap();
        std::fs::write(folder.path().join("corpus.jsonl.zst"), bytes).unwrap();
        assert_eq!(read_docs(folder.path(), &ReadOptions::default()).unwrap().count(), 1);
        let error = read_queries(folder.path(), &ReadOptions::default()).err().unwrap().to_string();
        assert!(error.contains("queries.jsonl"), "{error}");
    }
}
