//! A run against judgements: every query, every language, the means and how sure they are.

use crate::bootstrap::{Bootstrap, Interval};
use crate::error::{Error, Result, snippet};
use crate::run_blocks::judge_blocks;
use crate::{DocId, Lang, Measure, Qrels, QueryId, Run};
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;
use std::path::Path;

/// Measured values in the order in which the measures were asked for; a JSON object under their names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Values<T = f64>(pub Vec<(Measure, T)>);

impl<T: Copy> Values<T> {
    /// The value of a measure that was asked for.
    pub fn get(&self, measure: Measure) -> Option<T> {
        self.0.iter().find(|(m, _)| *m == measure).map(|(_, value)| *value)
    }
}

impl<T: Serialize> Serialize for Values<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(measure, value)| (measure, value)))
    }
}

/// What [`evaluate`] finds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The run's name, where it was given one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// The mean over all judged queries; one that the run lacks counts 0.
    pub mean: Values,
    /// The mean of each language's queries, where languages were given.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub by_lang: BTreeMap<Lang, Values>,
    /// The unweighted mean of the languages' means, where languages were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub macro_mean: Option<Values>,
    /// How sure the means are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Intervals>,
    /// How many queries the report rests on.
    pub counts: Counts,
    /// The values of every judged query.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub queries: BTreeMap<QueryId, Values>,
}

/// Bootstrap intervals of the means and how they were drawn.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Intervals {
    /// How they were drawn.
    pub bootstrap: Bootstrap,
    /// Of the mean over all queries.
    pub mean: Values<Interval>,
    /// Of each language's mean.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub by_lang: BTreeMap<Lang, Values<Interval>>,
    /// Of the mean of the languages' means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub macro_mean: Option<Values<Interval>>,
}

/// Queries of run and qrels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Queries with judgements: what the mean is over.
    pub judged: usize,
    /// Judged queries that the run lacks: they count 0.
    pub missing: usize,
    /// Queries of the run without judgements: they are passed over.
    pub unjudged: usize,
}

/// Measures a run, with intervals of 1000 resamples drawn from seed 42.
///
/// With `langs` every judged query needs a language.
///
/// # Errors
/// When run and qrels share no query, or a judged query has no language.
pub fn evaluate(
    qrels: &Qrels,
    run: &Run,
    measures: &[Measure],
    langs: Option<&BTreeMap<QueryId, Lang>>,
) -> Result<Report> {
    evaluate_with(qrels, run, measures, langs, Bootstrap::default())
}

/// As [`evaluate`] with intervals drawn as `bootstrap` says.
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_with(
    qrels: &Qrels,
    run: &Run,
    measures: &[Measure],
    langs: Option<&BTreeMap<QueryId, Lang>>,
    bootstrap: Bootstrap,
) -> Result<Report> {
    let counts = count(qrels, run)?;
    let of = |ranking, judged| measures.iter().map(|measure| measure.of(ranking, judged)).collect();
    let rows =
        qrels.iter().map(|(query, judged)| (query, of(run.get(query).unwrap_or_default(), judged))).collect::<Vec<_>>();
    report(&rows, counts, measures, langs, bootstrap)
}

/// As [`evaluate_with`] for a run in a file, without holding it where the rows of every query lie together, as programs write them.
///
/// Memory is then a few blocks of the file and the values of the queries. Other runs are read whole.
///
/// # Errors
/// As [`Run::read`] and [`evaluate`].
pub fn evaluate_file(
    qrels: &Qrels,
    path: &Path,
    measures: &[Measure],
    langs: Option<&BTreeMap<QueryId, Lang>>,
    bootstrap: Bootstrap,
) -> Result<Report> {
    let Some(found) = judge_blocks(qrels, path, measures)? else {
        return evaluate_with(qrels, &Run::read(path)?, measures, langs, bootstrap);
    };
    let unjudged = found.values().filter(|values| values.is_none()).count();
    let missing = qrels.len() + unjudged - found.len();
    let of = |query: &QueryId, judged: &BTreeMap<DocId, i32>| match found.get(query) {
        Some(Some(values)) => values.clone(),
        _ => measures.iter().map(|measure| measure.of_grades(&[], judged)).collect(),
    };
    let rows: Vec<_> = qrels.iter().map(|(query, judged)| (query, of(query, judged))).collect();
    report(&rows, Counts { judged: qrels.len(), missing, unjudged }, measures, langs, bootstrap)
}

/// The report of `rows`: every judged query and its values, a column per measure.
fn report(
    rows: &[(&QueryId, Vec<f64>)],
    counts: Counts,
    measures: &[Measure],
    langs: Option<&BTreeMap<QueryId, Lang>>,
    bootstrap: Bootstrap,
) -> Result<Report> {
    let all: Vec<&[f64]> = rows.iter().map(|(_, row)| row.as_slice()).collect();
    let groups = langs.map(|langs| by_lang(rows, langs)).transpose()?.unwrap_or_default();
    let by_lang: BTreeMap<Lang, Vec<f64>> =
        groups.iter().map(|(lang, rows)| (*lang, mean(rows, measures.len()))).collect();
    let macro_mean = (!by_lang.is_empty()).then(|| {
        let means: Vec<&[f64]> = by_lang.values().map(Vec::as_slice).collect();
        mean(&means, measures.len())
    });
    Ok(Report {
        run: None,
        mean: named(measures, mean(&all, measures.len())),
        by_lang: by_lang.into_iter().map(|(lang, means)| (lang, named(measures, means))).collect(),
        macro_mean: macro_mean.map(|means| named(measures, means)),
        interval: (bootstrap.resamples > 0).then(|| intervals(measures, &all, &groups, bootstrap)),
        counts,
        queries: rows.iter().map(|(query, row)| ((*query).clone(), named(measures, row.clone()))).collect(),
    })
}

type Groups<'a> = BTreeMap<Lang, Vec<&'a [f64]>>;

fn intervals(measures: &[Measure], all: &[&[f64]], groups: &Groups<'_>, bootstrap: Bootstrap) -> Intervals {
    let k = measures.len();
    let of_lang = |(lang, rows): (&Lang, &Vec<&[f64]>)| (*lang, named(measures, bootstrap.mean(rows, k)));
    let macro_mean = || {
        let groups: Vec<_> = groups.values().cloned().collect();
        named(measures, bootstrap.macro_mean(&groups, k))
    };
    Intervals {
        bootstrap,
        mean: named(measures, bootstrap.mean(all, k)),
        by_lang: groups.iter().map(of_lang).collect(),
        macro_mean: (!groups.is_empty()).then(macro_mean),
    }
}

fn by_lang<'a>(rows: &'a [(&QueryId, Vec<f64>)], langs: &BTreeMap<QueryId, Lang>) -> Result<Groups<'a>> {
    let mut groups = Groups::new();
    for (query, row) in rows {
        let lang = langs.get(*query).ok_or_else(|| Error::QueryLang { query: snippet(query) })?;
        groups.entry(*lang).or_default().push(row);
    }
    Ok(groups)
}

fn mean(rows: &[&[f64]], columns: usize) -> Vec<f64> {
    (0..columns).map(|i| rows.iter().map(|row| row[i]).sum::<f64>() / rows.len() as f64).collect()
}

fn named<T>(measures: &[Measure], values: Vec<T>) -> Values<T> {
    Values(measures.iter().copied().zip(values).collect())
}

/// How many queries run and qrels have together.
///
/// # Errors
/// None.
pub(crate) fn count(qrels: &Qrels, run: &Run) -> Result<Counts> {
    let missing = qrels.iter().filter(|(query, _)| run.get(query).is_none()).count();
    let shared = qrels.len() - missing;
    if shared == 0 {
        return Err(Error::NoSharedQuery {
            run: two_of(run.iter().map(|(query, _)| query)),
            qrels: two_of(qrels.iter().map(|(query, _)| query)),
        });
    }
    Ok(Counts { judged: qrels.len(), missing, unjudged: run.len() - shared })
}

fn two_of<'a>(queries: impl Iterator<Item = &'a QueryId>) -> String {
    let examples: Vec<_> = queries.take(2).map(|query| snippet(query)).collect();
    if examples.is_empty() { "none".into() } else { format!("{} …", examples.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Qrels, Run) {
        let (mut qrels, mut run) = (Qrels::default(), Run::new());
        for query in ["q1", "q2", "q3", "q4"] {
            qrels.insert(query, "d1", 1);
        }
        run.insert("q1", vec![("d1".into(), 1.0)]).unwrap();
        run.insert("q2", vec![("d1".into(), 1.0), ("d2".into(), 2.0)]).unwrap();
        run.insert("q3", vec![("d2".into(), 2.0)]).unwrap();
        run.insert("q9", vec![("d1".into(), 2.0)]).unwrap();
        (qrels, run)
    }

    fn langs() -> BTreeMap<QueryId, Lang> {
        [("q1", "sw"), ("q2", "fi"), ("q3", "fi"), ("q4", "fi")].map(|(q, l)| (q.to_owned(), l.parse().unwrap())).into()
    }

    #[test]
    fn means_are_over_judged_queries_and_unweighted_over_languages() {
        let (qrels, run) = sample();
        let rr = "RR@10".parse().unwrap();
        let report = evaluate(&qrels, &run, &[rr], Some(&langs())).unwrap();
        assert_eq!(report.counts, Counts { judged: 4, missing: 1, unjudged: 1 });
        assert_eq!(report.mean.get(rr), Some(1.5 / 4.0));
        assert_eq!(report.by_lang[&"fi".parse().unwrap()].get(rr), Some(0.5 / 3.0));
        assert_eq!(report.macro_mean.unwrap().get(rr), Some((1.0 + 0.5 / 3.0) / 2.0));
        assert_eq!(report.interval.unwrap().by_lang[&"sw".parse().unwrap()].get(rr), Some([1.0, 1.0]));
    }

    #[test]
    fn the_report_is_json_under_the_measures_names() {
        let (qrels, run) = sample();
        let mut report = evaluate(&qrels, &run, &["nDCG@10".parse().unwrap()], Some(&langs())).unwrap();
        report.run = Some("a.trec".into());
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["run"], "a.trec");
        assert_eq!(json["by_lang"]["sw"]["nDCG@10"], 1.0);
        assert_eq!(json["queries"]["q4"]["nDCG@10"], 0.0);
        assert_eq!(json["interval"]["bootstrap"]["resamples"], 1000);
        assert!(json["mean"]["nDCG@10"].is_f64() && json["interval"]["mean"]["nDCG@10"][1].is_f64());
    }

    #[test]
    fn a_run_of_another_set_is_refused_with_examples() {
        let (qrels, _) = sample();
        let mut run = Run::new();
        run.insert("other1", vec![("d1".into(), 1.0)]).unwrap();
        let error = evaluate(&qrels, &run, &[], None).unwrap_err().to_string();
        assert!(error.contains("\"other1\"") && error.contains("\"q1\", \"q2\""), "{error}");
    }

    #[test]
    fn a_query_without_language_is_named() {
        let (qrels, run) = sample();
        let mut langs = langs();
        langs.remove("q3");
        let error = evaluate(&qrels, &run, &[], Some(&langs)).unwrap_err().to_string();
        assert!(error.contains("\"q3\""), "{error}");
    }
}
