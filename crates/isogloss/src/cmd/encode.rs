//! `isogloss encode`: texts into a directory of vectors.

use crate::files::check_ours;
use crate::input::Input;
use crate::model::{CalibrationOptions, Model, ModelOptions, positive};
use crate::progress::Progress;
use crate::texts::Texts;
use clap::ValueEnum;
use isogloss_dense::{Dtype, EncodeOptions, Side, encode_to_npy, encode_to_shards};
use isogloss_ir::Lang;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What to encode, with which model, and how it is stored.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  isogloss encode out/model corpus.jsonl --out vectors\n  isogloss encode intfloat/multilingual-e5-small corpus/ --out vectors --dtype f16\n  isogloss encode out/model queries.tsv --side query --format npy --out queries\n  isogloss encode out/calibrated sw=docs.txt --out vectors"
)]
pub struct Args {
    /// A model folder, or the name of a model in the local cache.
    model: String,

    /// Corpora, query files or .txt files of one text per line; folders in the BEIR layout. LANG=INPUT declares the
    /// language of texts that name none.
    #[arg(value_name = "INPUT", required = true)]
    inputs: Vec<Input>,

    /// Directory of the vectors; begun already, it is resumed.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// Role of the texts: docs get the passage prompt and their titles, queries the query prompt.
    #[arg(long, value_name = "query|doc", default_value_t = Side::Doc)]
    side: Side,

    /// Shards of any type, resumable and searchable here; or vectors.npy and ids.txt for other tools.
    #[arg(long, value_enum, default_value_t = Format::Shards)]
    format: Format,

    #[command(flatten)]
    options: ModelOptions,

    #[command(flatten)]
    calibration: CalibrationOptions,

    /// Stored type of shards.
    #[arg(long, value_name = "f32|f16|int8", default_value_t = Dtype::F32)]
    dtype: Dtype,

    /// Rows of a shard: what is lost at most when the program is killed.
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = EncodeOptions::default().rows_per_shard)]
    rows_per_shard: usize,

    /// Only texts of this language.
    #[arg(long, value_name = "LANG")]
    lang: Option<Lang>,
}

/// How vectors are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Checksummed shards with a manifest.
    Shards,
    /// NumPy's format, f32.
    Npy,
}

/// Encodes and prints the directory.
pub fn run(args: &Args) -> anyhow::Result<()> {
    if args.format == Format::Npy && args.dtype != Dtype::F32 {
        let problem = format!("{} cannot be stored as npy; leave it out or write shards", args.dtype);
        return Err(crate::exit::Fault::option("--dtype", problem).into());
    }
    check_ours(&args.out, if args.format == Format::Npy { "vectors.npy" } else { "plan.json" })?;
    let model = Model::load_calibrated(&args.model, &args.options.overrides(), &args.calibration)?;
    let texts = || Texts::new(args.inputs.clone(), args.side, args.lang).for_model(&model);
    let options =
        EncodeOptions { dtype: args.dtype, rows_per_shard: args.rows_per_shard, ..model.encode_options(args.side) };
    let rows = match args.format {
        Format::Shards => shards(&model, texts(), &args.out, &options)?,
        Format::Npy => npy(&model, texts(), &args.out, &options)?,
    };
    eprintln!("{rows} vectors of {} numbers", model.encoder.layout().dim());
    writeln!(io::stdout(), "{}", args.out.display())?;
    Ok(())
}

/// Encodes into shards with progress on stderr; returns the number of rows.
///
/// # Errors
/// As [`encode_to_shards`].
pub fn shards(model: &Model, texts: Texts<'_>, out: &Path, options: &EncodeOptions) -> anyhow::Result<u64> {
    let mut progress = Progress::new(None);
    let manifest = encode_to_shards(&*model.encoder, texts, out, options, |p| {
        progress.tell(p.rows, || match p.resumed_rows {
            0 => format!("{} texts encoded", p.rows),
            resumed => format!("{} texts encoded, {resumed} of them before", p.rows),
        });
    })?;
    Ok(manifest.rows)
}

fn npy(model: &Model, texts: Texts<'_>, out: &Path, options: &EncodeOptions) -> anyhow::Result<u64> {
    let mut progress = Progress::new(None);
    let tell = |p: isogloss_dense::Progress| progress.tell(p.rows, || format!("{} texts encoded", p.rows));
    Ok(encode_to_npy(&*model.encoder, texts, out, options.side, options.window, tell)?)
}
