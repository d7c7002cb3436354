//! What was mined, for people to audit: counts, histograms, languages, and what may be wrong.

use crate::histogram::Histogram;
use crate::passages::Passages;
use isogloss_ir::Lang;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// Why a candidate was dropped: the first of these that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    /// It answers the query.
    Positive,
    /// It answers the same question in another language.
    PositiveElsewhere,
    /// It is a translation of such a document.
    Translation,
    /// It stands before a list's first rank.
    Rank,
    /// Its BM25 score is too near to the positive's.
    Bm25Margin,
    /// Its vector is too near to the query's, beside the positive's.
    DenseMargin,
    /// The reranker forbids it.
    Reranker,
    /// It is nearly the text of a positive.
    NearDuplicate,
    /// There are enough in its language.
    Quota,
    /// There are enough.
    Enough,
}

impl Rule {
    fn told(self) -> &'static str {
        match self {
            Self::Positive => "a positive itself",
            Self::PositiveElsewhere => "a positive of the question in another language",
            Self::Translation => "a translation of a positive",
            Self::Rank => "before the first rank",
            Self::Bm25Margin => "too near to the positive by bm25",
            Self::DenseMargin => "too near to the positive by dense",
            Self::Reranker => "refused by the reranker",
            Self::NearDuplicate => "a near-duplicate of a positive",
            Self::Quota => "enough in its language",
            Self::Enough => "enough",
        }
    }
}

/// Scores of one list.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ListScores {
    /// Of the positives, wherever they rank.
    pub positives: Histogram,
    /// Of everything looked at.
    pub candidates: Histogram,
    /// Of what was kept.
    pub negatives: Histogram,
}

/// A negative that was kept and comes near to its positive: a likely false one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    /// The difference of its score from the positive's, over the positive's absolute value: 0 for equal scores.
    pub nearness: f64,
    /// Whose scores they are.
    pub judge: String,
    /// The negative's score.
    pub score: f32,
    /// The positive's score.
    pub positive_score: f32,
    /// Id and text.
    pub query: [String; 2],
    /// Id and text.
    pub negative: [String; 2],
    /// Id and text of the first positive.
    pub positive: [String; 2],
}

/// What was mined. Reports of parts add up to that of the whole.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct NegativesReport {
    /// Queries with a positive: rows written.
    pub queries: u64,
    /// Those of them without a negative, and with some but fewer than asked for.
    pub without: u64,
    /// See [`NegativesReport::without`].
    pub short: u64,
    /// Documents looked at.
    pub candidates: u64,
    /// Negatives.
    pub negatives: u64,
    /// What became of the others.
    pub dropped: BTreeMap<Rule, u64>,
    /// Scores by list.
    pub scores: BTreeMap<String, ListScores>,
    /// Positives by the language of query and document; `?` for one that is not known.
    pub positive_langs: BTreeMap<String, BTreeMap<String, u64>>,
    /// Negatives by the language of query and document.
    pub negative_langs: BTreeMap<String, BTreeMap<String, u64>>,
    /// The negatives nearest to their positives, nearest first.
    pub suspects: Vec<Kept>,
}

fn code(lang: Option<Lang>) -> String {
    lang.map_or("?".to_owned(), |lang| lang.to_string())
}

impl NegativesReport {
    /// Of a query whose candidates were not looked at yet.
    pub(super) fn of_query(lang: Option<Lang>, passages: &Passages, positives: &[u32]) -> Self {
        let mut report = Self { queries: 1, ..Self::default() };
        let langs = report.positive_langs.entry(code(lang)).or_default();
        positives.iter().for_each(|row| *langs.entry(code(passages.lang(*row))).or_default() += 1);
        report
    }

    pub(super) fn list(&mut self, name: &str) -> &mut ListScores {
        self.scores.entry(name.to_owned()).or_default()
    }

    pub(super) fn dropped(&mut self, rule: Rule, count: u64) {
        *self.dropped.entry(rule).or_default() += count;
    }

    /// Counts a query's negatives by their languages.
    pub(super) fn keep(
        &mut self,
        lang: Option<Lang>,
        negatives: impl ExactSizeIterator<Item = Option<Lang>>,
        most: usize,
    ) {
        self.negatives = negatives.len() as u64;
        self.without = u64::from(negatives.len() == 0);
        self.short = u64::from(negatives.len() > 0 && negatives.len() < most);
        let langs = self.negative_langs.entry(code(lang)).or_default();
        negatives.for_each(|lang| *langs.entry(code(lang)).or_default() += 1);
    }

    /// Adds another part's, keeping the `suspects` nearest.
    pub(super) fn merge(&mut self, other: Self, suspects: usize) {
        self.queries += other.queries;
        self.without += other.without;
        self.short += other.short;
        self.candidates += other.candidates;
        self.negatives += other.negatives;
        other.dropped.into_iter().for_each(|(rule, count)| self.dropped(rule, count));
        for (list, scores) in other.scores {
            let all = self.list(&list);
            all.positives.merge(scores.positives);
            all.candidates.merge(scores.candidates);
            all.negatives.merge(scores.negatives);
        }
        for (all, part) in
            [(&mut self.positive_langs, other.positive_langs), (&mut self.negative_langs, other.negative_langs)]
        {
            for (lang, counts) in part {
                let all = all.entry(lang).or_default();
                counts.into_iter().for_each(|(lang, count)| *all.entry(lang).or_default() += count);
            }
        }
        self.suspects.extend(other.suspects);
        let name = |kept: &Kept| (kept.query[0].clone(), kept.negative[0].clone());
        self.suspects.sort_by(|a, b| b.nearness.total_cmp(&a.nearness).then_with(|| name(a).cmp(&name(b))));
        self.suspects.truncate(suspects);
    }
}

/// A bar of at most `width` blocks.
fn bar(count: u64, most: u64, width: u64) -> String {
    "#".repeat((count * width).div_ceil(most.max(1)) as usize)
}

pub(crate) fn write_histograms(f: &mut fmt::Formatter<'_>, named: &[(&str, &Histogram)]) -> fmt::Result {
    for (name, histogram) in named.iter().filter(|(_, histogram)| histogram.count() > 0) {
        writeln!(f, "  {name} ({})", histogram.count())?;
        let most = histogram.bins().map(|(_, count)| count).max().unwrap_or(0);
        for (start, count) in histogram.bins() {
            writeln!(f, "  {start:>12.4} {count:>10} {}", bar(count, most, 50))?;
        }
    }
    Ok(())
}

fn write_langs(f: &mut fmt::Formatter<'_>, langs: &BTreeMap<String, BTreeMap<String, u64>>) -> fmt::Result {
    for (lang, counts) in langs {
        let all: u64 = counts.values().sum();
        let share = |count: u64| 100.0 * count as f64 / all.max(1) as f64;
        let told: Vec<String> =
            counts.iter().map(|(lang, count)| format!("{lang} {count} ({:.1} %)", share(*count))).collect();
        writeln!(f, "  {lang}: {}", told.join(", "))?;
    }
    Ok(())
}

/// The first 240 characters, in one line.
pub(crate) fn short(text: &str) -> String {
    let mut chars = text.split_whitespace().flat_map(|word| word.chars().chain([' ']));
    let head: String = chars.by_ref().take(240).collect();
    let rest = if chars.next().is_some() { "…" } else { "" };
    format!("{}{rest}", head.trim_end())
}

impl fmt::Display for NegativesReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { queries, without, short: few, candidates, negatives, .. } = self;
        writeln!(f, "{queries} queries, {negatives} negatives of {candidates} candidates")?;
        writeln!(f, "{few} queries with fewer negatives than asked for, {without} with none")?;
        writeln!(f, "\ndropped")?;
        for (rule, count) in &self.dropped {
            let share = 100.0 * *count as f64 / (*candidates).max(1) as f64;
            writeln!(f, "  {count:>10} {share:>5.1} %  {}", rule.told())?;
        }
        writeln!(f, "\nlanguages of positives, by that of the query")?;
        write_langs(f, &self.positive_langs)?;
        writeln!(f, "\nlanguages of negatives, by that of the query")?;
        write_langs(f, &self.negative_langs)?;
        for (list, scores) in &self.scores {
            writeln!(f, "\nscores by {list}")?;
            let named = [
                ("positives", &scores.positives),
                ("candidates", &scores.candidates),
                ("negatives", &scores.negatives),
            ];
            write_histograms(f, &named)?;
        }
        writeln!(f, "\nlikely false negatives: those kept that come nearest to their positives")?;
        for kept in &self.suspects {
            let Kept { nearness, judge, score, positive_score, query, negative, positive } = kept;
            writeln!(f, "\n  {:+.1} % by {judge}: {score} beside {positive_score}", 100.0 * nearness)?;
            writeln!(f, "  query    {}: {}", query[0], short(&query[1]))?;
            writeln!(f, "  positive {}: {}", positive[0], short(&positive[1]))?;
            writeln!(f, "  negative {}: {}", negative[0], short(&negative[1]))?;
        }
        Ok(())
    }
}
