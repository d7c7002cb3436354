//! What was mined, by language: yield, what fell to which rule, precision where there are judgements, scores.

use crate::histogram::Histogram;
use crate::negatives::{short, write_histograms};
use isogloss_ir::Lang;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// A pair to look at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// How far the positive is ahead of the next.
    pub lead: f64,
    /// Its fused score.
    pub score: f64,
    /// Id and text.
    pub query: [String; 2],
    /// Id and text.
    pub positive: [String; 2],
}

/// The queries of one language.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct LangPairs {
    /// All of them.
    pub queries: u64,
    /// For which nothing was found.
    pub nothing: u64,
    /// Whose best document is not in the top of every list.
    pub not_at_top: u64,
    /// Whose best document does not lead by enough.
    pub short_lead: u64,
    /// Whose best document does not find the query back.
    pub not_found_back: u64,
    /// With a positive: rows written.
    pub mined: u64,
    /// Hard negatives.
    pub negatives: u64,
    /// Documents that are no negatives because they are nearly the positive.
    pub near_duplicates: u64,
    /// Hard negatives by language; `?` for one that is not known.
    pub negative_langs: BTreeMap<String, u64>,
    /// Mined queries that have a judged positive at all.
    pub with_positive: u64,
    /// Mined pairs that are judged.
    pub judged: u64,
    /// Mined pairs that are judged relevant.
    pub right: u64,
    /// Fused scores of every query's best document.
    pub scores: Histogram,
    /// Leads of every query's best document.
    pub leads: Histogram,
    /// Fused scores of the positives.
    pub mined_scores: Histogram,
    /// The pairs with the smallest lead.
    pub samples: Vec<Sample>,
}

/// What was mined. Reports of parts add up to that of the whole.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PairsReport {
    /// By the language of the queries; `?` where it is not known.
    pub langs: BTreeMap<String, LangPairs>,
}

impl PairsReport {
    pub(super) fn lang(&mut self, lang: Option<Lang>) -> &mut LangPairs {
        self.langs.entry(lang.map_or("?".to_owned(), |lang| lang.to_string())).or_default()
    }

    /// Rows written.
    pub fn mined(&self) -> u64 {
        self.langs.values().map(|lang| lang.mined).sum()
    }

    /// Adds another part's, keeping `samples` pairs of each language.
    pub(super) fn merge(&mut self, other: Self, samples: usize) {
        for (lang, part) in other.langs {
            let all = self.langs.entry(lang).or_default();
            all.queries += part.queries;
            all.nothing += part.nothing;
            all.not_at_top += part.not_at_top;
            all.short_lead += part.short_lead;
            all.not_found_back += part.not_found_back;
            all.mined += part.mined;
            all.negatives += part.negatives;
            all.near_duplicates += part.near_duplicates;
            all.with_positive += part.with_positive;
            all.judged += part.judged;
            all.right += part.right;
            for (lang, count) in part.negative_langs {
                *all.negative_langs.entry(lang).or_default() += count;
            }
            all.scores.merge(part.scores);
            all.leads.merge(part.leads);
            all.mined_scores.merge(part.mined_scores);
            all.samples.extend(part.samples);
            all.samples.sort_by(|a, b| a.lead.total_cmp(&b.lead).then_with(|| a.query[0].cmp(&b.query[0])));
            all.samples.truncate(samples);
        }
    }
}

impl fmt::Display for PairsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (lang, of) in &self.langs {
            let share = |count: u64, all: u64| 100.0 * count as f64 / all.max(1) as f64;
            writeln!(
                f,
                "{lang}: {} pairs from {} queries ({:.1} %)",
                of.mined,
                of.queries,
                share(of.mined, of.queries)
            )?;
            for (count, told) in [
                (of.nothing, "found nothing"),
                (of.not_at_top, "best document not in the top of every list"),
                (of.short_lead, "lead too short"),
                (of.not_found_back, "query not found back"),
            ] {
                writeln!(f, "  {count:>10} {:>5.1} %  {told}", share(count, of.queries))?;
            }
            if of.with_positive > 0 {
                let precision = share(of.right, of.with_positive);
                writeln!(
                    f,
                    "  judged relevant: {} of {} mined queries with judged positives ({precision:.1} %), {} pairs judged",
                    of.right, of.with_positive, of.judged
                )?;
            }
            let langs: Vec<String> = of.negative_langs.iter().map(|(lang, count)| format!("{lang} {count}")).collect();
            writeln!(
                f,
                "  {} hard negatives ({}), {} near-duplicates of positives left out",
                of.negatives,
                langs.join(", "),
                of.near_duplicates
            )?;
            let named = [
                ("fused score of the best", &of.scores),
                ("fused score of positives", &of.mined_scores),
                ("lead of the best", &of.leads),
            ];
            write_histograms(f, &named)?;
            for sample in &of.samples {
                writeln!(f, "\n  lead {:.4}, score {:.4}", sample.lead, sample.score)?;
                writeln!(f, "  query    {}: {}", sample.query[0], short(&sample.query[1]))?;
                writeln!(f, "  positive {}: {}", sample.positive[0], short(&sample.positive[1]))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
