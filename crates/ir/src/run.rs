//! What a system found: ranked documents by query. The one tie rule lives here.

use crate::atomic::AtomicFile;
use crate::error::{Error, Result, snippet};
use crate::reader::Lines;
use crate::{DocId, QueryId};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::Path;

const BYTE_ORDER_MARK: char = '\u{feff}';

/// Scored documents by query, best first; no document twice, no score NaN.
///
/// The order is trec_eval's: score descending, compared as f32, then document id descending by bytes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Run(BTreeMap<QueryId, Vec<(DocId, f32)>>);

const EXPECTED: &str = "TREC run rows `qid Q0 docid rank score tag`";

/// Whether `a` stands before `b` in a ranking.
pub fn rank_order(a: (&str, f32), b: (&str, f32)) -> Ordering {
    b.1.partial_cmp(&a.1).unwrap_or(Ordering::Equal).then_with(|| b.0.as_bytes().cmp(a.0.as_bytes()))
}

impl Run {
    /// A run without queries.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a TREC run; its rank column and the order of its rows mean nothing.
    ///
    /// # Errors
    /// A file that cannot be read, is empty or malformed, a NaN score, or a document twice in a query.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        Self::from_lines(Lines::open(path.as_ref())?)
    }

    /// Reads from any source; `name` stands for the path in errors.
    ///
    /// # Errors
    /// As [`Run::read`].
    pub fn read_from<'a>(reader: impl Read + Send + 'a, name: &str) -> Result<Self> {
        Self::from_lines(Lines::from_reader(reader, name)?)
    }

    /// Sets what was found for a query, in any order, and ranks it.
    ///
    /// # Errors
    /// A NaN score or a document given twice; places in the message count from 1 in the order given.
    pub fn insert(&mut self, query: impl Into<QueryId>, hits: Vec<(DocId, f32)>) -> Result<()> {
        let query = query.into();
        let hits = hits.into_iter().enumerate().map(|(i, (doc, score))| Hit { doc, score, line: i + 1 }).collect();
        let hits = ranked(hits, &query, Path::new("hits"))?;
        self.0.insert(query, hits);
        Ok(())
    }

    /// The documents found for a query, best first.
    pub fn get(&self, query: &str) -> Option<&[(DocId, f32)]> {
        self.0.get(query).map(Vec::as_slice)
    }

    /// Queries and what was found for them, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = (&QueryId, &[(DocId, f32)])> {
        self.0.iter().map(|(query, hits)| (query, hits.as_slice()))
    }

    /// How many queries the run has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether the run has no query.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes a TREC run whole or not at all; scores read back to the same f32.
    ///
    /// # Errors
    /// An id or tag with white space, or a file that cannot be written.
    pub fn write(&self, path: impl AsRef<Path>, tag: &str) -> Result<()> {
        let mut file = AtomicFile::create(path.as_ref())?;
        self.write_to(&mut file, tag, path.as_ref())?;
        file.commit()
    }

    /// Writes TREC rows to any sink; `name` stands for the path in errors.
    ///
    /// # Errors
    /// As [`Run::write`].
    pub fn write_to(&self, writer: &mut impl Write, tag: &str, name: impl AsRef<Path>) -> Result<()> {
        let tag = column(tag)?;
        if self.0.keys().next().is_some_and(|query| query.starts_with(BYTE_ORDER_MARK)) {
            // A reader takes one at the start for the file's own.
            write!(writer, "{BYTE_ORDER_MARK}").map_err(|source| Error::io(name.as_ref(), source))?;
        }
        for (query, hits) in &self.0 {
            let query = column(query)?;
            for (rank, (doc, score)) in (1..).zip(hits) {
                writeln!(writer, "{query} Q0 {} {rank} {score} {tag}", column(doc)?)
                    .map_err(|source| Error::io(name.as_ref(), source))?;
            }
        }
        Ok(())
    }

    fn from_lines(mut lines: Lines<'_>) -> Result<Self> {
        let mut found: BTreeMap<QueryId, Vec<Hit>> = BTreeMap::new();
        let mut buf = String::new();
        while lines.next_content(&mut buf)? {
            let (query, hit) = parse_row(&buf, &lines)?;
            match found.get_mut(query) {
                Some(hits) => hits.push(hit),
                None => drop(found.insert(query.to_owned(), vec![hit])),
            }
        }
        if found.is_empty() {
            return Err(Error::Empty { path: lines.path().into(), expected: EXPECTED });
        }
        let rank = |(query, hits): (QueryId, _)| ranked(hits, &query, lines.path()).map(|hits| (query, hits));
        found.into_iter().map(rank).collect::<Result<_>>().map(Self)
    }
}

struct Hit {
    doc: DocId,
    score: f32,
    line: usize,
}

fn parse_row<'a>(row: &'a str, lines: &Lines<'_>) -> Result<(&'a str, Hit)> {
    let fields: Vec<&str> = row.split_whitespace().collect();
    let Some(&[query, _, doc, _, score, _]) = fields[..].as_array() else {
        let expected = "6 (qid Q0 docid rank score tag)".into();
        return Err(Error::Columns { path: lines.path().into(), line: lines.number(), expected, got: fields.len() });
    };
    let score = score.parse().map_err(|_| Error::Number {
        path: lines.path().into(),
        line: lines.number(),
        field: "the score",
        expected: "a number such as 12.5",
        got: snippet(score),
    })?;
    Ok((query, Hit { doc: doc.to_owned(), score, line: lines.number() }))
}

/// Hits in rank order, after refusing NaN scores and documents named twice.
fn ranked(mut hits: Vec<Hit>, query: &str, path: &Path) -> Result<Vec<(DocId, f32)>> {
    if let Some(hit) = hits.iter().find(|hit| hit.score.is_nan()) {
        let (query, doc) = (snippet(query), snippet(&hit.doc));
        return Err(Error::NanScore { path: path.into(), line: hit.line, query, doc });
    }
    hits.sort_by(|a, b| a.doc.cmp(&b.doc).then(a.line.cmp(&b.line)));
    let twice = hits.windows(2).filter(|pair| pair[0].doc == pair[1].doc).min_by_key(|pair| pair[1].line);
    if let Some([first, second]) = twice {
        return Err(Error::Duplicate {
            path: path.into(),
            line: second.line,
            first_line: first.line,
            what: "query and document",
            id: snippet(&format!("{query} {}", second.doc)),
        });
    }
    hits.sort_by(|a, b| rank_order((&a.doc, a.score), (&b.doc, b.score)));
    Ok(hits.into_iter().map(|hit| (hit.doc, hit.score)).collect())
}

fn column(id: &str) -> Result<&str> {
    match id.is_empty() || id.contains(char::is_whitespace) {
        true => Err(Error::UnwritableId { id: snippet(id) }),
        false => Ok(id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_id_that_begins_with_a_byte_order_mark_keeps_it() {
        let mut run = Run::new();
        run.insert("\u{feff}q", vec![("d".into(), 1.0)]).unwrap();
        let mut written = Vec::new();
        run.write_to(&mut written, "tag", "x").unwrap();
        assert_eq!(Run::read_from(&written[..], "x").unwrap(), run);
    }

    #[test]
    fn ties_go_to_the_larger_id_by_bytes_and_scores_are_f32() {
        let rows = b"q Q0 d10 1 1.0 x\nq Q0 d9 2 1.00000000001 x\nq Q0 \xc3\xa9 9 -0 x\nq Q0 z 9 0 x\n";
        let run = Run::read_from(&rows[..], "x").unwrap();
        let docs: Vec<&str> = run.get("q").unwrap().iter().map(|(d, _)| d.as_str()).collect();
        assert_eq!(docs, ["d9", "d10", "é", "z"]);
    }

    #[test]
    fn ids_with_spaces_are_not_written() {
        let mut run = Run::new();
        run.insert("q", vec![("a b".into(), 1.0)]).unwrap();
        let error = run.write_to(&mut Vec::new(), "tag", "x").unwrap_err().to_string();
        assert!(error.contains("\"a b\""), "{error}");
    }

    fn hits() -> impl Strategy<Value = Vec<(DocId, f32)>> {
        let score = prop_oneof![any::<f32>().prop_filter("NaN", |s| !s.is_nan()), (-2i8..3).prop_map(f32::from)];
        prop::collection::btree_map("[a-cé]{1,3}", score, 0..12).prop_map(|m| m.into_iter().collect())
    }

    proptest! {
        #[test]
        fn the_order_of_insertion_does_not_matter((given, shuffled) in hits().prop_flat_map(|h| (Just(h.clone()), Just(h).prop_shuffle()))) {
            let (mut a, mut b) = (Run::new(), Run::new());
            a.insert("q", given).unwrap();
            b.insert("q", shuffled).unwrap();
            prop_assert_eq!(a, b);
        }

        #[test]
        fn a_run_survives_its_file(queries in prop::collection::btree_map("[a-z0-9#]{1,4}", hits(), 1..5)) {
            let mut run = Run::new();
            for (query, hits) in queries.into_iter().filter(|(_, hits)| !hits.is_empty()) {
                run.insert(query, hits).unwrap();
            }
            prop_assume!(!run.is_empty());
            let mut bytes = Vec::new();
            run.write_to(&mut bytes, "tag", "x").unwrap();
            prop_assert_eq!(Run::read_from(&bytes[..], "x").unwrap(), run);
        }
    }
}
