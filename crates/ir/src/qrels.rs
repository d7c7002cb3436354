//! Judgements: which documents answer which query, and how well.

use crate::error::{Error, Result, snippet};
use crate::folder;
use crate::reader::Lines;
use crate::{DocId, QueryId};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{self, Read, Write};
use std::path::Path;

/// Grades by query and document: 1 and more is relevant, 0 and less judged and not relevant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Qrels(BTreeMap<QueryId, BTreeMap<DocId, i32>>);

const HEADER: [&str; 3] = ["query-id", "corpus-id", "score"];
const EXPECTED: &str = "TREC qrels `qid 0 docid rel`, or TSV under the header `query-id corpus-id score`";

impl Qrels {
    /// Reads TREC qrels, BEIR's TSV, or the judgements of a folder (`qrels.tsv`, `qrels/test.tsv`, …).
    ///
    /// # Errors
    /// A file that cannot be read, is empty, malformed, or judges a document twice and differently.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        Self::from_lines(Lines::open(&folder::resolve_qrels(path.as_ref(), None)?)?)
    }

    /// Reads `qrels/<split>.tsv` of a folder in the BEIR layout.
    ///
    /// # Errors
    /// As [`Qrels::read`].
    pub fn read_split(folder: impl AsRef<Path>, split: &str) -> Result<Self> {
        Self::from_lines(Lines::open(&folder::resolve_qrels(folder.as_ref(), Some(split))?)?)
    }

    /// Reads from any source; `name` stands for the path in errors.
    ///
    /// # Errors
    /// As [`Qrels::read`].
    pub fn read_from<'a>(reader: impl Read + Send + 'a, name: &str) -> Result<Self> {
        Self::from_lines(Lines::from_reader(reader, name)?)
    }

    /// The grades of a query's judged documents.
    pub fn get(&self, query: &str) -> Option<&BTreeMap<DocId, i32>> {
        self.0.get(query)
    }

    /// Queries and their judgements in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (&QueryId, &BTreeMap<DocId, i32>)> {
        self.0.iter()
    }

    /// How many queries have judgements.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is judged.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sets a grade and gives back the one it replaces.
    pub fn insert(&mut self, query: impl Into<QueryId>, doc: impl Into<DocId>, grade: i32) -> Option<i32> {
        self.0.entry(query.into()).or_default().insert(doc.into(), grade)
    }

    /// Writes TSV under BEIR's header.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write_tsv(&self, writer: &mut impl Write) -> io::Result<()> {
        writeln!(writer, "{}", HEADER.join("\t"))?;
        for (query, judged) in &self.0 {
            for (doc, grade) in judged {
                writeln!(writer, "{query}\t{doc}\t{grade}")?;
            }
        }
        Ok(())
    }

    fn from_lines(mut lines: Lines<'_>) -> Result<Self> {
        let path = lines.path().to_path_buf();
        let Some(first) = lines.peek_content()? else {
            return Err(Error::Empty { path, expected: EXPECTED });
        };
        let beir = is_header(first);
        if !beir && first.split_whitespace().count() != 4 {
            let got = snippet(first);
            return Err(Error::Header { path, line: lines.number() + 1, expected: EXPECTED, got });
        }
        let mut buf = String::new();
        if beir {
            lines.next_content(&mut buf)?;
        }
        let mut judgements = Judgements::default();
        while lines.next_content(&mut buf)? {
            let [query, doc, grade] = columns(&buf, beir, &lines)?;
            judgements.add(query, doc, parse_grade(grade, &lines)?, &lines)?;
        }
        judgements.finish(&lines)
    }
}

fn is_header(line: &str) -> bool {
    line.split('\t').map(str::trim).eq(HEADER)
}

fn columns<'a>(line: &'a str, beir: bool, lines: &Lines<'_>) -> Result<[&'a str; 3]> {
    let fields: Vec<&str> = if beir { line.split('\t').collect() } else { line.split_whitespace().collect() };
    match (beir, fields[..].as_array(), fields[..].as_array()) {
        (true, Some(&[query, doc, grade]), _) => Ok([query, doc, grade.trim()]),
        (false, _, Some(&[query, _, doc, grade])) => Ok([query, doc, grade]),
        _ => Err(Error::Columns {
            path: lines.path().into(),
            line: lines.number(),
            expected: if beir { "3 (query-id, corpus-id, score), apart by tabs" } else { "4 (qid 0 docid rel)" }.into(),
            got: fields.len(),
        }),
    }
}

fn parse_grade(text: &str, lines: &Lines<'_>) -> Result<i32> {
    text.parse().map_err(|_| Error::Number {
        path: lines.path().into(),
        line: lines.number(),
        field: "the grade",
        expected: "a whole number such as 0 or 1",
        got: snippet(text),
    })
}

/// Judgements and the lines they come from.
#[derive(Default)]
struct Judgements(BTreeMap<QueryId, BTreeMap<DocId, (i32, usize)>>);

impl Judgements {
    fn add(&mut self, query: &str, doc: &str, grade: i32, lines: &Lines<'_>) -> Result<()> {
        if !self.0.contains_key(query) {
            self.0.insert(query.to_owned(), BTreeMap::new());
        }
        let Some(judged) = self.0.get_mut(query) else {
            return Ok(());
        };
        match judged.entry(doc.to_owned()) {
            Entry::Vacant(entry) => {
                entry.insert((grade, lines.number()));
                Ok(())
            }
            Entry::Occupied(entry) if entry.get().0 == grade => Ok(()),
            Entry::Occupied(entry) => Err(Error::Duplicate {
                path: lines.path().into(),
                line: lines.number(),
                first_line: entry.get().1,
                what: "another grade of query and document",
                id: snippet(&format!("{query} {doc}")),
            }),
        }
    }

    fn finish(self, lines: &Lines<'_>) -> Result<Qrels> {
        if self.0.is_empty() {
            return Err(Error::Empty { path: lines.path().into(), expected: EXPECTED });
        }
        let grades = |judged: BTreeMap<DocId, (i32, usize)>| judged.into_iter().map(|(d, (g, _))| (d, g)).collect();
        Ok(Qrels(self.0.into_iter().map(|(q, judged)| (q, grades(judged))).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_formats_say_the_same() {
        let trec = Qrels::read_from(&b"q1 0 d1 1\nq1 Q0 d2\t-2\n\nq2 0 d1 0\nq1 0 d1 1\n"[..], "x").unwrap();
        let tsv =
            Qrels::read_from(&b"query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\td2\t-2\nq2\td1\t0\r\n"[..], "x").unwrap();
        assert_eq!(trec, tsv);
        assert_eq!((trec.len(), trec.get("q1").unwrap()["d2"]), (2, -2));
    }

    #[test]
    fn written_and_read_again_it_is_the_same() {
        let mut qrels = Qrels::default();
        qrels.insert("q 1", "d 1", 2);
        qrels.insert("q 1", "d2", -1);
        let mut bytes = Vec::new();
        qrels.write_tsv(&mut bytes).unwrap();
        assert_eq!(Qrels::read_from(&bytes[..], "x").unwrap(), qrels);
    }

    #[test]
    fn a_folder_names_its_judgements() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Qrels::read(folder.path()).unwrap_err().to_string().contains("qrels/test.tsv"));
        std::fs::create_dir(folder.path().join("qrels")).unwrap();
        std::fs::write(folder.path().join("qrels/dev.tsv"), "query-id\tcorpus-id\tscore\nq\td\t1\n").unwrap();
        assert_eq!(Qrels::read(folder.path()).unwrap(), Qrels::read_split(folder.path(), "dev").unwrap());
        assert!(Qrels::read_split(folder.path(), "train").is_err());
    }
}
