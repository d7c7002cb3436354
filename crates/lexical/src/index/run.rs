//! The postings of one batch of documents, sorted by term, in bytes: what is kept until all are merged.
//!
//! For each term its length and bytes, the number of its documents, and for each the distance from the one before and the
//! frequency; numbers in seven bits a byte.

use super::interner::Interner;
use crate::analyzer::Analyzer;
use crate::error::Result;

/// A batch after analysis.
pub(super) struct Run {
    pub(super) bytes: Vec<u8>,
    /// Tokens of every document.
    pub(super) lengths: Vec<u32>,
}

impl Run {
    /// Analyses `texts`, the documents `first..` of a field.
    ///
    /// # Errors
    /// What the analyzer fails with.
    pub(super) fn new(analyzer: &dyn Analyzer, first: u32, texts: &[impl AsRef<str>]) -> Result<Self> {
        let mut terms = Interner::new();
        let (mut postings, mut lengths, mut numbers) = (Vec::new(), Vec::with_capacity(texts.len()), Vec::new());
        for (doc, text) in (first..).zip(texts) {
            numbers.clear();
            analyzer.each_token(text.as_ref(), &mut |token| numbers.push(terms.number(token)))?;
            lengths.push(numbers.len() as u32);
            numbers.sort_unstable();
            postings.extend(numbers.chunk_by(|a, b| a == b).map(|same| (same[0], doc, same.len() as u32)));
        }
        Ok(Self { bytes: to_bytes(&terms, &postings), lengths })
    }
}

/// A document and the frequency of a term in it.
type Posting = (u32, u32);

fn to_bytes(terms: &Interner, postings: &[(u32, u32, u32)]) -> Vec<u8> {
    let (starts, by_term) = group(terms.len(), postings);
    let mut order: Vec<u32> = (0..terms.len() as u32).collect();
    order.sort_unstable_by(|&a, &b| terms.term(a).cmp(terms.term(b)));
    let mut bytes = Vec::with_capacity(3 * postings.len());
    for number in order {
        let term = terms.term(number).as_bytes();
        push(&mut bytes, term.len() as u32);
        bytes.extend_from_slice(term);
        let of_term = &by_term[starts[number as usize]..starts[number as usize + 1]];
        push(&mut bytes, of_term.len() as u32);
        let mut before = 0;
        for &(doc, tf) in of_term {
            push(&mut bytes, doc - before);
            push(&mut bytes, tf);
            before = doc;
        }
    }
    bytes
}

/// Postings term by term, those of a term in the order given, and where each term's begin.
fn group(terms: usize, postings: &[(u32, u32, u32)]) -> (Vec<usize>, Vec<Posting>) {
    let mut starts = vec![0; terms + 1];
    for &(term, _, _) in postings {
        starts[term as usize + 1] += 1;
    }
    for term in 0..terms {
        starts[term + 1] += starts[term];
    }
    let mut next = starts.clone();
    let mut grouped = vec![(0, 0); postings.len()];
    for &(term, doc, tf) in postings {
        let place = &mut next[term as usize];
        grouped[*place] = (doc, tf);
        *place += 1;
    }
    (starts, grouped)
}

fn push(bytes: &mut Vec<u8>, mut number: u32) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Reads a run term by term.
pub(super) struct Cursor<'a> {
    pub(super) term: &'a [u8],
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// At the first term; `None` where there is none.
    pub(super) fn new(bytes: &'a [u8]) -> Option<Self> {
        let mut cursor = Self { term: &[], rest: bytes };
        cursor.next_term().then_some(cursor)
    }

    /// Goes to the next term; its postings must have been read.
    pub(super) fn next_term(&mut self) -> bool {
        if self.rest.is_empty() {
            return false;
        }
        let n = self.pull() as usize;
        (self.term, self.rest) = self.rest.split_at(n);
        true
    }

    /// Appends the postings of the term.
    pub(super) fn postings(&mut self, docs: &mut Vec<u32>, tfs: &mut Vec<u32>) {
        let (n, mut doc) = (self.pull(), 0);
        for _ in 0..n {
            doc += self.pull();
            docs.push(doc);
            tfs.push(self.pull());
        }
    }

    fn pull(&mut self) -> u32 {
        let (mut number, mut shift) = (0, 0);
        loop {
            let byte = self.rest[0];
            self.rest = &self.rest[1..];
            number |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return number;
            }
            shift += 7;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Words;

    impl Analyzer for Words {
        fn each_token(&self, text: &str, found: &mut dyn FnMut(&str)) -> Result<()> {
            text.split(' ').filter(|word| !word.is_empty()).for_each(found);
            Ok(())
        }
    }

    #[test]
    fn postings_come_back_by_term() {
        let run = Run::new(&Words, 500, &["b a b", "", "c b"]).unwrap();
        assert_eq!(run.lengths, [3, 0, 2]);
        let mut cursor = Cursor::new(&run.bytes).unwrap();
        let mut got = Vec::new();
        loop {
            let (mut docs, mut tfs) = (Vec::new(), Vec::new());
            cursor.postings(&mut docs, &mut tfs);
            got.push((cursor.term, docs, tfs));
            if !cursor.next_term() {
                break;
            }
        }
        let want: [(&[u8], Vec<u32>, Vec<u32>); 3] =
            [(b"a", vec![500], vec![1]), (b"b", vec![500, 502], vec![2, 1]), (b"c", vec![502], vec![1])];
        assert_eq!(got, want);
    }
}
