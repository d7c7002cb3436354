//! Whether a pool of several languages is searched by meaning or by language.
//!
//! What is measured here is defined here, ours and not published; in an unbiased ranking the languages of the top `k` are
//! those of the pool, and a document ranks the same for a question and for the question's translations.

mod pool;
mod translations;

pub use pool::Pool;
pub use translations::{Translations, question_of};

use crate::error::{Error, Result, snippet};
use crate::{DocId, Lang, Qrels, QueryId, Run};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What [`language_bias`] finds. Shares are in 0..=1; ranks count from 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LanguageBias {
    /// Ranks read for shares and overlaps.
    pub k: usize,
    /// Judged queries that the run has: what everything is over.
    pub queries: usize,
    /// Judged queries that the run lacks: they are passed over.
    pub missing: usize,
    /// Relevant documents that the run lacks: they rank behind the last document that it has for the query.
    pub unranked: usize,
    /// Each language's share of the pool.
    pub pool_share: BTreeMap<Lang, f64>,
    /// Each document language's share of the top `k`, over all queries.
    pub share_in_top_k: BTreeMap<Lang, f64>,
    /// How the queries of each language fare.
    pub by_query_lang: BTreeMap<Lang, QueryLang>,
    /// The mean of the query languages' bias ratios.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bias_ratio: Option<f64>,
    /// The mean, over queries with relevant documents in their own and in other languages, of the other languages' mean
    /// rank of the first relevant document less its rank in the query's own: above 0 where the own language is preferred.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rank_gap_same_vs_other: Option<f64>,
    /// How translations of one question fare, where there are some.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub translations: Option<Translations>,
    /// Document languages by query language.
    pub matrix: BTreeMap<Lang, BTreeMap<Lang, Cell>>,
}

/// The queries of one language.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QueryLang {
    /// How many there are.
    pub queries: usize,
    /// The share of their own language in their top `k`.
    pub same_language_share: f64,
    /// That share over the language's share of the pool, 1 being no bias; absent where the pool lacks the language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bias_ratio: Option<f64>,
    /// As [`LanguageBias::rank_gap_same_vs_other`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rank_gap_same_vs_other: Option<f64>,
}

/// Queries of one language and documents of another (or the same).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// The documents' share of the queries' top `k`.
    pub share: f64,
    /// That share over the documents' share of the pool.
    pub bias_ratio: f64,
    /// The mean rank of the first relevant document in that language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rank: Option<f64>,
    /// The mean of that rank less the rank of the first relevant document in the query's own language.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rank_gap: Option<f64>,
}

/// Measures how much `run` prefers languages: the judged queries with their languages over the languages of `pool`.
///
/// Translations of one question are found by [`question_of`]. Ranks are whole only where the run holds the whole pool.
///
/// # Errors
/// A judged query or a document of the run or the qrels without language, or no query shared by run and qrels.
pub fn language_bias(
    run: &Run,
    qrels: &Qrels,
    langs: &BTreeMap<QueryId, Lang>,
    pool: &Pool,
    k: usize,
) -> Result<LanguageBias> {
    let mut queries = Vec::new();
    let mut missing = 0;
    for (query, judged) in qrels.iter() {
        match run.get(query) {
            None => missing += 1,
            Some(hits) => queries.push(Ranked::new(query, langs, hits, judged, pool, k)?),
        }
    }
    if queries.is_empty() {
        let first = |id: Option<&QueryId>| id.map_or("none".into(), |id| snippet(id));
        let (run, qrels) = (first(run.iter().next().map(|q| q.0)), first(qrels.iter().next().map(|q| q.0)));
        return Err(Error::NoSharedQuery { run, qrels });
    }
    let by_query_lang: BTreeMap<Lang, QueryLang> =
        of_each_lang(&queries).map(|(lang, of_lang)| (lang, query_lang(lang, &of_lang, pool, k))).collect();
    Ok(LanguageBias {
        k,
        queries: queries.len(),
        missing,
        unranked: queries.iter().map(|query| query.unranked).sum(),
        pool_share: pool.shares(),
        share_in_top_k: pool.langs().map(|lang| (lang, share(&queries.iter().collect::<Vec<_>>(), lang, k))).collect(),
        bias_ratio: mean(by_query_lang.values().filter_map(|of_lang| of_lang.bias_ratio)),
        by_query_lang,
        rank_gap_same_vs_other: mean(queries.iter().filter_map(Ranked::gap)),
        translations: Translations::of(&queries, k),
        matrix: of_each_lang(&queries).map(|(lang, of_lang)| (lang, row(&of_lang, pool, k))).collect(),
    })
}

/// What is read of one query's ranking.
struct Ranked<'a> {
    query: &'a QueryId,
    lang: Lang,
    /// The first `k` documents.
    top: Vec<&'a DocId>,
    /// The languages of the first `k` documents.
    top_langs: Vec<Lang>,
    /// The ranks of the relevant documents.
    gold: BTreeMap<&'a DocId, usize>,
    /// The rank of the first relevant document of each language.
    first_gold: BTreeMap<Lang, usize>,
    unranked: usize,
}

impl<'a> Ranked<'a> {
    fn new(
        query: &'a QueryId,
        langs: &BTreeMap<QueryId, Lang>,
        hits: &'a [(DocId, f32)],
        judged: &'a BTreeMap<DocId, i32>,
        pool: &Pool,
        k: usize,
    ) -> Result<Self> {
        let lang = *langs.get(query).ok_or_else(|| Error::QueryLang { query: snippet(query) })?;
        let top: Vec<&DocId> = hits.iter().take(k).map(|(doc, _)| doc).collect();
        let relevant = judged.iter().filter(|(_, grade)| **grade > 0).map(|(doc, _)| (doc, hits.len() + 1));
        let mut gold: BTreeMap<&DocId, usize> = relevant.collect();
        for (rank, (doc, _)) in (1..).zip(hits) {
            gold.entry(doc).and_modify(|place| *place = rank);
        }
        let mut first_gold = BTreeMap::new();
        for (doc, rank) in &gold {
            let first = first_gold.entry(pool.lang(doc)?).or_insert(*rank);
            *first = (*first).min(*rank);
        }
        let unranked = gold.values().filter(|rank| **rank > hits.len()).count();
        let top_langs = top.iter().map(|doc| pool.lang(doc)).collect::<Result<_>>()?;
        Ok(Self { query, lang, top, top_langs, gold, first_gold, unranked })
    }

    /// How much worse the other languages' relevant documents rank than the own language's.
    fn gap(&self) -> Option<f64> {
        let own = *self.first_gold.get(&self.lang)?;
        let others = self.first_gold.iter().filter(|(lang, _)| **lang != self.lang);
        Some(mean(others.map(|(_, rank)| *rank as f64))? - own as f64)
    }
}

fn of_each_lang<'a>(queries: &'a [Ranked<'a>]) -> impl Iterator<Item = (Lang, Vec<&'a Ranked<'a>>)> {
    let mut groups: BTreeMap<Lang, Vec<&Ranked>> = BTreeMap::new();
    queries.iter().for_each(|query| groups.entry(query.lang).or_default().push(query));
    groups.into_iter()
}

fn query_lang(lang: Lang, queries: &[&Ranked], pool: &Pool, k: usize) -> QueryLang {
    let same_language_share = share(queries, lang, k);
    let in_pool = Some(pool.share(lang)).filter(|share| *share > 0.0);
    QueryLang {
        queries: queries.len(),
        same_language_share,
        bias_ratio: in_pool.map(|in_pool| same_language_share / in_pool),
        rank_gap_same_vs_other: mean(queries.iter().filter_map(|query| query.gap())),
    }
}

fn row(queries: &[&Ranked], pool: &Pool, k: usize) -> BTreeMap<Lang, Cell> {
    let cell = |lang: Lang| {
        let share = share(queries, lang, k);
        let rank = |query: &&Ranked| query.first_gold.get(&lang).map(|rank| *rank as f64);
        let gap = |query: &&Ranked| Some(rank(query)? - *query.first_gold.get(&query.lang)? as f64);
        Cell {
            share,
            bias_ratio: share / pool.share(lang),
            rank: mean(queries.iter().filter_map(rank)),
            rank_gap: mean(queries.iter().filter_map(gap)),
        }
    };
    pool.langs().map(|lang| (lang, cell(lang))).collect()
}

/// The mean share of `lang` in the top `k`; ranks left empty count as of no language.
fn share(queries: &[&Ranked], lang: Lang, k: usize) -> f64 {
    let of_query = |query: &&Ranked| query.top_langs.iter().filter(|other| **other == lang).count() as f64 / k as f64;
    mean(queries.iter().map(of_query)).unwrap_or(0.0)
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut n) = (0.0, 0usize);
    values.for_each(|value| (sum, n) = (sum + value, n + 1));
    (n > 0).then(|| sum / n as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lang(code: &str) -> Lang {
        code.parse().unwrap()
    }

    /// A question in two languages over six documents; the Finnish query ranks Finnish first.
    fn sample() -> (Run, Qrels, BTreeMap<QueryId, Lang>, Pool) {
        let (mut run, mut qrels, mut pool) = (Run::new(), Qrels::default(), Pool::default());
        for id in ["fi-0", "fi-1", "sw-0", "sw-1", "sw-2", "sw-3"] {
            pool.insert(id.into(), lang(&id[..2]));
        }
        let ranking = |docs: &[&str]| docs.iter().zip((0..9).rev()).map(|(d, s)| ((*d).into(), s as f32)).collect();
        run.insert("q1-fi", ranking(&["fi-0", "fi-1", "sw-0", "sw-1"])).unwrap();
        run.insert("q1-sw", ranking(&["sw-1", "fi-0", "sw-2", "sw-3", "fi-1", "sw-0"])).unwrap();
        for query in ["q1-fi", "q1-sw", "q2-fi"] {
            qrels.insert(query, "fi-0", 1);
            qrels.insert(query, "sw-0", 1);
            qrels.insert(query, "sw-1", 0);
        }
        (run, qrels, [("q1-fi", "fi"), ("q1-sw", "sw"), ("q2-fi", "fi")].map(|(q, l)| (q.into(), lang(l))).into(), pool)
    }

    #[test]
    fn shares_gaps_and_overlap_by_hand() {
        let (run, qrels, langs, pool) = sample();
        let bias = language_bias(&run, &qrels, &langs, &pool, 2).unwrap();
        assert_eq!((bias.queries, bias.missing, bias.unranked), (2, 1, 0));
        let fi = &bias.by_query_lang[&lang("fi")];
        assert_eq!((fi.same_language_share, fi.bias_ratio, fi.rank_gap_same_vs_other), (1.0, Some(3.0), Some(2.0)));
        let sw = &bias.by_query_lang[&lang("sw")];
        assert_eq!((sw.same_language_share, sw.rank_gap_same_vs_other), (0.5, Some(-4.0)));
        assert_eq!((bias.bias_ratio, bias.rank_gap_same_vs_other), (Some((3.0 + 0.75) / 2.0), Some(-1.0)));
        assert_eq!(bias.share_in_top_k[&lang("fi")], 0.75);
        let cell = &bias.matrix[&lang("fi")][&lang("sw")];
        assert_eq!((cell.share, cell.rank, cell.rank_gap), (0.0, Some(3.0), Some(2.0)));
        let translations = bias.translations.unwrap();
        assert_eq!((translations.questions, translations.overlap_at_k), (1, 0.5));
        assert_eq!(translations.rank_gap_mean_abs, Some((1.0 + 3.0) / 2.0));
        assert_eq!(translations.first_gold_rank_gap, Some(1.0));
    }

    #[test]
    fn what_the_run_lacks_ranks_last() {
        let (mut run, qrels, langs, pool) = sample();
        run.insert("q1-fi", vec![("fi-0".into(), 1.0)]).unwrap();
        let bias = language_bias(&run, &qrels, &langs, &pool, 10).unwrap();
        assert_eq!((bias.unranked, bias.by_query_lang[&lang("fi")].rank_gap_same_vs_other), (1, Some(1.0)));
        assert_eq!(bias.by_query_lang[&lang("fi")].same_language_share, 0.1);
    }

    #[test]
    fn unknown_languages_are_named() {
        let (mut run, qrels, mut langs, pool) = sample();
        let error = |run: &Run, langs: &_| language_bias(run, &qrels, langs, &pool, 2).unwrap_err().to_string();
        run.insert("q1-fi", vec![("new".into(), 1.0)]).unwrap();
        assert!(error(&run, &langs).contains("document \"new\""));
        langs.remove("q1-fi");
        assert!(error(&run, &langs).contains("query \"q1-fi\" has no language"));
        assert!(error(&Run::new(), &langs).contains("share no query"));
    }
}
