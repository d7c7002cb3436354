//! Two systems on the same queries: the difference by language and over all, and whether it is more than luck.

use crate::bootstrap::Interval;
use crate::error::{Error, Result, snippet};
use crate::significance::{
    Randomisation, Resampling, TTest, detectable_difference, effect_size, holm, paired_t_test, randomisation_test,
};
use crate::{Lang, QueryId};
use serde::Serialize;
use std::collections::BTreeMap;

/// The values of one measure by query.
pub type Scores = BTreeMap<QueryId, f64>;

/// What [`compare`] finds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// How intervals and randomisation tests drew.
    pub resampling: Resampling,
    /// Over all queries alike.
    pub all: Paired,
    /// Over the languages alike, whatever their numbers of queries; where languages were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub macro_mean: Option<Paired>,
    /// Over each language's queries, where languages were given.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub by_lang: BTreeMap<Lang, Paired>,
}

/// A system beside the baseline on the same queries.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Paired {
    /// Number of queries.
    pub queries: usize,
    /// The baseline's mean.
    pub baseline: f64,
    /// The other system's mean.
    pub mean: f64,
    /// The other's mean less the baseline's.
    pub difference: f64,
    /// Bootstrap interval of the difference.
    pub interval: Interval,
    /// By flipping signs; of a mean over languages, with each query weighted by its share of it.
    pub randomisation_test: Randomisation,
    /// By Student's distribution; not for a mean over languages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub t_test: Option<TTest>,
    /// Both p-values after Holm's correction over the languages; of single languages only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holm: Option<HolmP>,
    /// Cohen's d_z, where there is spread to measure it by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect_size: Option<f64>,
    /// The smallest difference that a t-test at 5 % finds with a power of 80 %, at this spread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detectable_difference: Option<f64>,
}

/// Both tests' p-values corrected over all languages of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct HolmP {
    /// Of the randomisation test.
    pub randomisation_test: f64,
    /// Of the t-test.
    pub t_test: f64,
}

impl Paired {
    /// The p-value to judge by: the randomisation test's, after Holm's correction where there is one.
    pub fn p(&self) -> f64 {
        self.holm.map_or(self.randomisation_test.p, |holm| holm.randomisation_test)
    }

    /// Whether so few queries differ that no outcome could have reached `level`.
    pub fn is_hopeless(&self, level: f64) -> bool {
        self.randomisation_test.least_p > level
    }
}

/// Compares `other` with `baseline`; with `langs`, also by language.
///
/// # Errors
/// No query at all, a query that only one of the two has, or one without language where languages are given.
pub fn compare(
    baseline: &Scores,
    other: &Scores,
    langs: Option<&BTreeMap<QueryId, Lang>>,
    resampling: &Resampling,
) -> Result<Comparison> {
    let pairs = pairs(baseline, other)?;
    let groups = langs.map(|langs| by_lang(&pairs, langs)).transpose()?.unwrap_or_default();
    let mut found: BTreeMap<Lang, Paired> =
        groups.iter().map(|(lang, pairs)| (*lang, over_queries(pairs, resampling))).collect();
    correct(&mut found);
    let all: Vec<Pair> = pairs.into_iter().map(|(_, pair)| pair).collect();
    Ok(Comparison {
        resampling: *resampling,
        all: over_queries(&all, resampling),
        macro_mean: (!groups.is_empty()).then(|| over_langs(&groups.into_values().collect::<Vec<_>>(), resampling)),
        by_lang: found,
    })
}

/// A query's values: the baseline's and the other's.
type Pair = [f64; 2];

fn pairs<'a>(baseline: &'a Scores, other: &'a Scores) -> Result<Vec<(&'a QueryId, Pair)>> {
    let alone = |a: &'a Scores, b: &Scores| a.keys().find(|query| !b.contains_key(*query));
    if let Some(query) = alone(baseline, other).or(alone(other, baseline)) {
        return Err(Error::Unpaired { query: snippet(query) });
    }
    if baseline.is_empty() {
        return Err(Error::NoQuery);
    }
    Ok(baseline.iter().zip(other.values()).map(|((query, a), b)| (query, [*a, *b])).collect())
}

fn by_lang(pairs: &[(&QueryId, Pair)], langs: &BTreeMap<QueryId, Lang>) -> Result<BTreeMap<Lang, Vec<Pair>>> {
    let mut groups: BTreeMap<Lang, Vec<Pair>> = BTreeMap::new();
    for (query, pair) in pairs {
        let lang = langs.get(*query).ok_or_else(|| Error::QueryLang { query: snippet(query) })?;
        groups.entry(*lang).or_default().push(*pair);
    }
    Ok(groups)
}

fn over_queries(pairs: &[Pair], resampling: &Resampling) -> Paired {
    let differences: Vec<f64> = pairs.iter().map(difference).collect();
    Paired {
        t_test: Some(paired_t_test(&differences)),
        effect_size: effect_size(&differences),
        detectable_difference: detectable_difference(&differences),
        ..over_groups(&[pairs], resampling)
    }
}

fn over_langs(groups: &[Vec<Pair>], resampling: &Resampling) -> Paired {
    over_groups(&groups.iter().map(Vec::as_slice).collect::<Vec<_>>(), resampling)
}

/// What holds for a mean of means, of which a mean over queries is the case of one group.
fn over_groups(groups: &[&[Pair]], resampling: &Resampling) -> Paired {
    let mean = |side: usize| {
        let means = groups.iter().map(|pairs| pairs.iter().map(|pair| pair[side]).sum::<f64>() / pairs.len() as f64);
        means.sum::<f64>() / groups.len() as f64
    };
    let weighted = |pairs: &&[Pair]| {
        let share = 1.0 / (pairs.len() * groups.len()) as f64;
        pairs.iter().map(move |pair| difference(pair) * share).collect::<Vec<_>>()
    };
    let weighted: Vec<f64> = groups.iter().flat_map(weighted).collect();
    let rows: Vec<Vec<[f64; 1]>> = groups.iter().map(|pairs| pairs.iter().map(|p| [difference(p)]).collect()).collect();
    let rows: Vec<Vec<&[f64]>> = rows.iter().map(|rows| rows.iter().map(|row| &row[..]).collect()).collect();
    let (baseline, mean) = (mean(0), mean(1));
    Paired {
        queries: weighted.len(),
        baseline,
        mean,
        difference: mean - baseline,
        interval: resampling.bootstrap().macro_mean(&rows, 1).first().copied().unwrap_or([mean - baseline; 2]),
        randomisation_test: randomisation_test(&weighted, resampling),
        t_test: None,
        holm: None,
        effect_size: None,
        detectable_difference: None,
    }
}

fn difference(pair: &Pair) -> f64 {
    pair[1] - pair[0]
}

fn correct(found: &mut BTreeMap<Lang, Paired>) {
    let p: Vec<f64> = found.values().map(|paired| paired.randomisation_test.p).collect();
    let t: Vec<f64> = found.values().map(|paired| paired.t_test.map_or(1.0, |test| test.p)).collect();
    for ((paired, randomisation_test), t_test) in found.values_mut().zip(holm(&p)).zip(holm(&t)) {
        paired.holm = Some(HolmP { randomisation_test, t_test });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(values: &[f64]) -> Scores {
        values.iter().enumerate().map(|(i, value)| (format!("q{i:03}"), *value)).collect()
    }

    fn langs(of: &[&str]) -> BTreeMap<QueryId, Lang> {
        of.iter().enumerate().map(|(i, lang)| (format!("q{i:03}"), lang.parse().unwrap())).collect()
    }

    #[test]
    fn languages_weigh_the_same_in_their_mean() {
        let (a, b) = (scores(&[0.0, 0.0, 0.0, 0.0]), scores(&[1.0, 0.0, 0.0, 0.5]));
        let found = compare(&a, &b, Some(&langs(&["fi", "fi", "fi", "sw"])), &Resampling::default()).unwrap();
        assert_eq!(found.all.difference, 0.375);
        let macro_mean = found.macro_mean.unwrap();
        assert!((macro_mean.difference - (1.0 / 3.0 + 0.5) / 2.0).abs() < 1e-15);
        // Of four patterns ±1/6 ±1/4 two are as far from 0 as the observed one.
        assert_eq!(macro_mean.randomisation_test.p, 0.5);
        assert!(macro_mean.t_test.is_none() && found.by_lang.len() == 2);
    }

    #[test]
    fn p_values_are_corrected_over_the_languages() {
        let zeros = vec![0.0; 14];
        let mut better = vec![0.1; 7];
        better.extend([0.0; 7]);
        let of = [vec!["fi"; 7], vec!["sw"; 7]].concat();
        let found = compare(&scores(&zeros), &scores(&better), Some(&langs(&of)), &Resampling::default()).unwrap();
        let (fi, sw) = (&found.by_lang[&"fi".parse().unwrap()], &found.by_lang[&"sw".parse().unwrap()]);
        assert_eq!((fi.randomisation_test.p, fi.p()), (1.0 / 64.0, 1.0 / 32.0));
        assert_eq!((sw.randomisation_test.p, sw.p()), (1.0, 1.0));
        assert!(sw.is_hopeless(0.05) && !fi.is_hopeless(0.05));
        assert_eq!((fi.interval, sw.interval), ([0.1, 0.1].map(|x: f64| (x * 7.0) / 7.0), [0.0, 0.0]));
    }

    #[test]
    fn one_query_is_defined() {
        let found = compare(&scores(&[0.2]), &scores(&[0.9]), None, &Resampling::default()).unwrap();
        assert_eq!((found.all.p(), found.all.t_test.unwrap().p), (1.0, 1.0));
        assert!(found.all.effect_size.is_none() && found.macro_mean.is_none());
        let json = serde_json::to_string(&found).unwrap();
        assert!(!json.contains("NaN") && !json.contains("null,\"p\":null"), "{json}");
    }

    #[test]
    fn other_queries_are_refused() {
        let error = compare(&scores(&[0.2]), &scores(&[0.9, 0.1]), None, &Resampling::default()).unwrap_err();
        assert!(error.to_string().contains("\"q001\""), "{error}");
        assert!(compare(&scores(&[]), &scores(&[]), None, &Resampling::default()).is_err());
        let error = compare(&scores(&[0.2]), &scores(&[0.9]), Some(&langs(&[])), &Resampling::default()).unwrap_err();
        assert!(error.to_string().contains("no language"), "{error}");
    }
}
