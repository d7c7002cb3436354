//! Translations of one question: they should find the same.

use super::{Ranked, mean};
use crate::Lang;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How the translations of one question fare, over questions asked in two languages or more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Translations {
    /// How many there are.
    pub questions: usize,
    /// The mean, over questions, pairs of their languages and documents relevant to both, of the difference between the
    /// document's two ranks, without its sign.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rank_gap_mean_abs: Option<f64>,
    /// The mean, over questions, of the largest less the smallest rank of the first relevant document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_gold_rank_gap: Option<f64>,
    /// The mean, over questions and pairs of their languages, of the share of the top `k` that both have.
    pub overlap_at_k: f64,
}

/// The question that a query asks: its id without its language, where that is the first or last part of it.
///
/// `sw-17`, `17-sw`, `sw_17`, `17.sw` and `17#sw` all ask `17`. Queries that ask the same question in other languages are
/// its translations. An id without its language is a question of its own.
pub fn question_of(query: &str, lang: Lang) -> &str {
    const SEPARATORS: [char; 6] = ['-', '_', '.', ':', '#', '/'];
    let code = lang.as_str();
    let head = query.get(..code.len()).filter(|head| head.eq_ignore_ascii_case(code));
    let after = head.and_then(|_| query[code.len()..].strip_prefix(SEPARATORS));
    let start = query.len().checked_sub(code.len());
    let tail = start.and_then(|start| query.get(start..)).filter(|tail| tail.eq_ignore_ascii_case(code));
    let before = tail.and_then(|_| query[..query.len() - code.len()].strip_suffix(SEPARATORS));
    after.or(before).filter(|question| !question.is_empty()).unwrap_or(query)
}

impl Translations {
    pub(super) fn of(queries: &[Ranked], k: usize) -> Option<Self> {
        let mut questions: BTreeMap<&str, BTreeMap<Lang, &Ranked>> = BTreeMap::new();
        for query in queries {
            questions.entry(question_of(query.query, query.lang)).or_default().insert(query.lang, query);
        }
        let questions: Vec<Vec<&Ranked>> = questions
            .into_values()
            .filter(|langs| langs.len() > 1)
            .map(|langs| langs.into_values().collect())
            .collect();
        let pairs = || questions.iter().flat_map(|question| pairs(question));
        Some(Self {
            questions: questions.len(),
            overlap_at_k: mean(pairs().map(|(a, b)| overlap(a, b) as f64 / k as f64))?,
            rank_gap_mean_abs: mean(pairs().flat_map(|(a, b)| gaps(a, b))),
            first_gold_rank_gap: mean(questions.iter().filter_map(|question| first_gold_gap(question))),
        })
    }
}

fn pairs<'a>(question: &'a [&'a Ranked<'a>]) -> impl Iterator<Item = (&'a Ranked<'a>, &'a Ranked<'a>)> {
    question.iter().enumerate().flat_map(|(i, a)| question[i + 1..].iter().map(move |b| (*a, *b)))
}

fn overlap(a: &Ranked, b: &Ranked) -> usize {
    let of_a: BTreeSet<_> = a.top.iter().collect();
    b.top.iter().filter(|doc| of_a.contains(doc)).count()
}

fn gaps<'a>(a: &'a Ranked, b: &'a Ranked) -> impl Iterator<Item = f64> + 'a {
    a.gold.iter().filter_map(|(doc, rank)| Some(rank.abs_diff(*b.gold.get(doc)?) as f64))
}

fn first_gold_gap(question: &[&Ranked]) -> Option<f64> {
    let firsts = || question.iter().filter_map(|query| query.first_gold.values().min());
    Some((firsts().max()? - firsts().min()?) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_at_either_end_of_an_id_is_no_part_of_the_question() {
        let cases = [
            ("sw-17", "17"),
            ("17_sw", "17"),
            ("q.SW", "q"),
            ("swim", "swim"),
            ("17", "17"),
            ("sw-", "sw-"),
            ("sw", "sw"),
            ("日本sw", "日本sw"),
        ];
        for (query, question) in cases {
            assert_eq!(question_of(query, "sw".parse().unwrap()), question);
        }
    }
}
