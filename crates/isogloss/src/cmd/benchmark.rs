//! `isogloss benchmark`: one of the field's benchmarks, from its published files to figures by language.

mod answers;
mod catalogue;
mod encode;
mod fetch;
mod manifest;
mod report;
mod retrieval;
mod sentences;
mod words;
mod worst;

use crate::exit::Fault;
use crate::files::check_ours;
use crate::model::{CalibrationOptions, Model, ModelOptions, positive};
use crate::result::miss::{self, Miss, WORST};
use crate::result::{BenchmarkResult, RESULT};
use crate::sheet::Form;
use crate::words::Options;
pub use manifest::surroundings;

use catalogue::{Benchmark, Kind};
use isogloss_ir::{Bootstrap, Lang};
use report::View;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Which benchmark, its data, and what is judged.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  isogloss benchmark list\n  isogloss benchmark fetch belebele --out data/belebele\n  isogloss benchmark tatoeba --data LASER/data/tatoeba/v1 --model out/model\n  isogloss benchmark beir --data scifact --model out/model --out judged/scifact\n  isogloss benchmark beir --data scifact --bm25 words/scifact\n  isogloss benchmark mr-tydi --data mrtydi --run runs/ --json\n  isogloss benchmark xor-retrieve --data xor --run predictions.json\n\nWith --out it writes result.json (figures, intervals and all they depend on), per_query.jsonl for `isogloss compare`,\nworst.jsonl for `isogloss report`, the runs and the vectors; killed and started again it goes on with the vectors that are there."
)]
pub struct Args {
    /// The benchmark, or `list` for all of them with their files, licences and sizes, or `fetch` to get one from the hub.
    name: String,

    /// Which one to fetch, `beir/SET` for one of BEIR's.
    #[arg(value_name = "FETCHED", requires = "out")]
    fetched: Option<String>,

    /// The benchmark's folder or file, as published.
    #[arg(long, value_name = "DIR|FILE")]
    pub data: Option<PathBuf>,

    /// A model folder, or the name of a model in the local cache.
    #[arg(long, conflicts_with_all = ["run", "bm25"])]
    pub model: Option<String>,

    /// What was found elsewhere: a TREC run, a folder of runs named after their tasks (`fi.trec`), or XOR-Retrieve's predictions.
    #[arg(long, value_name = "FILE|DIR", conflicts_with = "bm25")]
    pub run: Option<PathBuf>,

    #[command(flatten)]
    pub words: Options,

    /// Folder of results, runs and vectors; of what is fetched.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// Only these languages, apart by commas [default: all that are there].
    #[arg(long, value_name = "LANG", value_delimiter = ',')]
    lang: Vec<Lang>,

    /// Documents of each query kept in the runs [default: as many as the measures read and 100 at least; 1000 where they read all].
    #[arg(long, value_name = "N", value_parser = positive)]
    k: Option<usize>,

    #[command(flatten)]
    options: ModelOptions,

    #[command(flatten)]
    pub calibration: CalibrationOptions,

    /// Questions of each language whose texts and hits are kept in worst.jsonl, those that fared worst.
    #[arg(long, value_name = "N", default_value_t = 3)]
    worst: usize,

    /// Bootstrap resamples behind the intervals; 0 for no intervals.
    #[arg(long, value_name = "N", default_value_t = Bootstrap::default().resamples)]
    resamples: usize,

    /// Seed of the resamples.
    #[arg(long, value_name = "N", default_value_t = Bootstrap::default().seed)]
    seed: u64,

    #[command(flatten)]
    form: Form,
}

/// Written first, so that a folder is known as ours before there are figures.
const REQUEST: &str = "request.json";

/// Judges and prints, or lists what there is.
pub fn run(args: &Args) -> anyhow::Result<()> {
    if args.name == "list" {
        return catalogue::list(args.form);
    }
    match (args.name.as_str(), &args.fetched, &args.out) {
        ("fetch", Some(name), Some(out)) => return fetch::run(name, out),
        ("fetch", _, _) => {
            return Err(Fault::option("NAME", "say what to fetch and where to: fetch belebele --out DIR").into());
        }
        (_, Some(other), _) => return Err(Fault::option(other, "is one name too many").into()),
        _ => {}
    }
    let result = judge(args)?;
    if let Some(out) = &args.out {
        eprintln!("results: {}", out.join(RESULT).display());
    }
    let mut out = BufWriter::new(io::stdout().lock());
    match args.form {
        Form { json: true, .. } => {
            serde_json::to_writer_pretty(&mut out, &result).map_err(io::Error::from)?;
            writeln!(out)?;
        }
        Form { csv: true, .. } => report::write_csv(&result, &mut out)?,
        Form { markdown, .. } => report::write(&result, markdown, &mut out)?,
    }
    out.flush()?;
    Ok(())
}

/// Judges, and writes what is kept.
///
/// # Errors
/// Data, model or run cannot be read, or the folder cannot be written.
pub fn judge(args: &Args) -> anyhow::Result<BenchmarkResult> {
    let benchmark = catalogue::find(&args.name)?;
    let data =
        args.data.as_deref().ok_or_else(|| Fault::option("--data", format!("is needed; {}", benchmark.layout)))?;
    let place = Place::new(args, benchmark, data)?;
    let load = |model: &String| Model::load_calibrated(model, &args.options.overrides(), &args.calibration);
    let model = args.model.as_ref().map(load).transpose()?;
    let judged = Judged { args, data, model, place: place.path() };
    let views = match &benchmark.kind {
        Kind::Retrieval(read) => retrieval::views(&judged, read(data)?)?,
        Kind::Sentences(read, measures) => sentences::views(&judged, read(data)?, *measures)?,
        Kind::XorRetrieve => answers::xor_retrieve(&judged)?,
        Kind::Mkqa => answers::mkqa(&judged)?,
    };
    let bootstrap = Bootstrap { seed: args.seed, resamples: args.resamples, ..Bootstrap::default() };
    let result = report::result(benchmark.name, &views, bootstrap, manifest::manifest(&judged)?);
    if args.out.is_some() {
        keep(&judged, &views, &result)?;
    }
    Ok(result)
}

/// What is judged, on what, and where files go.
pub struct Judged<'a> {
    args: &'a Args,
    data: &'a Path,
    model: Option<Model>,
    place: &'a Path,
}

impl Judged<'_> {
    /// Whether a language was asked for.
    fn wants(&self, lang: Lang) -> bool {
        self.args.lang.is_empty() || self.args.lang.contains(&lang)
    }

    /// How many of the worst questions of each language are kept: none without a folder to keep them in.
    fn worst(&self) -> usize {
        if self.args.out.is_some() { self.args.worst } else { 0 }
    }

    /// The run given in place of a model.
    ///
    /// # Errors
    /// Neither was given.
    fn run_given(&self) -> Result<&Path, Fault> {
        self.args.run.as_deref().ok_or_else(nothing_to_judge)
    }
}

fn nothing_to_judge() -> Fault {
    Fault::option("--model", "or --run or --bm25 is needed; say what is to be judged")
}

/// Where files go: the folder given, or one that is gone at the end.
enum Place {
    Given(PathBuf),
    Temporary(tempfile::TempDir),
}

impl Place {
    fn new(args: &Args, benchmark: &Benchmark, data: &Path) -> anyhow::Result<Self> {
        if args.model.is_none() && args.run.is_none() && args.words.bm25.is_none() {
            return Err(nothing_to_judge().into());
        }
        let Some(out) = &args.out else {
            let temporary = tempfile::tempdir().map_err(|e| isogloss_ir::Error::io(std::env::temp_dir(), e))?;
            return Ok(Self::Temporary(temporary));
        };
        check_ours(out, REQUEST)?;
        std::fs::create_dir_all(out).map_err(|e| isogloss_ir::Error::io(out, e))?;
        let mut request = serde_json::json!({
            "benchmark": benchmark.name, "data": data, "model": args.model, "run": args.run, "lang": args.lang,
        });
        if let Some(index) = &args.words.bm25 {
            request["bm25"] = serde_json::json!({ "index": index, "k1": args.words.k1, "b": args.words.b });
        }
        let (path, text) = (out.join(REQUEST), format!("{request:#}\n"));
        match std::fs::read_to_string(&path) {
            Ok(before) if before != text => {
                let problem = "was begun with another request (request.json); choose another folder or delete it";
                return Err(Fault::new(out, problem).into());
            }
            Ok(_) => {}
            Err(_) => isogloss_ir::write_atomic(&path, text.as_bytes())?,
        }
        Ok(Self::Given(out.clone()))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Given(path) => path,
            Self::Temporary(folder) => folder.path(),
        }
    }
}

/// Writes the values by query, then the result.
fn keep(judged: &Judged, views: &[View], result: &BenchmarkResult) -> anyhow::Result<()> {
    let misses: Vec<Miss> = views.iter().flat_map(|view| view.worst.iter().cloned()).collect();
    miss::write(&misses, &judged.place.join(WORST))?;
    for (at, view) in views.iter().enumerate() {
        view.per_query.write(judged.place.join(view.file_name(at)))?;
    }
    let json = serde_json::to_string_pretty(result)? + "\n";
    isogloss_ir::write_atomic(judged.place.join(RESULT), json.as_bytes())?;
    Ok(())
}
