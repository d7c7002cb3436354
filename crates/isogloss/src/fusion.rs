//! How two runs or more become one, as the command line says it.

use crate::exit::Fault;
use crate::model::positive;
use isogloss_ir::fusion::Weights;
use isogloss_ir::{Fusion, Lang, Scale};
use std::path::PathBuf;

/// Options of fusion.
#[derive(Debug, Clone, clap::Args)]
pub struct FusionOptions {
    /// rrf sums 1 / (k + rank); minmax, zscore and sum (scores as they are) weigh 1 - alpha and alpha; mrtydi is Mr. TyDi's
    /// hybrid, 1 and alpha over centred scores [default: rrf].
    #[arg(long, value_name = "rrf|minmax|zscore|mrtydi|sum")]
    method: Option<String>,

    /// k of rrf [default: 60].
    #[arg(long, value_name = "N", value_parser = positive)]
    rrf_k: Option<usize>,

    /// Weight of the second run, that of the vectors [default: 0.5].
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    alpha: Option<f64>,

    /// A weight for every language of queries, as `isogloss fuse --fit` wrote them.
    #[arg(long, value_name = "WEIGHTS.json", conflicts_with_all = ["method", "rrf_k", "alpha"])]
    alphas: Option<PathBuf>,
}

/// What becomes of the lists of a query.
pub enum Fusing {
    /// The same for all queries.
    Alike(Fusion),
    /// As its language says.
    ByLang(Weights),
}

impl Fusing {
    /// For a query in `lang`.
    pub fn of(&self, lang: Option<Lang>) -> Fusion {
        match self {
            Self::Alike(fusion) => fusion.clone(),
            Self::ByLang(weights) => weights.fusion(lang),
        }
    }

    /// Whether the language matters.
    pub fn needs_lang(&self) -> bool {
        matches!(self, Self::ByLang(_))
    }
}

impl FusionOptions {
    /// The first of them that was given, by name.
    pub fn given(&self) -> Option<&'static str> {
        let given = [
            (self.method.is_some(), "--method"),
            (self.rrf_k.is_some(), "--rrf-k"),
            (self.alpha.is_some(), "--alpha"),
            (self.alphas.is_some(), "--alphas"),
        ];
        given.into_iter().find(|(given, _)| *given).map(|(_, name)| name)
    }

    /// For two lists.
    ///
    /// # Errors
    /// An unknown method, a weight where there is none, or a file of weights that cannot be read.
    pub fn open(&self) -> anyhow::Result<Fusing> {
        if let Some(path) = &self.alphas {
            return Ok(Fusing::ByLang(Weights::read(path)?));
        }
        Ok(Fusing::Alike(match self.scale()? {
            Some(scale) => Fusion::of_two(scale, self.alpha.unwrap_or(0.5)),
            None => self.reciprocal(),
        }))
    }

    /// For as many lists as there are `weights`.
    ///
    /// # Errors
    /// As [`FusionOptions::open`]; a weight that is not finite.
    pub fn weighted(&self, weights: Vec<f64>) -> anyhow::Result<Fusing> {
        finite("--weights", &weights)?;
        match self.scale()? {
            Some(scale) => Ok(Fusing::Alike(Fusion::Weighted { scale, weights })),
            None => Err(unweighted().into()),
        }
    }

    /// For any number of lists, all alike.
    ///
    /// # Errors
    /// The method needs weights.
    pub fn unweighted(&self) -> anyhow::Result<Fusing> {
        match (self.scale()?, self.alphas.is_some() || self.alpha.is_some()) {
            (None, false) => Ok(Fusing::Alike(self.reciprocal())),
            _ => Err(Fault::option("--alpha", "weighs two runs; give --weights for more").into()),
        }
    }

    /// The scale of a weighted method; `None` for rrf.
    ///
    /// # Errors
    /// The method is unknown, or rrf is given a weight.
    pub fn scale(&self) -> anyhow::Result<Option<Scale>> {
        finite("--alpha", self.alpha.as_slice())?;
        match self.method.as_deref().unwrap_or("rrf") {
            "rrf" if self.alpha.is_some() => Err(unweighted().into()),
            "rrf" => Ok(None),
            _ if self.rrf_k.is_some() => Err(Fault::option("--rrf-k", "is rrf's alone; leave it out").into()),
            name => Ok(Some(name.parse()?)),
        }
    }

    fn reciprocal(&self) -> Fusion {
        Fusion::Reciprocal { k: self.rrf_k.unwrap_or(60) as f64 }
    }
}

fn unweighted() -> Fault {
    Fault::option("--method", "rrf takes no weights; leave them out, or choose minmax, zscore, mrtydi or sum")
}

fn finite(option: &str, weights: &[f64]) -> Result<(), Fault> {
    match weights.iter().all(|weight| weight.is_finite()) {
        true => Ok(()),
        false => Err(Fault::option(option, "must be finite numbers")),
    }
}
