//! The development set of a run.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::yes;
use crate::error::{Error, Result};

/// A development set and what is done with its measure.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluateConfig {
    /// Steps between evaluations.
    pub every: usize,
    /// Documents of a retrieval set.
    pub corpus: Option<PathBuf>,
    /// Queries of a retrieval set.
    pub queries: Option<PathBuf>,
    /// Judgements of a retrieval set.
    pub qrels: Option<PathBuf>,
    /// Parallel text: the measure is mean accuracy@1 of sentence retrieval, both ways.
    pub parallel: Option<PathBuf>,
    /// Measure of a retrieval set.
    #[serde(default = "default_measure")]
    pub measure: String,
    /// The run stops after so many evaluations without a new best.
    pub patience: Option<usize>,
    /// Whether the model of the best evaluation is the result, rather than the last one.
    #[serde(default = "yes")]
    pub keep_best: bool,
}

fn default_measure() -> String {
    "nDCG@10".into()
}

impl EvaluateConfig {
    pub(super) fn check(&self) -> Result<()> {
        let retrieval = [&self.corpus, &self.queries, &self.qrels].map(Option::is_some);
        if self.every == 0 {
            return Err(Error::value("evaluate.every", "must be positive"));
        }
        match (retrieval, self.parallel.is_some()) {
            ([true, true, true], false) | ([false, false, false], true) => Ok(()),
            _ => Err(Error::value("evaluate", "needs corpus, queries and qrels together, or parallel alone")),
        }
    }
}
