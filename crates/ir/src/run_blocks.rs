//! A TREC run judged from its file block by block, on all cores, without holding it.

use crate::error::Result;
use crate::reader::Lines;
use crate::run::rank_order;
use crate::{DocId, Measure, Qrels, QueryId};
use std::collections::{BTreeMap, HashMap};
use std::io::{self, BufRead, Read};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Mutex, PoisonError};
use xxhash_rust::xxh3::xxh3_64;

/// Bytes read at a time; a block is what lies between two ends of a query near that size.
const BLOCK: u64 = 1 << 20;

/// The queries of a run with the values of those that are judged.
pub(crate) type Found = HashMap<QueryId, Option<Vec<f64>>>;

/// Measures every query of the run at `path`.
///
/// `None` where the run has to be read whole to be judged, or to say what is wrong with it: it is no regular file, a row is malformed, a document stands
/// twice, a query's rows do not lie together, or it shares no query with `qrels`.
///
/// # Errors
/// The file cannot be opened.
pub(crate) fn judge_blocks(qrels: &Qrels, path: &Path, measures: &[Measure]) -> Result<Option<Found>> {
    if !path.is_file() {
        return Ok(None);
    }
    let (input, _) = Lines::open(path)?.into_parts();
    let judge = Judge { qrels, measures };
    let found = judge.all(Blocks { input, rest: Vec::new() });
    Ok(found.filter(|found| found.values().any(Option::is_some)))
}

/// A stream cut where one query's rows end and another's begin.
struct Blocks<R> {
    input: R,
    rest: Vec<u8>,
}

impl<R: BufRead> Blocks<R> {
    /// The next block; `None` at the end of the stream.
    fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut block = std::mem::take(&mut self.rest);
        loop {
            // As much again as there is, so that a block of a single query is looked through a few times only.
            let more = BLOCK.max(block.len() as u64);
            if self.input.by_ref().take(more).read_to_end(&mut block)? == 0 {
                return Ok((!block.is_empty()).then_some(block));
            }
            if let Some(cut) = last_query(&block) {
                self.rest = block.split_off(cut);
                return Ok(Some(block));
            }
        }
    }
}

/// Where the rows of the last query begin that has a whole row; `None` if that is the start.
fn last_query(block: &[u8]) -> Option<usize> {
    let newline = |end: usize| block[..end].iter().rposition(|&b| b == b'\n');
    let mut start = newline(block.len())?;
    let mut last = None;
    let mut cut = None;
    loop {
        let line = newline(start).map_or(0, |at| at + 1);
        let query = first_field(&block[line..start]);
        if last.is_none() {
            last = query;
        } else if query.is_some() && query != last {
            return cut;
        }
        cut = Some(line);
        start = line.checked_sub(1)?;
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ')
}

fn first_field(line: &[u8]) -> Option<&[u8]> {
    line.split(|&b| is_space(b)).find(|field| !field.is_empty())
}

/// Query, document and score of a row; `None` if it has not six columns or the score is no number.
fn parse_row(row: &str) -> Option<(&str, &str, f32)> {
    let (query, doc, score) = if row.is_ascii() {
        let mut fields = row.as_bytes().split(|&b| is_space(b)).filter(|field| !field.is_empty());
        let mut next = || fields.next().and_then(|field| str::from_utf8(field).ok());
        let columns = (next()?, next()?, next()?, next()?, next()?, next()?);
        (next().is_none()).then_some((columns.0, columns.2, columns.4))?
    } else {
        let mut fields = row.split_whitespace();
        let mut next = || fields.next();
        let columns = (next()?, next()?, next()?, next()?, next()?, next()?);
        (next().is_none()).then_some((columns.0, columns.2, columns.4))?
    };
    score.parse().ok().filter(|score: &f32| !score.is_nan()).map(|score| (query, doc, score))
}

struct Judge<'a> {
    qrels: &'a Qrels,
    measures: &'a [Measure],
}

impl Judge<'_> {
    /// Judges the blocks on as many threads as there are cores.
    fn all(&self, mut blocks: Blocks<impl BufRead>) -> Option<Found> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let (stop, found) = (AtomicBool::new(false), Mutex::new(Found::new()));
        let (send, receive) = sync_channel(threads);
        let receive = Mutex::new(receive);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| self.work(&receive, &found, &stop));
            }
            while !stop.load(Ordering::Relaxed) {
                let sent = match blocks.next() {
                    Ok(Some(block)) => send.send(block).is_ok(),
                    Ok(None) => break,
                    Err(_) => false,
                };
                if !sent {
                    stop.store(true, Ordering::Relaxed);
                }
            }
            drop(send);
        });
        let found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
        (!stop.into_inner()).then_some(found)
    }

    fn work(&self, blocks: &Mutex<Receiver<Vec<u8>>>, found: &Mutex<Found>, stop: &AtomicBool) {
        let mut rows = Rows::default();
        loop {
            let block = blocks.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(block) = block else { return };
            // After a stop the blocks are still taken, so that the sender does not wait for ever.
            if stop.load(Ordering::Relaxed) {
                continue;
            }
            let values = str::from_utf8(&block).ok().and_then(|text| self.block(text, &mut rows));
            let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
            let once = values
                .is_some_and(|values| values.into_iter().all(|(query, values)| found.insert(query, values).is_none()));
            if !once {
                stop.store(true, Ordering::Relaxed);
            }
        }
    }

    /// The values of the queries of a block, in its order.
    fn block(&self, text: &str, rows: &mut Rows) -> Option<Vec<(QueryId, Option<Vec<f64>>)>> {
        let mut values = Vec::new();
        let mut current = None;
        rows.clear();
        for line in text.split('\n') {
            if line.trim_ascii().is_empty() || line.trim().is_empty() {
                continue;
            }
            let (query, doc, score) = parse_row(line)?;
            if current != Some(query) {
                if let Some(query) = current {
                    values.push(self.query(query, text, rows)?);
                }
                rows.clear();
                current = Some(query);
            }
            let start = doc.as_ptr().addr() - text.as_ptr().addr();
            rows.push(start..start + doc.len(), xxh3_64(doc.as_bytes()), score);
        }
        if let Some(query) = current {
            values.push(self.query(query, text, rows)?);
        }
        Some(values)
    }

    fn query(&self, query: &str, text: &str, rows: &mut Rows) -> Option<(QueryId, Option<Vec<f64>>)> {
        rows.are_distinct().then_some(())?;
        let values = self.qrels.get(query).map(|judged| {
            rows.grade(text, judged);
            self.measures.iter().map(|measure| measure.of_grades(&rows.grades, judged)).collect()
        });
        Some((query.to_owned(), values))
    }
}

/// The rows of one query and what they turn out to be worth.
#[derive(Default)]
struct Rows {
    /// Where the document's id lies in the block, and the score.
    hits: Vec<(Range<usize>, f32)>,
    /// Hashes of the ids with their places in `hits`; sorted by [`Rows::are_distinct`].
    hashes: Vec<(u64, u32)>,
    order: Vec<u32>,
    grades: Vec<Option<i32>>,
}

impl Rows {
    fn clear(&mut self) {
        self.hits.clear();
        self.hashes.clear();
    }

    fn push(&mut self, doc: Range<usize>, hash: u64, score: f32) {
        self.hashes.push((hash, self.hits.len() as u32));
        self.hits.push((doc, score));
    }

    /// Whether no two ids have the same hash.
    fn are_distinct(&mut self) -> bool {
        self.hashes.sort_unstable();
        self.hashes.windows(2).all(|pair| pair[0].0 != pair[1].0)
    }

    /// Sets `grades` to those of the documents, best first.
    fn grade(&mut self, text: &str, judged: &BTreeMap<DocId, i32>) {
        let hit = |i: u32| (&text[self.hits[i as usize].0.clone()], self.hits[i as usize].1);
        self.order.clear();
        self.order.extend(0..self.hits.len() as u32);
        let ranks = |a: &u32, b: &u32| rank_order(hit(*a), hit(*b));
        if !self.order.is_sorted_by(|a, b| ranks(a, b).is_lt()) {
            self.order.sort_unstable_by(ranks);
        }
        let mut by_place = vec![None; self.hits.len()];
        for (doc, grade) in judged {
            let hash = xxh3_64(doc.as_bytes());
            if let Ok(at) = self.hashes.binary_search_by_key(&hash, |(hash, _)| *hash) {
                let place = self.hashes[at].1;
                if hit(place).0 == doc {
                    by_place[place as usize] = Some(*grade);
                }
            }
        }
        self.grades.clear();
        self.grades.extend(self.order.iter().map(|&i| by_place[i as usize]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bootstrap, Run, evaluate_file, evaluate_with};
    use proptest::prelude::*;

    fn judgements() -> Qrels {
        let mut qrels = Qrels::default();
        for (query, doc, grade) in [("q1", "d1", 1), ("q1", "d3", 2), ("q2", "d2", 1), ("é", "d1", 1), ("q9", "d1", 0)]
        {
            qrels.insert(query, doc, grade);
        }
        qrels
    }

    fn measures() -> Vec<Measure> {
        ["nDCG@10", "RR", "AP", "P@2", "Judged@3", "R@1"].map(|name| name.parse().unwrap()).into()
    }

    /// What is found in pieces of any size, or the error, is what reading the run whole gives.
    fn same_as_whole(rows: &str) -> std::result::Result<bool, TestCaseError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.trec");
        std::fs::write(&path, rows).unwrap();
        let bootstrap = Bootstrap { resamples: 10, ..Bootstrap::default() };
        let (qrels, measures) = (judgements(), measures());
        let whole = Run::read(&path).and_then(|run| evaluate_with(&qrels, &run, &measures, None, bootstrap));
        let file = evaluate_file(&qrels, &path, &measures, None, bootstrap);
        match (whole, file) {
            (Ok(whole), Ok(file)) => prop_assert_eq!(whole, file),
            (Err(whole), Err(file)) => prop_assert_eq!(whole.to_string(), file.to_string()),
            (whole, file) => prop_assert!(false, "{:?} {:?}", whole, file),
        }
        Ok(judge_blocks(&qrels, &path, &measures).unwrap().is_some())
    }

    #[test]
    fn rows_in_any_order_of_ranks_are_judged_in_pieces_and_others_whole() {
        let pieces = |rows: &str| same_as_whole(rows).unwrap();
        assert!(pieces("q1 Q0 d2 1 1 x\nq1\tQ0 d1 2 3 x\r\n\n q1 Q0 d3 7 1.0 x\nq2 Q0 d2 1 -1e3 x"));
        assert!(pieces("\u{feff}q1 Q0 d2 1 1 x\nq1 Q0 é 1 1 x\né Q0 d1\u{2003}1 1 x\n\u{a0}\n"));
        assert!(!pieces("q1 Q0 d2 1 1 x\nq2 Q0 d1 2 3 x\nq1 Q0 d3 7 1.0 x\n"));
        assert!(!pieces("q1 Q0 d2 1 1 x\nq1 Q0 d2 2 3 x\n"));
        assert!(!pieces("q1 Q0 d2 1 1 x\nq1 Q0 d1 2 nan x\n"));
        assert!(!pieces("q1 Q0 d2 1 1\n") && !pieces("") && !pieces("other Q0 d 1 1 x\n"));
    }

    #[test]
    fn blocks_end_where_a_query_ends() {
        let mut text = String::new();
        for query in 0..300 {
            for doc in 0..=(query % 7) * 40 {
                text += &format!("q{query} Q0 document-{doc} 1 {doc} tag\n");
            }
        }
        for cut in [text.len(), text.len() - 1, text.len() - 8] {
            let mut blocks = Blocks { input: &text.as_bytes()[..cut], rest: Vec::new() };
            let mut all = Vec::new();
            let mut last: Option<Vec<u8>> = None;
            while let Some(block) = blocks.next().unwrap() {
                let first = first_field(&block).map(<[u8]>::to_vec);
                assert!(last.is_none() || last != first);
                last = block.trim_ascii_end().rsplit(|&b| b == b'\n').next().and_then(first_field).map(<[u8]>::to_vec);
                all.extend(block);
            }
            assert!(text.len() > 1 << 20 && all == text.as_bytes()[..cut]);
        }
    }

    proptest! {
        #[test]
        fn any_run_is_judged_as_if_read_whole(rows in prop::collection::vec(
            (prop_oneof!["q[12]", Just("é".to_owned())], "d[1-9é]", -2i8..3, prop_oneof![Just(" "), Just("\t"), Just("\u{2003}")]), 1..12),
            grouped: bool,
        ) {
            let mut rows = rows;
            if grouped {
                rows.sort();
                rows.dedup_by(|a, b| (&a.0, &a.1) == (&b.0, &b.1));
            }
            let text: String = rows.iter().map(|(q, d, s, space)| format!("{q}{space}Q0 {d} 0 {s} t\n")).collect();
            let pieces = same_as_whole(&text)?;
            // Where a query ends is looked for at ASCII spaces only.
            let other_space = text.contains('\u{2003}');
            prop_assert!(!grouped || pieces || other_space);
        }
    }
}
