//! `isogloss fuse`: several runs into one.

use crate::exit::Fault;
use crate::model::positive;
use crate::run_out::{refuse_folder, write};
use isogloss_ir::{Fusion, Run, Scale, fuse};
use std::path::PathBuf;

/// The runs, and how they become one.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  isogloss fuse bm25.trec dense.trec --out fused.trec\n  isogloss fuse bm25.trec dense.trec --method minmax --alpha 0.6 --out fused.trec\n  isogloss fuse a.trec b.trec c.trec --method zscore --weights 1,1,2 --out fused.trec"
)]
pub struct Args {
    /// Two TREC runs or more; with --alpha the sparse one first.
    #[arg(value_name = "RUN", required = true, num_args = 2..)]
    runs: Vec<PathBuf>,

    /// rrf sums 1 / (k + rank); minmax and zscore weigh scores on one scale; mrtydi is Mr. TyDi's hybrid.
    #[arg(long, value_name = "rrf|minmax|zscore|mrtydi", default_value = "rrf")]
    method: String,

    /// k of rrf.
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 60)]
    rrf_k: usize,

    /// Weight of the second run: beside 1 - alpha in minmax and zscore, beside 1 in mrtydi [default: 0.5].
    #[arg(long, value_name = "X", conflicts_with = "weights")]
    alpha: Option<f64>,

    /// A weight for each run, apart by commas, in place of alpha.
    #[arg(long, value_name = "X,Y", value_delimiter = ',')]
    weights: Vec<f64>,

    /// Documents kept per query.
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 1000)]
    k: usize,

    /// The fused run [default: stdout].
    #[arg(long, value_name = "RUN.trec")]
    out: Option<PathBuf>,
}

/// Fuses and writes the run.
pub fn run(args: &Args) -> anyhow::Result<()> {
    refuse_folder(args.out.as_deref())?;
    let fusion = fusion(args)?;
    let runs: Vec<Run> = args.runs.iter().map(Run::read).collect::<isogloss_ir::Result<_>>()?;
    Ok(write(&fuse(&runs, &fusion, args.k)?, args.out.as_deref())?)
}

fn fusion(args: &Args) -> anyhow::Result<Fusion> {
    let unweighted = args.alpha.is_none() && args.weights.is_empty();
    if args.method == "rrf" {
        return match unweighted {
            true => Ok(Fusion::Reciprocal { k: args.rrf_k as f64 }),
            false => Err(Fault::option("--method", "rrf takes no weights; leave --alpha and --weights out").into()),
        };
    }
    let scale: Scale = args.method.parse()?;
    if args.alpha.into_iter().chain(args.weights.iter().copied()).any(|weight| !weight.is_finite()) {
        return Err(Fault::option("--weights", "must be finite numbers").into());
    }
    if !args.weights.is_empty() {
        return Ok(Fusion::Weighted { scale, weights: args.weights.clone() });
    }
    if args.runs.len() != 2 {
        return Err(Fault::option("--alpha", "weighs two runs; give --weights for more").into());
    }
    let alpha = args.alpha.unwrap_or(0.5);
    Ok(if scale == Scale::Centred { Fusion::mr_tydi(alpha) } else { Fusion::convex(scale, alpha) })
}
