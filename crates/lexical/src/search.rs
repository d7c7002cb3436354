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
    /// What an analyzer fails with; postings that are damaged.
    pub fn search<T: AsRef<str> + Sync>(&self, queries: &[(T, Option<Lang>)], k: usize) -> Result<Vec<Vec<Hit>>> {
        self.search_among(queries, k, None)
    }

    /// As [`Searcher::search`], among the documents that `among` holds true for alone; all where it is `None`.
    ///
    /// # Errors
    /// As [`Searcher::search`].
    ///
    /// # Panics
    /// Where `among` has not a value for every document.
    pub fn search_among<T: AsRef<str> + Sync>(
        &self,
        queries: &[(T, Option<Lang>)],
        k: usize,
        among: Option<&[bool]>,
    ) -> Result<Vec<Vec<Hit>>> {
        assert!(among.is_none_or(|among| among.len() == self.index.len()), "a value for every document");
        let found = |scores: &mut Scores, (text, lang): &(T, Option<Lang>)| {
            self.best(scores, &self.terms(text.as_ref(), *lang)?, k, among)
        };
        queries.par_iter().map_init(Scores::default, found).collect()
    }

    /// The scores of some documents for every query, as [`Searcher::search`] gives them; 0 without a shared token.
    ///
    /// # Errors
    /// As [`Searcher::search`].
    ///
    /// # Panics
    /// Where there is no such document.
    pub fn scores<T: AsRef<str> + Sync>(&self, asked: &[(T, Option<Lang>, &[u32])]) -> Result<Vec<Vec<f32>>> {
        let of_query = |(text, lang, docs): &(T, Option<Lang>, &[u32])| {
            let terms = self.terms(text.as_ref(), *lang)?;
            docs.iter().map(|doc| self.score_of(*doc, &terms)).collect()
        };
        asked.par_iter().map(of_query).collect()
    }

    fn score_of(&self, doc: u32, queries: &[(usize, BTreeMap<String, u32>)]) -> Result<f32> {
        assert!((doc as usize) < self.index.len(), "document {doc} of {}", self.index.len());
        let mut sum = 0.0;
        for (number, terms) in queries {
            let field = self.index.field(*number);
            let member = match field.members() {
                None => doc,
                Some(members) => match members.binary_search(&doc) {
                    Ok(member) => member as u32,
                    Err(_) => continue,
                },
            };
            for (term, &count) in terms {
                let Some(postings) = field.postings(term)? else { continue };
                if let Ok(at) = postings.docs.binary_search(&member) {
                    let w = count as f32 * idf(field.docs_with_tokens(), postings.docs.len() as u64);
                    let tf = frequency(&field, &postings, member, postings.tfs[at]);
                    let factor = self.factors[*number][usize::from(field.lengths()[member as usize])];
                    sum += f64::from(term_score(w, tf as f32 * factor));
                }
            }
        }
        Ok(sum as f32)
    }

    /// The tokens of a query with their counts, for every field that it searches.
    fn terms(&self, text: &str, lang: Option<Lang>) -> Result<Vec<(usize, BTreeMap<String, u32>)>> {
        let of_field = |field: usize| Ok((field, counted(self.analyzers[field].tokens(text)?)));
        self.fields_for(lang).into_iter().map(of_field).collect()
    }

    fn fields_for(&self, lang: Option<Lang>) -> Vec<usize> {
        let own = lang.filter(|_| self.auto).map(Field::of_lang);
        match own.and_then(|own| self.fields.iter().position(|field| *field == own)) {
            Some(field) => vec![field],
            None => (0..self.fields.len()).collect(),
        }
    }

    fn best(
        &self,
        scores: &mut Scores,
        queries: &[(usize, BTreeMap<String, u32>)],
        k: usize,
        among: Option<&[bool]>,
    ) -> Result<Vec<Hit>> {
        let members = match queries {
            [(field, _)] => self.index.field(*field).members(),
            _ => None,
        };
        let alone = queries.len() == 1;
        scores.begin(if alone { self.index.field(queries[0].0).docs() } else { self.index.len() });
        for (number, terms) in queries {
            let field = self.index.field(*number);
            for (term, &count) in terms {
                if let Some(postings) = field.postings(term)? {
                    let w = count as f32 * idf(field.docs_with_tokens(), postings.docs.len() as u64);
                    let to = field.members().filter(|_| !alone);
                    score(&field, &postings, w, &self.factors[*number], |doc, value| {
                        scores.add(to.map_or(doc, |to| to[doc as usize]), value);
                    });
                }
            }
        }
        Ok(scores.best(&self.index, members, k, among))
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
        let tf = frequency(field, postings, doc, tf);
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

/// How often a term stands in a document, by its coded frequency.
fn frequency(field: &FieldIndex<'_>, postings: &Postings<'_>, doc: u32, tf: u8) -> u32 {
    if u32::from(tf) == LARGE { field.frequency(postings, doc) } else { tf.into() }
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
    fn best(&mut self, index: &Index, members: Option<&[u32]>, k: usize, among: Option<&[bool]>) -> Vec<Hit> {
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
            if among.is_some_and(|among| !among[doc as usize]) {
                continue;
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{IndexOptions, Profile, build_index};
    use isogloss_ir::Doc;

    /// 3,000 documents of few words, so that scores of terms are tabled, in two languages.
    fn searcher(profile: &str, folder: &std::path::Path) -> Searcher {
        let doc = |i: usize| {
            let words = ["horse", "river", "garden", "night", "stone"];
            let text = (0..1 + i % 7).map(|at| words[(i / (at + 1)) % 5]).collect::<Vec<_>>().join(" ");
            let lang = ["en", "sw"][i % 2].parse().ok();
            Ok(Doc { id: format!("d{i}"), title: String::new(), text: text + &" horse".repeat(i / 2900 * 300), lang })
        };
        let options = IndexOptions { profile: profile.parse::<Profile>().unwrap(), ..IndexOptions::default() };
        let open = |_: &str| unreachable!();
        build_index((0..3000).map(doc), &folder.join("i"), &options, &open, &mut |_| ()).unwrap();
        Searcher::new(Index::open(&folder.join("i")).unwrap(), Bm25::default(), &open).unwrap()
    }

    #[test]
    fn documents_asked_for_score_as_those_that_are_found() {
        for profile in ["icu", "auto", "icu+lucene:en"] {
            let folder = tempfile::tempdir().unwrap();
            let searcher = searcher(profile, folder.path());
            let queries = [("river horse night horse", None), ("stone garden", "sw".parse().ok()), ("nothing", None)];
            let all: Vec<u32> = (0..3000).collect();
            let asked: Vec<_> = queries.iter().map(|(text, lang)| (*text, *lang, all.as_slice())).collect();
            let scores = searcher.scores(&asked).unwrap();
            for (hits, scores) in searcher.search(&queries, 3000).unwrap().into_iter().zip(scores) {
                assert!(hits.iter().all(|(doc, score)| scores[*doc as usize] == *score), "{profile}");
                assert_eq!(scores.iter().filter(|score| **score > 0.0).count(), hits.len(), "{profile}");
            }
        }
    }

    #[test]
    fn documents_that_are_left_out_are_not_found() {
        let folder = tempfile::tempdir().unwrap();
        let searcher = searcher("icu", folder.path());
        let among: Vec<bool> = (0..3000).map(|doc| doc % 3 == 0).collect();
        let queries = [("river night", None)];
        let some = searcher.search_among(&queries, 40, Some(&among)).unwrap().remove(0);
        let all = searcher.search(&queries, 3000).unwrap().remove(0);
        assert_eq!(some, all.into_iter().filter(|(doc, _)| doc % 3 == 0).take(40).collect::<Vec<_>>());
    }
}
