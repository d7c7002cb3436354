//! How two runs or more become one, as the command line says it.

use crate::exit::Fault;
use crate::model::positive;
use isogloss_ir::fusion::Weights;
use isogloss_ir::{Floor, Fusion, Lang, Scale};
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

    /// What a document has scored in a list that lacks it: the list's lowest score, or zero where the list ended before its
    /// depth, as BM25's do when no other document has a word of the query. For the first run, or apart by commas for the first
    /// ones [default: lowest; in search --hybrid, whose first list is BM25's, zero].
    #[arg(long, value_name = "lowest|zero", value_delimiter = ',')]
    floor: Vec<Floor>,

    /// A weight for every language of queries, as `isogloss fuse --fit` wrote them.
    #[arg(long, value_name = "WEIGHTS.json", conflicts_with_all = ["method", "rrf_k", "alpha", "floor"])]
    alphas: Option<PathBuf>,
}

/// What becomes of the lists of a query.
pub struct Fusing {
    how: How,
    /// What documents scored that lists lack.
    floors: Vec<Floor>,
    /// To what depth lists are filled by their floors.
    filled: Vec<Option<usize>>,
}

enum How {
    /// The same for all queries.
    Alike(Fusion),
    /// As its language says.
    ByLang(Weights),
}

impl Fusing {
    fn new(how: How, floors: &[Floor]) -> Self {
        Self { how, floors: floors.to_vec(), filled: Vec::new() }
    }

    /// What documents scored that the first lists lack.
    pub fn floors(&self) -> &[Floor] {
        &self.floors
    }

    /// Of lists that were to hold so many documents.
    pub fn of_depths(mut self, depths: &[usize]) -> Self {
        self.filled = Floor::filled(&self.floors, depths);
        self
    }

    /// For a query in `lang`.
    pub fn of(&self, lang: Option<Lang>) -> Fusion {
        let fusion = match &self.how {
            How::Alike(fusion) => fusion.clone(),
            How::ByLang(weights) => weights.fusion(lang),
        };
        fusion.filled(&self.filled)
    }

    /// Whether the language matters.
    pub fn needs_lang(&self) -> bool {
        matches!(self.how, How::ByLang(_))
    }
}

impl FusionOptions {
    /// The first of them that was given, by name.
    pub fn given(&self) -> Option<&'static str> {
        let given = [
            (self.method.is_some(), "--method"),
            (self.rrf_k.is_some(), "--rrf-k"),
            (self.alpha.is_some(), "--alpha"),
            (!self.floor.is_empty(), "--floor"),
            (self.alphas.is_some(), "--alphas"),
        ];
        given.into_iter().find(|(given, _)| *given).map(|(_, name)| name)
    }

    /// For two lists; `floors` are those of a weighted method where none are given.
    ///
    /// # Errors
    /// An unknown method, a weight where there is none, more floors than lists, or a file of weights that cannot be read.
    pub fn open(&self, floors: &[Floor]) -> anyhow::Result<Fusing> {
        if let Some(path) = &self.alphas {
            let weights = Weights::read(path)?;
            let floors = weights.floors.clone();
            return Ok(Fusing::new(How::ByLang(weights), &floors));
        }
        let given = self.floors(2)?;
        let floors = if given.is_empty() { floors } else { given };
        Ok(match self.scale()? {
            Some(scale) => Fusing::new(How::Alike(Fusion::of_two(scale, self.alpha.unwrap_or(0.5))), floors),
            None => self.reciprocal(),
        })
    }

    /// For as many lists as there are `weights`.
    ///
    /// # Errors
    /// As [`FusionOptions::open`]; a weight that is not finite.
    pub fn weighted(&self, weights: Vec<f64>) -> anyhow::Result<Fusing> {
        finite("--weights", &weights)?;
        let floors = self.floors(weights.len())?;
        match self.scale()? {
            Some(scale) => Ok(Fusing::new(How::Alike(Fusion::weighted(scale, weights)), floors)),
            None => Err(unweighted().into()),
        }
    }

    /// For any number of lists, all alike.
    ///
    /// # Errors
    /// The method needs weights.
    pub fn unweighted(&self) -> anyhow::Result<Fusing> {
        match (self.scale()?, self.alphas.is_some() || self.alpha.is_some()) {
            (None, false) => Ok(self.reciprocal()),
            _ => Err(Fault::option("--alpha", "weighs two runs; give --weights for more").into()),
        }
    }

    /// The floors that were given for the first of so many lists.
    ///
    /// # Errors
    /// There are more.
    pub fn floors(&self, lists: usize) -> Result<&[Floor], Fault> {
        match self.floor.len() <= lists {
            true => Ok(&self.floor),
            false => {
                let problem = format!("has {} floors for {lists} lists; give one for each at most", self.floor.len());
                Err(Fault::option("--floor", problem))
            }
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
            "rrf" if !self.floor.is_empty() => Err(Fault::option(
                "--floor",
                "is of scores, and rrf looks at ranks alone; leave it out, or give a --method",
            )
            .into()),
            "rrf" => Ok(None),
            _ if self.rrf_k.is_some() => Err(Fault::option("--rrf-k", "is rrf's alone; leave it out").into()),
            name => Ok(Some(name.parse()?)),
        }
    }

    fn reciprocal(&self) -> Fusing {
        Fusing::new(How::Alike(Fusion::Reciprocal { k: self.rrf_k.unwrap_or(60) as f64 }), &[])
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
