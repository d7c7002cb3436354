//! A system to compare: a run measured now, or values measured before.

use crate::exit::Fault;
use crate::result::PER_QUERY;
use isogloss_ir::{Bootstrap, Measure, PerQuery, Qrels, Scores, evaluate_file};
use std::path::{Path, PathBuf};

/// What is measured of runs where nothing was asked for.
const DEFAULT_MEASURES: [&str; 3] = ["nDCG@10", "RR@100", "R@100"];

/// A system's values by query.
pub struct System {
    /// As it was named on the command line.
    pub name: String,
    path: PathBuf,
    /// Of every measure asked for, or of all there are.
    pub values: PerQuery,
}

impl System {
    /// Reads results, or reads a run and measures it.
    ///
    /// # Errors
    /// The file cannot be read, or is a run without judgements to measure it by.
    pub fn read(path: &Path, qrels: Option<&Qrels>, measures: &[String]) -> anyhow::Result<Self> {
        let file = if path.is_dir() { path.join(PER_QUERY) } else { path.to_owned() };
        let values = match PerQuery::is_in(&file)? {
            true => PerQuery::read(&file)?,
            false => measured(&file, qrels, measures)?,
        };
        Ok(Self { name: path.display().to_string(), path: file, values })
    }

    /// The values of one measure.
    ///
    /// # Errors
    /// It was not measured.
    pub fn scores(&self, measure: &str) -> Result<Scores, Fault> {
        let problem = || format!("has no values of {measure}; those it has are {}", self.known());
        self.values.scores(measure).ok_or_else(|| Fault::new(&self.path, problem()))
    }

    /// The measures there are, as messages list them.
    pub fn known(&self) -> String {
        self.values.measures().join(", ")
    }
}

fn measured(path: &Path, qrels: Option<&Qrels>, measures: &[String]) -> anyhow::Result<PerQuery> {
    let Some(qrels) = qrels else {
        return Err(Fault::new(
            path,
            "is no result with values by query; if it is a run, give its judgements with --qrels",
        )
        .into());
    };
    let names: Vec<&str> = match measures.is_empty() {
        true => DEFAULT_MEASURES.into(),
        false => measures.iter().map(String::as_str).collect(),
    };
    let measures: Vec<Measure> = names.into_iter().map(str::parse).collect::<isogloss_ir::Result<_>>()?;
    let bootstrap = Bootstrap { resamples: 0, ..Bootstrap::default() };
    let report = evaluate_file(qrels, path, &measures, None, bootstrap)?;
    if report.counts.missing > 0 {
        let (missing, judged) = (report.counts.missing, report.counts.judged);
        eprintln!(
            "note: {}: judged queries that the run lacks and that count 0: {missing} of {judged}",
            path.display()
        );
    }
    Ok(PerQuery::from_report(&report, None))
}

/// A measure's name in its one spelling; names of other kinds stay.
pub fn canonical(measure: &str) -> String {
    measure.parse::<Measure>().map_or_else(|_| measure.to_owned(), |measure| measure.to_string())
}
