//! `isogloss search`: the best documents of every query, as a run.

mod bm25;

use super::encode;
use crate::exit::Fault;
use crate::files::check_ours;
use crate::input::Input;
use crate::model::{CalibrationOptions, Model, ModelOptions, calibrated, normalized, positive};
use crate::run_out::{is_plain, refuse_folder, write};
use crate::texts::Texts;
use crate::words::Options;
use isogloss_dense::{Flat, Manifest, Searcher, Side, Text, VectorStore};
use isogloss_ir::{Query, ReadOptions, Run, read_queries};
use isogloss_model::CALIBRATION_FILE;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is searched, for what, and where the run goes.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  isogloss search --model out/model --corpus vectors --queries queries.jsonl --out run.trec\n  isogloss search --model out/model --corpus corpus.jsonl --queries queries.tsv --k 10\n  isogloss search --bm25 words --queries queries.tsv --out run.trec"
)]
pub struct Args {
    /// A model folder, or the name of a model in the local cache.
    #[arg(long, required_unless_present = "bm25", conflicts_with = "bm25")]
    model: Option<String>,

    /// Vectors that `isogloss encode` wrote, or a corpus, which is encoded first. LANG=FILE declares the language of
    /// documents that name none.
    #[arg(long, value_name = "DIR|FILE", required_unless_present = "bm25", conflicts_with = "bm25")]
    corpus: Option<Input>,

    /// Queries: a file or a folder in the BEIR layout. LANG=FILE declares the language of queries that name none.
    #[arg(long, value_name = "FILE")]
    queries: Input,

    /// Documents per query.
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 100)]
    k: usize,

    /// The run as TREC rows `qid Q0 docid rank score tag` [default: stdout].
    #[arg(long, value_name = "RUN.trec")]
    out: Option<PathBuf>,

    #[command(flatten)]
    options: ModelOptions,

    #[command(flatten)]
    calibration: CalibrationOptions,

    #[command(flatten)]
    words: Options,
}

impl Args {
    fn model(&self) -> &str {
        self.model.as_deref().expect("required without --bm25")
    }

    fn corpus(&self) -> &Input {
        self.corpus.as_ref().expect("required without --bm25")
    }
}

/// Searches and writes the run.
pub fn run(args: &Args) -> anyhow::Result<()> {
    refuse_folder(args.out.as_deref())?;
    match &args.words.bm25 {
        Some(index) => bm25::run(index, args),
        None => dense(args),
    }
}

/// Searches vectors.
fn dense(args: &Args) -> anyhow::Result<()> {
    let (queries, corpus) = (queries(&args.queries)?, &args.corpus().path);
    let (model, vectors) = match is_vectors(corpus) {
        true => (load_for(corpus, args)?, Place::Given(corpus.clone())),
        false => (Model::load_calibrated(args.model(), &args.options.overrides(), &args.calibration)?, place(args)?),
    };
    let queries = texts(queries, &model, &args.queries.path)?;
    if !is_vectors(corpus) {
        encode_corpus(&model, &vectors, args)?;
    }
    let store = Arc::new(VectorStore::open(vectors.path())?);
    store.verify()?;
    let searcher = Searcher::new(model.encoder.clone(), Arc::new(Flat::new(store.clone())), store)?;
    let mut run = Run::new();
    for (query, hits) in searcher.search(&queries, args.k)? {
        run.insert(query, hits)?;
    }
    Ok(write(&run, args.out.as_deref())?)
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

fn is_vectors(corpus: &Path) -> bool {
    ["plan.json", "manifest.json"].iter().any(|name| corpus.join(name).exists())
}

/// The model, set as it was when it encoded the vectors in `corpus`.
fn load_for(corpus: &Path, args: &Args) -> anyhow::Result<Model> {
    let plan = Manifest::read(corpus)?.plan;
    let refuse = |option: &str, stored: &str, given: String| {
        let cure = "leave the option out, or encode the corpus anew";
        Fault::new(corpus, format!("its vectors have {option} {stored}, but {given} was asked for; {cure}"))
    };
    if let Some(given) = args.options.pooling.filter(|p| p.to_string() != plan.pooling) {
        return Err(refuse("pooling", &plan.pooling, given.to_string()).into());
    }
    let stored = normalized(&plan.settings);
    if let (Some(stored), Some(given)) = (stored, args.options.normalize)
        && stored != given
    {
        return Err(refuse("normalize", &stored.to_string(), given.to_string()).into());
    }
    let stored_method = calibrated(&plan.settings);
    if let Some(method) = stored_method.filter(|_| args.calibration.uncalibrated) {
        return Err(refuse("calibration", method, "none".into()).into());
    }
    let mut calibration = args.calibration.clone();
    calibration.uncalibrated = stored_method.is_none();
    let mut overrides = args.options.overrides();
    overrides.pooling = plan.pooling.parse().ok();
    overrides.normalize = stored.or(overrides.normalize);
    let model = Model::load_calibrated(args.model(), &overrides, &calibration)?;
    if model.hash != plan.model_hash {
        let problem = format!(
            "holds vectors of another model ({:?}) than {}; search with that model, or encode the corpus with this one",
            plan.model,
            args.model()
        );
        return Err(Fault::new(corpus, problem).into());
    }
    if stored_method.is_none() && !args.calibration.uncalibrated && has_calibration(args.model())? {
        eprintln!("note: {} holds uncalibrated vectors, so the queries are not calibrated", corpus.display());
    }
    if plan.side == Side::Query {
        return Err(Fault::new(corpus, "holds queries, not documents; encode the corpus with --side doc").into());
    }
    Ok(model)
}

fn has_calibration(model: &str) -> isogloss_model::Result<bool> {
    Ok(isogloss_model::resolve(model)?.join(CALIBRATION_FILE).exists())
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
