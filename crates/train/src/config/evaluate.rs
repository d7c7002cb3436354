//! The development set of a run.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::yes;
use crate::error::{Error, Result};
use crate::held_out::Likelihood;

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
    /// Measure of a retrieval set, nDCG@10 if not given; of a generator `perplexity`, which is the default, or `loss`.
    pub measure: Option<String>,
    /// The run stops after so many evaluations without a new best.
    pub patience: Option<usize>,
    /// Whether the model of the best evaluation is the result, rather than the last one.
    #[serde(default = "yes")]
    pub keep_best: bool,
}

impl EvaluateConfig {
    /// The measure, its default filled in for an encoder, or for a generator.
    pub fn measure(&self, generates: bool) -> &str {
        self.measure.as_deref().unwrap_or(if generates { "perplexity" } else { "nDCG@10" })
    }

    pub(super) fn check(&self, generates: bool) -> Result<()> {
        let retrieval = [&self.corpus, &self.queries, &self.qrels].map(Option::is_some);
        if self.every == 0 {
            return Err(Error::value("evaluate.every", "must be positive"));
        }
        if generates {
            self.measure(true).parse::<Likelihood>()?;
        }
        match (retrieval, self.parallel.is_some()) {
            ([true, true, true], false) | ([false, false, false], true) => Ok(()),
            _ => Err(Error::value("evaluate", "needs corpus, queries and qrels together, or parallel alone")),
        }
    }
}
