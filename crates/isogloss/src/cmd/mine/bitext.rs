//! `isogloss mine bitext`: which texts of two sides are translations of each other.

mod gold;

use super::{EXAMPLES, folder_of};
use crate::cmd::encode;
use crate::exit::Fault;
use crate::input::Input;
use crate::model::{CalibrationOptions, Model, ModelOptions, positive};
use crate::progress::Progress;
use crate::run_out::{is_plain, put, refuse_folder};
use crate::stored::is_vectors;
use crate::texts::Texts;
use gold::Gold;
use isogloss_dense::{Bitext, Dtype, EncodeOptions, Margin, Mined, Side, Strategy, VectorStore};
use isogloss_ir::{Doc, Error, Query, ReadOptions, read_queries};
use isogloss_mine::{Passages, remove_work_folder, work_folder};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The two sides, and which pairs are taken.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Two sides: texts (a .txt file of one text per line, or a file of queries or documents with ids), which --model
    /// encodes, or vectors that `isogloss encode` wrote. LANG=FILE declares the language of texts that name none.
    #[arg(value_name = "SIDE", num_args = 2)]
    sides: Vec<Input>,

    /// The model that encodes texts.
    #[arg(long)]
    model: Option<String>,

    /// What a pair's cosine is set against: nothing (absolute), or the mean cosine of both texts' nearest, by difference
    /// (distance) or by quotient (ratio).
    #[arg(long, value_name = "absolute|distance|ratio", default_value_t = Margin::Ratio)]
    margin: Margin,

    /// Which pairs are taken: the best of each text of the first side (forward) or the second (backward), those that are both
    /// (intersection), or the best of both sides, each text once (max).
    #[arg(long, value_name = "forward|backward|intersection|max", default_value_t = Strategy::Max)]
    strategy: Strategy,

    /// Nearest texts on the other side that are looked at.
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 4)]
    k: usize,

    /// The least score of a pair [default: all pairs].
    #[arg(long, value_name = "X", allow_negative_numbers = true)]
    threshold: Option<f64>,

    /// How encoded texts are kept while they are searched; int8 takes a quarter of the disk.
    #[arg(long, value_name = "f32|f16|int8", default_value_t = Dtype::F32)]
    dtype: Dtype,

    /// Pairs known to be right: rows of two ids, apart by a tab. xSIM errors and the precision of what was mined are printed.
    #[arg(long, value_name = "FILE", conflicts_with = "aligned")]
    gold: Option<PathBuf>,

    /// The same for sides of which row i of one is the translation of row i of the other.
    #[arg(long)]
    aligned: bool,

    /// The pairs as rows `score`, text, text, apart by tabs, the highest score first; of vectors ids in place of texts.
    /// `isogloss train` reads them (format parallel) [default: stdout].
    #[arg(long, value_name = "PAIRS.tsv")]
    out: Option<PathBuf>,

    #[command(flatten)]
    options: ModelOptions,

    #[command(flatten)]
    calibration: CalibrationOptions,
}

/// One side: its vectors, and its texts where they are known.
struct Opened {
    store: VectorStore,
    texts: Option<Passages>,
}

/// Mines, writes the pairs, and tells how good they are where that can be known.
pub fn run(args: &Args) -> anyhow::Result<()> {
    refuse_folder(args.out.as_deref())?;
    if args.threshold.is_some_and(|threshold| !threshold.is_finite()) {
        return Err(Fault::option("--threshold", "must be a finite number").into());
    }
    let plain = args.out.as_deref().filter(|out| is_plain(out));
    if let Some(out) = plain {
        std::fs::metadata(folder_of(out)).map_err(|e| Error::io(folder_of(out), e))?;
    }
    let [x, y] = [&args.sides[0], &args.sides[1]];
    let model = model(args)?;
    let gold = args.gold.as_deref().map(gold::read).transpose()?;
    let temporary = match plain {
        Some(_) => None,
        None => Some(tempfile::tempdir().map_err(|e| Error::io(std::env::temp_dir(), e))?),
    };
    let folder = |name: &str| -> anyhow::Result<PathBuf> {
        Ok(match (&temporary, plain) {
            (Some(folder), _) => folder.path().join(name),
            (None, Some(out)) => work_folder(out)?.join(name),
            (None, None) => unreachable!("one or the other"),
        })
    };
    // Texts are read before anything is written, so that a fault in the second file leaves nothing behind.
    let texts = [texts(x, args)?, texts(y, args)?];
    let [texts_x, texts_y] = texts;
    let x = open(x, texts_x, model.as_ref(), "a", &folder, args)?;
    let y = open(y, texts_y, model.as_ref(), "b", &folder, args)?;
    check_pair(&x, &y)?;
    let gold = match (&gold, args.aligned) {
        (Some(rows), _) => Some(Gold::of_ids(rows, &x.store, &y.store, args.gold.as_deref().unwrap_or(Path::new("")))?),
        (None, true) => Some(Gold::aligned(&x.store, &y.store, &args.sides)?),
        (None, false) => None,
    };
    eprintln!("note: {} × {} texts, {} nearest of each", x.store.rows(), y.store.rows(), args.k);
    let bitext = Bitext::of_stores(&x.store, &y.store, args.k)?;
    let mut mined = bitext.mine(args.margin, args.strategy);
    mined.retain(|pair| args.threshold.is_none_or(|least| pair.score >= least));
    put(args.out.as_deref(), |to, name| write_pairs(&mined, &x, &y, to, name))?;
    if let Some(gold) = gold {
        let told = gold.told(&bitext, &mined, args.margin);
        match args.out {
            Some(_) => super::print(&told)?,
            None => eprint!("{told}"),
        }
    }
    if let Some(out) = plain {
        remove_work_folder(out)?;
    }
    Ok(())
}

/// The model, where a side is texts.
fn model(args: &Args) -> anyhow::Result<Option<Model>> {
    let texts = args.sides.iter().find(|side| !is_vectors(&side.path));
    match (texts, &args.model) {
        (None, None) => Ok(None),
        (None, Some(_)) => {
            Err(Fault::option("--model", "encodes texts, and both sides are vectors; leave it out").into())
        }
        (Some(side), None) => {
            let problem = "holds no vectors; give --model, which encodes its texts, or a directory that encode wrote";
            std::fs::metadata(&side.path).map_err(|e| Error::io(&side.path, e))?;
            Err(Fault::new(&side.path, problem).into())
        }
        (Some(_), Some(name)) => Ok(Some(Model::load_calibrated(name, &args.options.overrides(), &args.calibration)?)),
    }
}

/// The texts of a side; of vectors there are none.
fn texts(side: &Input, args: &Args) -> anyhow::Result<Option<Passages>> {
    if is_vectors(&side.path) {
        return Ok(None);
    }
    let doc = |query: Query| Doc { id: query.id, title: String::new(), text: query.text, lang: query.lang };
    let queries = read_queries(&side.path, &ReadOptions { lang: side.lang })?;
    let scratch =
        args.out.as_deref().filter(|out| is_plain(out)).map_or(std::env::temp_dir(), |out| folder_of(out).into());
    let mut progress = Progress::new(None);
    let told = |texts: u64| progress.tell(texts, || format!("{texts} texts read"));
    Ok(Some(Passages::read(queries.map(|query| query.map(doc)), &side.path, &scratch, told)?))
}

fn open(
    side: &Input,
    texts: Option<Passages>,
    model: Option<&Model>,
    name: &str,
    folder: &dyn Fn(&str) -> anyhow::Result<PathBuf>,
    args: &Args,
) -> anyhow::Result<Opened> {
    let place = match (&texts, model) {
        (Some(_), Some(model)) => {
            // Either side is asked and found: both are encoded alike.
            let options = EncodeOptions { dtype: args.dtype, ..model.encode_options(Side::Query) };
            let place = folder(name)?;
            encode::shards(
                model,
                Texts::new(vec![side.clone()], Side::Query, None).for_model(model),
                &place,
                &options,
            )?;
            place
        }
        _ => side.path.clone(),
    };
    let store = VectorStore::open(&place)?;
    store.verify()?;
    Ok(Opened { store, texts })
}

/// Refuses vectors of two models.
fn check_pair(x: &Opened, y: &Opened) -> Result<(), Fault> {
    let [a, b] = [&x.store, &y.store].map(|store| &store.manifest().plan);
    match a.model_hash == b.model_hash {
        true => Ok(()),
        false => {
            let problem = format!(
                "holds vectors of another model ({:?}) than {} ({:?}); encode both sides with one",
                b.model,
                x.store.directory().display(),
                a.model
            );
            Err(Fault::new(y.store.directory(), problem))
        }
    }
}

fn write_pairs(pairs: &[Mined], x: &Opened, y: &Opened, to: &mut dyn Write, name: &Path) -> anyhow::Result<()> {
    for Mined { x: a, y: b, score } in pairs {
        let [a, b] = [(x, *a), (y, *b)].map(|(side, row)| match &side.texts {
            Some(texts) => texts.get(row).map(|passage| passage.text),
            None => Ok(side.store.id(row as usize).to_owned()),
        });
        let plain = |text: String| text.replace(['\t', '\n', '\r'], " ");
        writeln!(to, "{score:.6}\t{}\t{}", plain(a?), plain(b?)).map_err(|e| Error::io(name, e))?;
    }
    Ok(())
}
