//! `isogloss search`: the best documents of every query, as a run.

pub mod bm25;
mod hybrid;
mod vectors;

use super::encode;
use crate::exit::Fault;
use crate::files::check_ours;
use crate::fusion::FusionOptions;
use crate::input::Input;
use crate::model::{CalibrationOptions, Model, ModelOptions, positive};
use crate::run_out::{is_plain, refuse_folder, write};
use crate::stored::{is_vectors, load_for};
use crate::texts::Texts;
use crate::words::Options;
use isogloss_dense::{Searcher, Side, Text, VectorStore};
use isogloss_ir::{Query, ReadOptions, Run, read_queries};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is searched, for what, and where the run goes.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  isogloss search --model out/model --corpus vectors --queries queries.jsonl --out run.trec\n  isogloss search --model out/model --corpus corpus.jsonl --queries queries.tsv --k 10\n  isogloss search --model out/model --corpus vectors --hnsw --ef 128 --where lang=sw --queries queries.jsonl\n  isogloss search --corpus vectors --hnsw --query-vectors queries.npy --query-ids ids.txt\n  isogloss search --corpus vectors --hnsw --query-vectors queries.parquet\n  isogloss search --bm25 words --queries queries.tsv --out run.trec\n  isogloss search --hybrid --bm25 words --model out/model --corpus vectors --queries queries.jsonl --out run.trec"
)]
pub struct Args {
    /// A model folder, or the name of a model in the local cache.
    #[arg(long, required_unless_present_any = ["bm25", "vectors"])]
    model: Option<String>,

    /// Vectors that `isogloss encode` wrote, or a corpus, which is encoded first. LANG=FILE declares the language of
    /// documents that name none.
    #[arg(long, value_name = "DIR|FILE", required_unless_present = "bm25")]
    corpus: Option<Input>,

    /// Queries: a file or a folder in the BEIR layout. LANG=FILE declares the language of queries that name none.
    #[arg(long, value_name = "FILE", required_unless_present = "vectors")]
    queries: Option<Input>,

    /// Documents per query.
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 100)]
    k: usize,

    /// The run as TREC rows `qid Q0 docid rank score tag` [default: stdout].
    #[arg(long, value_name = "RUN.trec")]
    out: Option<PathBuf>,

    #[command(flatten)]
    vectors: vectors::VectorOptions,

    #[command(flatten)]
    options: ModelOptions,

    #[command(flatten)]
    calibration: CalibrationOptions,

    #[command(flatten)]
    words: Options,

    /// Search words and vectors, and fuse what both find: --bm25 with --model and --corpus.
    #[arg(long, requires = "bm25")]
    hybrid: bool,

    /// Documents per query that each of the two gives to the fusion.
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 100, requires = "hybrid")]
    depth: usize,

    #[command(flatten)]
    fusion: FusionOptions,
}

impl Args {
    fn model(&self) -> &str {
        self.model.as_deref().expect("checked")
    }

    fn corpus(&self) -> &Input {
        self.corpus.as_ref().expect("checked")
    }

    fn queries(&self) -> &Input {
        self.queries.as_ref().expect("checked")
    }
}

/// Searches and writes the run.
pub fn run(args: &Args) -> anyhow::Result<()> {
    refuse_folder(args.out.as_deref())?;
    if !args.hybrid
        && let Some(option) = args.fusion.given()
    {
        return Err(Fault::option(option, "is for fusion; give --hybrid, or leave it out").into());
    }
    if let Some(queries) = &args.vectors.query_vectors {
        return vectors::run(queries, args);
    }
    match &args.words.bm25 {
        Some(index) if args.hybrid && args.model.is_some() && args.corpus.is_some() => hybrid::run(index, args),
        Some(_) if args.hybrid => Err(Fault::option("--hybrid", "needs vectors too; give --model and --corpus").into()),
        Some(_) if args.model.is_some() || args.corpus.is_some() => {
            let problem = "searches words, --model and --corpus vectors; leave one out, or give --hybrid for both";
            Err(Fault::option("--bm25", problem).into())
        }
        Some(index) => bm25::run(index, args),
        None => Ok(write(&dense(args, queries(args.queries())?, args.k)?, args.out.as_deref())?),
    }
}

/// What the vectors give, encoded first where they are not yet.
fn dense(args: &Args, queries: Vec<Query>, k: usize) -> anyhow::Result<Run> {
    let corpus = &args.corpus().path;
    let (model, vectors) = match is_vectors(corpus) {
        true => (load_for(corpus, args.model(), &args.options, &args.calibration)?, Place::Given(corpus.clone())),
        false => (Model::load_calibrated(args.model(), &args.options.overrides(), &args.calibration)?, place(args)?),
    };
    let queries = texts(queries, &model, &args.queries().path)?;
    if !is_vectors(corpus) {
        encode_corpus(&model, &vectors, args)?;
    }
    let store = Arc::new(VectorStore::open(vectors.path())?);
    let (index, among) = (args.vectors.index(&store)?, args.vectors.among(&store)?);
    let searcher = Searcher::new(model.encoder.clone(), index, store)?.among(among)?;
    ranked(&searcher, &queries, k)
}

/// What the vectors give: the best `k` of every query.
///
/// # Errors
/// What the model or the search fails with.
pub fn ranked(searcher: &Searcher, queries: &[Text], k: usize) -> anyhow::Result<Run> {
    let mut run = Run::new();
    for (query, hits) in searcher.search(queries, k)? {
        run.insert(query, hits)?;
    }
    Ok(run)
}

fn queries(input: &Input) -> isogloss_ir::Result<Vec<Query>> {
    read_queries(&input.path, &ReadOptions { lang: input.lang })?.collect()
}

/// The queries for a model, with their languages where it is calibrated.
fn texts(queries: Vec<Query>, model: &Model, path: &Path) -> Result<Vec<Text>, Fault> {
    let text = |query: Query| match model.lang_of_text(query.lang) {
        Ok(lang) => Ok(Text { id: query.id, text: query.text, lang }),
        Err(problem) => Err(Fault::new(path, format!("the query {:?} {problem}", query.id))),
    };
    queries.into_iter().map(text).collect()
}

/// Where a corpus' vectors lie.
enum Place {
    Given(PathBuf),
    Temporary(tempfile::TempDir),
}

impl Place {
    fn path(&self) -> &Path {
        match self {
            Self::Given(path) => path,
            Self::Temporary(folder) => folder.path(),
        }
    }
}

/// Where the vectors of a corpus go: beside the run, where they can be found again, or into a temporary directory.
fn place(args: &Args) -> anyhow::Result<Place> {
    let place = match &args.out {
        Some(out) if is_plain(out) => Place::Given(with_suffix(out, ".vectors")),
        _ => Place::Temporary(tempfile::tempdir().map_err(|e| isogloss_ir::Error::io(std::env::temp_dir(), e))?),
    };
    check_ours(place.path(), "plan.json")?;
    Ok(place)
}

fn encode_corpus(model: &Model, place: &Place, args: &Args) -> anyhow::Result<()> {
    let texts = Texts::new(vec![args.corpus().clone()], Side::Doc, None).for_model(model);
    let for_now = if matches!(place, Place::Temporary(_)) { " for now" } else { "" };
    eprintln!("encoding {} into {}{for_now}", args.corpus(), place.path().display());
    encode::shards(model, texts, place.path(), &model.encode_options(Side::Doc))?;
    Ok(())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}
