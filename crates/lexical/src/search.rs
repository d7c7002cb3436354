//! Searching an index: every document that shares a token with the query is scored, none is skipped.

use crate::analyzer::{Analyzer, Field, OpenSubword};
use crate::bm25::{Bm25, idf, term_score};
use crate::error::Result;
use crate::index::merge::LARGE;
use crate::store::{FieldIndex, Index, Postings};
use isogloss_ir::Lang;
use rayon::prelude::*;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// Frequencies whose scores are computed once a query term, for every length.
const TABLED: usize = 3;
/// A term in fewer documents is scored one by one.
const WORTH_TABLES: usize = 2048;

/// A document by number and its score.
pub type Hit = (u32, f32);

/// An index with the analyzers it was made with.
pub struct Searcher {
    index: Index,
    analyzers: Vec<Box<dyn Analyzer>>,
    fields: Vec<Field>,
    factors: Vec<[f32; 256]>,
    auto: bool,
}

impl Searcher {
    /// Joins an index, the parameters, and the tokenizers that `open` gives for its `subword:<name>` fields.
    ///
    /// # Errors
    /// A field of an analyzer this version does not know, or what `open` fails with.
    pub fn new(index: Index, bm25: Bm25, open: &OpenSubword<'_>) -> Result<Self> {
        let fields: Vec<Field> = index.fields().map(str::parse).collect::<Result<_>>()?;
        let analyzers = fields.iter().map(|field| field.analyzer(open)).collect::<Result<_>>()?;
        let factors = (0..fields.len()).map(|number| index.field(number).length_factors(bm25)).collect();
        let auto = index.profile() == "auto";
        Ok(Self { index, analyzers, fields, factors, auto })
    }

    /// The index.
    pub fn index(&self) -> &Index {
        &self.index
    }

    /// The best `k` documents of every query, best first; equal scores in the order of ids, by bytes.
    ///
    /// Where every language has its field, a query of a known language searches that one, any other all of them.
    ///
    /// # Errors
    /// What an analyzer fails with.
    pub fn search<T: AsRef<str> + Sync>(&self, queries: &[(T, Option<Lang>)], k: usize) -> Result<Vec<Vec<Hit>>> {
        let found = |scores: &mut Scores, (text, lang): &(T, Option<Lang>)| {
            let query = |field: usize| Ok((field, counted(self.analyzers[field].tokens(text.as_ref())?)));
            let terms: Vec<_> = self.fields_for(*lang).into_iter().map(query).collect::<Result<_>>()?;
            Ok(self.best(scores, &terms, k))
        };
        queries.par_iter().map_init(Scores::default, found).collect()
    }

    fn fields_for(&self, lang: Option<Lang>) -> Vec<usize> {
        let own = lang.filter(|_| self.auto).map(|lang| Field::of_lang(lang.as_str()));
        match own.and_then(|own| self.fields.iter().position(|field| *field == own)) {
            Some(field) => vec![field],
            None => (0..self.fields.len()).collect(),
        }
    }

    fn best(&self, scores: &mut Scores, queries: &[(usize, BTreeMap<String, u32>)], k: usize) -> Vec<Hit> {
        let members = match queries {
            [(field, _)] => self.index.field(*field).members(),
            _ => None,
        };
        let alone = queries.len() == 1;
        scores.begin(if alone { self.index.field(queries[0].0).docs() } else { self.index.len() });
        for (number, terms) in queries {
            let field = self.index.field(*number);
            for (term, &count) in terms {
                if let Some(postings) = field.postings(term) {
                    let w = count as f32 * idf(field.docs_with_tokens(), postings.docs.len() as u64);
                    let to = field.members().filter(|_| !alone);
                    score(&field, &postings, w, &self.factors[*number], |doc, value| {
                        scores.add(to.map_or(doc, |to| to[doc as usize]), value);
                    });
                }
            }
        }
        scores.best(&self.index, members, k)
    }
}

/// Tokens with their counts.
fn counted(tokens: Vec<String>) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for token in tokens {
        *counts.entry(token).or_default() += 1;
    }
    counts
}

/// Gives the score of every document of a term.
fn score(field: &FieldIndex<'_>, postings: &Postings<'_>, w: f32, factors: &[f32; 256], mut add: impl FnMut(u32, f32)) {
    let lengths = field.lengths();
    let exact = |doc: u32, tf: u8| {
        let tf = if u32::from(tf) == LARGE { field.frequency(postings, doc) } else { tf.into() };
        term_score(w, tf as f32 * factors[usize::from(lengths[doc as usize])])
    };
    let pairs = postings.docs.iter().zip(postings.tfs);
    if postings.docs.len() < WORTH_TABLES {
        return pairs.for_each(|(&doc, &tf)| add(doc, exact(doc, tf)));
    }
    let tables: [[f32; 256]; TABLED] =
        std::array::from_fn(|i| std::array::from_fn(|code| term_score(w, (i + 1) as f32 * factors[code])));
    for (&doc, &tf) in pairs {
        let value = match tables.get(usize::from(tf).wrapping_sub(1)) {
            Some(table) => table[usize::from(lengths[doc as usize])],
            None => exact(doc, tf),
        };
        add(doc, value);
    }
}

/// What is not yet scored; a score of nothing is +0.
const UNTOUCHED: f64 = -0.0;

/// Sums of scores by document, and which were touched.
#[derive(Default)]
struct Scores {
    sums: Vec<f64>,
    touched: Vec<u32>,
}

impl Scores {
    fn begin(&mut self, docs: usize) {
        if self.sums.len() < docs {
            self.sums.resize(docs, UNTOUCHED);
        }
    }

    fn add(&mut self, doc: u32, score: f32) {
        let sum = &mut self.sums[doc as usize];
        if sum.to_bits() == UNTOUCHED.to_bits() {
            self.touched.push(doc);
        }
        *sum += f64::from(score);
    }

    /// Takes the best `k` and forgets all.
    fn best(&mut self, index: &Index, members: Option<&[u32]>, k: usize) -> Vec<Hit> {
        let places = index.places();
        let mut heap: BinaryHeap<Reverse<u64>> = BinaryHeap::with_capacity(k.min(self.touched.len()) + 1);
        let mut least = 0;
        for &doc in &self.touched {
            let sum = std::mem::replace(&mut self.sums[doc as usize], UNTOUCHED);
            // Scores are not negative, so their bits are in their order; a document earlier by id ranks higher.
            let bits = u64::from((sum as f32).to_bits()) << 32;
            if heap.len() == k && bits | u64::from(u32::MAX) < least {
                continue;
            }
            let doc = members.map_or(doc, |members| members[doc as usize]);
            let key = bits | u64::from(u32::MAX - places[doc as usize]);
            if heap.len() < k {
                heap.push(Reverse(key));
            } else if key > least {
                heap.pop();
                heap.push(Reverse(key));
            }
            least = heap.peek().map_or(u64::MAX, |key| key.0);
        }
        self.touched.clear();
        let hit = |key: &Reverse<u64>| {
            let place = u32::MAX - key.0 as u32;
            (index.by_place()[place as usize], f32::from_bits((key.0 >> 32) as u32))
        };
        heap.into_sorted_vec().iter().map(hit).collect()
    }
}
