//! Weights fitted on a development set: one for all languages, and one for each.

use super::{Floor, Fusion, Scale, Weights, fuse};
use crate::error::{Error, Result, snippet};
use crate::{Lang, Measure, Qrels, QueryId, Run};
use serde::Serialize;
use std::collections::BTreeMap;

/// How weights are fitted.
#[derive(Debug, Clone, PartialEq)]
pub struct FitOptions {
    /// What brings scores to one scale.
    pub scale: Scale,
    /// What documents scored that the first run's lists lack, and the second's; the lowest where nothing is said.
    pub floors: Vec<Floor>,
    /// The number of documents that the lists of each were to hold.
    pub depths: [usize; 2],
    /// What is to be highest.
    pub measure: Measure,
    /// The weights of the second list that are tried, in rising order; at least one.
    pub alphas: Vec<f64>,
    /// Documents kept per query.
    pub k: usize,
    /// Parts of a language's queries that are held out in turn; at least 2.
    pub folds: usize,
}

impl FitOptions {
    /// Weights from 0 to `most` in `steps` equal steps.
    pub fn grid(most: f64, steps: usize) -> Vec<f64> {
        (0..=steps).map(|step| most * step as f64 / steps as f64).collect()
    }
}

/// The measure of one language, or of the unweighted mean over languages.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LangFit {
    /// Its judged queries.
    pub queries: usize,
    /// The measure of the first run alone, and of the second.
    pub alone: [f64; 2],
    /// With the one weight that is best in the mean over languages.
    pub one: f64,
    /// With the language's own weight.
    pub own: f64,
    /// With its own weight fitted on its other queries: what may be expected of queries not seen.
    pub held_out: f64,
}

/// What [`fit`] finds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fit {
    /// The weights.
    pub weights: Weights,
    /// What was made highest.
    pub measure: Measure,
    /// By language.
    pub langs: BTreeMap<Lang, LangFit>,
    /// The mean of the languages.
    pub mean: LangFit,
}

impl Fit {
    /// Languages in which the one weight for all is worse than the better run alone.
    pub fn hurt(&self) -> impl Iterator<Item = Lang> {
        self.langs.iter().filter(|(_, fit)| fit.one < fit.alone[0].max(fit.alone[1])).map(|(lang, _)| *lang)
    }
}

/// Values of the judged queries of one language: a row for every weight.
struct Values {
    by_alpha: Vec<Vec<f64>>,
    alone: [f64; 2],
}

/// Fits the weight of the second of two runs, to all languages together and to each.
///
/// A judged query that a run lacks counts with what the other finds. Of weights that are equally good the one for all is
/// the lowest, a language's the nearest to the one for all.
///
/// # Errors
/// Neither run has a judged query, or such a query has no language.
pub fn fit(runs: &[Run; 2], qrels: &Qrels, langs: &BTreeMap<QueryId, Lang>, options: &FitOptions) -> Result<Fit> {
    let mut groups: BTreeMap<Lang, Vec<&QueryId>> = BTreeMap::new();
    for (query, _) in qrels.iter() {
        let lang = langs.get(query).ok_or_else(|| Error::QueryLang { query: snippet(query) })?;
        groups.entry(*lang).or_default().push(query);
    }
    for run in runs {
        crate::evaluate::count(qrels, run)?;
    }
    let judged = [0, 1].map(|at| judged(&runs[at], qrels));
    let filled = Floor::filled(&options.floors, &options.depths);
    let with = |alpha: &f64| fuse(&judged, &Fusion::of_two(options.scale, *alpha).filled(&filled), options.k);
    let by_alpha: Vec<Run> = options.alphas.iter().map(with).collect::<Result<_>>()?;
    let values = |run: &Run, queries: &[&QueryId]| -> Vec<f64> {
        let value = |query: &&QueryId| {
            let grades = qrels.get(query).expect("a judged query");
            options.measure.of(run.get(query).unwrap_or_default(), grades)
        };
        queries.iter().map(value).collect()
    };
    let of_group = |(lang, queries): (&Lang, &Vec<&QueryId>)| {
        let by_alpha = by_alpha.iter().map(|run| values(run, queries)).collect();
        (*lang, Values { by_alpha, alone: [0, 1].map(|at| mean(values(&judged[at], queries).into_iter())) })
    };
    let groups: BTreeMap<Lang, Values> = groups.iter().map(of_group).collect();
    Ok(chosen(&groups, options))
}

/// The judged queries of a run.
fn judged(run: &Run, qrels: &Qrels) -> Run {
    let mut judged = Run::new();
    for (query, hits) in run.iter().filter(|(query, _)| qrels.get(query).is_some()) {
        judged.insert(query.clone(), hits.to_vec()).expect("a run was checked when it was made");
    }
    judged
}

fn chosen(groups: &BTreeMap<Lang, Values>, options: &FitOptions) -> Fit {
    let of_all = |at: usize| mean(groups.values().map(|values| mean(values.by_alpha[at].iter().copied())));
    let one = highest(options.alphas.len(), 0, of_all);
    let mut own = BTreeMap::new();
    let mut langs = BTreeMap::new();
    for (lang, values) in groups {
        let queries = values.by_alpha[0].len();
        let best_on = |used: &dyn Fn(usize) -> bool| {
            let of =
                |at: usize| mean(values.by_alpha[at].iter().enumerate().filter(|(i, _)| used(*i)).map(|(_, v)| *v));
            highest(options.alphas.len(), one, of)
        };
        let best = best_on(&|_| true);
        let folds = options.folds.min(queries);
        let held_out = |i: usize| match folds {
            1 => values.by_alpha[one][i],
            _ => values.by_alpha[best_on(&|other| other % folds != i % folds)][i],
        };
        own.insert(*lang, options.alphas[best]);
        let fit = LangFit {
            queries,
            alone: values.alone,
            one: mean(values.by_alpha[one].iter().copied()),
            own: mean(values.by_alpha[best].iter().copied()),
            held_out: mean((0..queries).map(held_out)),
        };
        langs.insert(*lang, fit);
    }
    let over = |value: &dyn Fn(&LangFit) -> f64| mean(langs.values().map(value));
    let mean = LangFit {
        queries: langs.values().map(|fit| fit.queries).sum(),
        alone: [over(&|fit| fit.alone[0]), over(&|fit| fit.alone[1])],
        one: over(&|fit| fit.one),
        own: over(&|fit| fit.own),
        held_out: over(&|fit| fit.held_out),
    };
    let (scale, floors) = (options.scale, options.floors.clone());
    let weights = Weights { scale, floors, all: options.alphas[one], langs: own };
    Fit { weights, measure: options.measure, langs, mean }
}

/// The place of the highest value, of equal ones the nearest to `near`, then the first.
fn highest(n: usize, near: usize, value: impl Fn(usize) -> f64) -> usize {
    let mut best = (0usize, value(0));
    for at in 1..n {
        let value = value(at);
        if value > best.1 || (value == best.1 && at.abs_diff(near) < best.0.abs_diff(near)) {
            best = (at, value);
        }
    }
    best.0
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut n) = (0.0, 0usize);
    for value in values {
        sum += value;
        n += 1;
    }
    if n == 0 { 0.0 } else { sum / n as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twelve Finnish queries that the first run answers, twelve Swahili ones that the second does; both are sure.
    fn sample() -> ([Run; 2], Qrels, BTreeMap<QueryId, Lang>) {
        let (mut runs, mut qrels, mut langs) = ([Run::new(), Run::new()], Qrels::default(), BTreeMap::new());
        for i in 0..24 {
            let (query, finnish) = (format!("q{i:02}"), i % 2 == 0);
            let (right, wrong) = (("right".to_owned(), 1.0), ("wrong".to_owned(), 0.0));
            let (wrong_first, right_last) = (("wrong".to_owned(), 1.0), ("right".to_owned(), 0.0));
            let [good, bad] = [vec![right, wrong], vec![wrong_first, right_last]];
            let hits = if finnish { [good, bad] } else { [bad, good] };
            for (run, hits) in runs.iter_mut().zip(hits) {
                run.insert(query.clone(), hits).unwrap();
            }
            qrels.insert(query.clone(), "right", 1);
            langs.insert(query, if finnish { "fi" } else { "sw" }.parse().unwrap());
        }
        (runs, qrels, langs)
    }

    fn options(measure: &str) -> FitOptions {
        let alphas = FitOptions::grid(1.0, 4);
        let measure = measure.parse().unwrap();
        FitOptions { scale: Scale::MinMax, floors: Vec::new(), depths: [10; 2], measure, alphas, k: 10, folds: 5 }
    }

    #[test]
    fn languages_get_the_weight_that_serves_them_and_one_weight_hurts() {
        let (runs, qrels, langs) = sample();
        let fit = fit(&runs, &qrels, &langs, &options("RR@10")).unwrap();
        let [fi, sw] = ["fi", "sw"].map(|code| code.parse::<Lang>().unwrap());
        assert_eq!((fit.langs[&fi].alone, fit.langs[&sw].alone), ([1.0, 0.5], [0.5, 1.0]));
        assert!(fit.weights.langs[&fi] < 0.5 && fit.weights.langs[&sw] > 0.5, "{:?}", fit.weights);
        assert_eq!((fit.mean.own, fit.mean.held_out, fit.mean.queries), (1.0, 1.0, 24));
        // One weight serves one of the two.
        assert_eq!(fit.mean.one, 0.75);
        assert_eq!(fit.hurt().count(), 1);
    }

    #[test]
    fn the_one_weight_is_the_lowest_of_the_best_and_a_lone_query_is_measured_with_it() {
        let (mut runs, mut qrels, mut langs) = sample();
        runs[0].insert("lone", vec![("right".into(), 3.0)]).unwrap();
        qrels.insert("lone", "right", 1);
        let ko: Lang = "ko".parse().unwrap();
        langs.insert("lone".into(), ko);
        let fit = fit(&runs, &qrels, &langs, &options("Success@2")).unwrap();
        assert_eq!((fit.weights.all, fit.weights.langs[&ko]), (0.0, 0.0));
        assert_eq!((fit.langs[&ko].alone, fit.langs[&ko].held_out), ([1.0, 0.0], 1.0));
    }

    #[test]
    fn weights_are_fitted_with_the_floor_that_they_are_used_with() {
        // The first run finds the right one alone; the second has it in the middle.
        let (mut runs, mut qrels, mut langs) = ([Run::new(), Run::new()], Qrels::default(), BTreeMap::new());
        runs[0].insert("q", vec![("right".into(), 9.0)]).unwrap();
        runs[1].insert("q", vec![("a".into(), 0.9), ("right".into(), 0.8), ("b".into(), 0.1)]).unwrap();
        qrels.insert("q", "right", 1);
        langs.insert("q".to_owned(), "nb".parse().unwrap());
        let with = |floors: Vec<Floor>| {
            let options = FitOptions { alphas: vec![0.5], floors, ..options("RR@10") };
            fit(&runs, &qrels, &langs, &options).unwrap()
        };
        assert_eq!(with(Vec::new()).mean.one, 0.5);
        let zero = with(vec![Floor::Zero]);
        assert_eq!((zero.mean.one, zero.weights.floors), (1.0, vec![Floor::Zero]));
    }

    #[test]
    fn a_query_without_language_and_a_run_of_another_set_are_refused() {
        let (runs, qrels, mut langs) = sample();
        let other = {
            let mut run = Run::new();
            run.insert("z", vec![("d".into(), 1.0)]).unwrap();
            run
        };
        let error = fit(&[runs[0].clone(), other], &qrels, &langs, &options("RR@10")).unwrap_err().to_string();
        assert!(error.contains("share no query"), "{error}");
        langs.remove("q03");
        let error = fit(&runs, &qrels, &langs, &options("RR@10")).unwrap_err().to_string();
        assert!(error.contains("\"q03\""), "{error}");
    }
}
