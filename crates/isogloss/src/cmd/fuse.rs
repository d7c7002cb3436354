//! `isogloss fuse`: several runs into one, and the weights of two by language.

mod fit;

use super::evaluate::langs;
use crate::exit::Fault;
use crate::fusion::{Fusing, FusionOptions};
use crate::input::Input;
use crate::model::positive;
use crate::run_out::{refuse_folder, write};
use crate::sheet::Form;
use isogloss_ir::{Floor, Measure, Run, fuse_by};
use std::path::{Path, PathBuf};

/// The runs, and how they become one.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  isogloss fuse bm25.trec dense.trec --out fused.trec\n  isogloss fuse bm25.trec dense.trec --method minmax --alpha 0.6 --out fused.trec\n  isogloss fuse bm25.trec dense.trec --method minmax --floor zero --depth 100 --out fused.trec\n  isogloss fuse a.trec b.trec c.trec --method zscore --weights 1,1,2 --out fused.trec\n  isogloss fuse dev_bm25.trec dev_dense.trec --method minmax --fit dev/qrels.tsv --queries dev/queries.jsonl --fitted weights.json\n  isogloss fuse bm25.trec dense.trec --alphas weights.json --queries queries.jsonl --out fused.trec"
)]
pub struct Args {
    /// Two TREC runs or more; with one weight for two the sparse one first.
    #[arg(value_name = "RUN", required = true, num_args = 2..)]
    runs: Vec<PathBuf>,

    #[command(flatten)]
    fusion: FusionOptions,

    /// A weight for each run, apart by commas, in place of alpha.
    #[arg(long, value_name = "X,Y", value_delimiter = ',', conflicts_with_all = ["alpha", "alphas"], allow_negative_numbers = true)]
    weights: Vec<f64>,

    /// Documents per query that the runs were asked for, which tells lists that ended early [default: of each run its longest
    /// list].
    #[arg(long, value_name = "N", value_parser = positive)]
    depth: Option<usize>,

    /// Queries with their languages, for weights by language. LANG=FILE declares the language of queries that name none.
    #[arg(long, value_name = "FILE")]
    queries: Option<Input>,

    /// Documents kept per query.
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 1000)]
    k: usize,

    /// The fused run [default: stdout; with --fit none].
    #[arg(long, value_name = "RUN.trec")]
    out: Option<PathBuf>,

    /// Judgements of a development set: fit the second run's weight on them, one for all languages and one for each, and
    /// print what both give.
    #[arg(long, value_name = "QRELS", requires = "queries", conflicts_with_all = ["alpha", "alphas", "weights"])]
    fit: Option<PathBuf>,

    /// What fitted weights are to make highest.
    #[arg(long, value_name = "MEASURE", default_value = "nDCG@10", requires = "fit")]
    measure: Measure,

    /// The largest weight tried [default: 1, of mrtydi 2].
    #[arg(long, value_name = "X", requires = "fit")]
    fit_most: Option<f64>,

    /// Equal steps from 0 to the largest weight.
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 20, requires = "fit")]
    fit_steps: usize,

    /// Parts of a language's queries that are held out in turn, to measure what its weight gives on queries not seen.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(2..), default_value_t = 5, requires = "fit")]
    folds: u16,

    /// Where the fitted weights go, for --alphas here and in `search --hybrid`.
    #[arg(long, value_name = "WEIGHTS.json", requires = "fit")]
    fitted: Option<PathBuf>,

    #[command(flatten)]
    form: Form,
}

/// Fuses and writes the run, or fits weights and prints what they give.
pub fn run(args: &Args) -> anyhow::Result<()> {
    refuse_folder(args.out.as_deref())?;
    if let Some(qrels) = &args.fit {
        return fit::run(qrels, args);
    }
    let fusing = fusing(args)?;
    let langs = match (&args.queries, fusing.needs_lang()) {
        (Some(queries), true) => langs(queries)?,
        (None, true) => return Err(Fault::option("--alphas", "needs the queries' languages; give --queries").into()),
        (_, false) => Default::default(),
    };
    let runs = read(args)?;
    check_floors(&runs, fusing.floors(), args)?;
    let fusing = fusing.of_depths(&depths(&runs, args));
    let fused = fuse_by(&runs, |query| fusing.of(langs.get(query).copied()), args.k)?;
    Ok(write(&fused, args.out.as_deref())?)
}

fn read(args: &Args) -> isogloss_ir::Result<Vec<Run>> {
    args.runs.iter().map(Run::read).collect()
}

/// How many documents each run was asked for.
fn depths(runs: &[Run], args: &Args) -> Vec<usize> {
    let longest = |run: &Run| run.iter().map(|(_, hits)| hits.len()).max().unwrap_or(0);
    runs.iter().map(|run| args.depth.unwrap_or_else(|| longest(run))).collect()
}

/// Printed scores of BM25 are lowered by a millionth for every tie, and may end this little below 0.
const TIES: f32 = -0.01;

/// Refuses runs whose scores can be below 0 where documents that a list lacks are to have scored 0.
fn check_floors(runs: &[Run], floors: &[Floor], args: &Args) -> Result<(), Fault> {
    let zero = runs.iter().zip(&args.runs).zip(floors).filter(|(_, floor)| **floor == Floor::Zero);
    for ((run, path), _) in zero {
        let path: &Path = path;
        if let Some((query, _)) = run.iter().find(|(_, hits)| hits.last().is_some_and(|(_, score)| *score < TIES)) {
            let problem = format!(
                "query {query:?} has a score below 0, and --floor zero is for runs that have none, as BM25's; give lowest"
            );
            return Err(Fault::new(path, problem));
        }
    }
    Ok(())
}

fn fusing(args: &Args) -> anyhow::Result<Fusing> {
    match (args.weights.is_empty(), args.runs.len()) {
        (false, _) => args.fusion.weighted(args.weights.clone()),
        (true, 2) => args.fusion.open(&[]),
        (true, _) => args.fusion.unweighted(),
    }
}
