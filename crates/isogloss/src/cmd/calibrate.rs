//! `isogloss calibrate`: a model's vectors fitted to languages, from their texts alone.

use crate::exit::Fault;
use crate::files::{create_folder, refuse_existing};
use crate::input::Input;
use crate::model::{ModelOptions, positive};
use isogloss_dense::calibration::{Calibration, CalibrationPlan, LangFit, Method};
use isogloss_dense::{Encoder, Side};
use isogloss_ir::Lang;
use isogloss_model::{BiEncoder, CALIBRATION_FILE, write_calibration};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

mod gather;
mod rotation;
mod table;

use gather::{Gathered, gather};
use rotation::{AdversarialArgs, Turned};

/// Fewest texts of a language that give its mean and deviation: σ is within 7 % then, on average.
const LEAST_TEXTS: usize = 100;

/// What is fitted, on which texts, and how far.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  isogloss calibrate out/model --text corpus.jsonl --out out/calibrated\n  isogloss calibrate out/model --text en=en.txt sw=sw.txt --method rotate --pairs pairs.tsv\n  isogloss calibrate out/model --text en=en.txt sw=sw.txt --method rotate\n\nThe fit is stored in the model's folder; encode and search apply it by the language of each text.\nFit on text that is not searched or measured later."
)]
pub struct Args {
    /// A model folder; with --out also the name of a model in the local cache.
    model: String,

    /// Texts of the languages: corpora, queries, documents, translations (every side a text of its language), or .txt files
    /// of one text per line. LANG=FILE declares the language of texts that name none.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    text: Vec<Input>,

    /// How far: every language's mean subtracted; then divided by its deviation; then turned onto the target language.
    #[arg(long, value_name = "shift|scale|rotate", default_value_t = Method::Scale)]
    method: Method,

    /// Translations to learn the rotation from; without them it is learnt from the texts alone. LANG=FILE declares pairs of
    /// that language and the target.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pairs: Vec<Input>,

    /// The language that the others are turned onto.
    #[arg(long, value_name = "LANG", default_value = "en")]
    target: Lang,

    /// Folder of a calibrated copy [default: the model's own folder].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,

    /// Role of the texts: which prompt they get.
    #[arg(long, value_name = "query|doc", default_value_t = Side::Doc)]
    side: Side,

    /// Fewest texts of a language, and fewest pairs [default: 100 texts; a rotation from pairs needs as many pairs as
    /// vectors have numbers, one from texts alone twice as many texts].
    #[arg(long, value_name = "N", value_parser = positive)]
    min_texts: Option<usize>,

    /// Texts of a language kept for learning and judging a rotation: an even sample.
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 10_000)]
    sample: usize,

    /// What is random follows from it.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    #[command(flatten)]
    options: ModelOptions,

    #[command(flatten)]
    adversarial: AdversarialArgs,
}

/// Fits, stores and prints a table.
pub fn run(args: &Args) -> anyhow::Result<()> {
    if !args.pairs.is_empty() && args.method != Method::Rotate {
        let problem = format!("serve --method rotate alone, not {}; give that method or leave them out", args.method);
        return Err(Fault::option("--pairs", problem).into());
    }
    args.out.as_deref().map_or(Ok(()), refuse_existing)?;
    let folder = isogloss_model::resolve(&args.model)?;
    if args.out.is_none() && !Path::new(&args.model).is_dir() {
        let problem = format!("{} is kept among downloads; name a folder for its calibrated copy", args.model);
        return Err(Fault::option("--out", problem).into());
    }
    let model = BiEncoder::load(&args.model, &args.options.overrides())?;
    let gathered = gather(&model, args)?;
    check_counts(&gathered, model.dim(), args)?;
    let turned = match args.method {
        Method::Rotate => rotation::learn(&model, &gathered, args)?,
        _ => BTreeMap::new(),
    };
    let calibration = calibration(&model, &gathered, &turned, args)?;
    let written = store(&folder, &calibration, args.out.as_deref())?;
    table::print(&gathered, &turned)?;
    eprintln!("calibration: {}", written.display());
    Ok(())
}

/// Refuses languages of too few texts.
fn check_counts(gathered: &Gathered, dim: usize, args: &Args) -> Result<(), Fault> {
    let unpaired = args.method == Method::Rotate && args.pairs.is_empty();
    let least = args.min_texts.unwrap_or(if unpaired { LEAST_TEXTS.max(2 * dim) } else { LEAST_TEXTS });
    if let Some((lang, of_lang)) = gathered.langs.iter().find(|(_, of_lang)| of_lang.moments.count() < least as u64) {
        let problem = format!(
            "{} text(s) in {lang}, at least {least} are needed; give more, leave the language out, or lower --min-texts",
            of_lang.moments.count()
        );
        return Err(Fault::option("--text", problem));
    }
    let target = args.target;
    match args.method == Method::Rotate && !gathered.langs.contains_key(&target) {
        true => {
            Err(Fault::option("--text", format!("no text is in the target {target}; give some, or another --target")))
        }
        false => Ok(()),
    }
}

fn calibration(
    model: &BiEncoder,
    gathered: &Gathered,
    turned: &BTreeMap<Lang, Turned>,
    args: &Args,
) -> isogloss_dense::Result<Calibration> {
    let layout = model.layout();
    let plan = CalibrationPlan {
        method: args.method,
        target: (args.method == Method::Rotate).then_some(args.target),
        normalize: layout.normalize,
        pooling: layout.pooling.to_string(),
        side: args.side,
    };
    let narrow = |numbers: &[f64]| -> Vec<f32> { numbers.iter().map(|x| *x as f32).collect() };
    let fit = |(lang, gathered): (&Lang, &gather::OfLang)| {
        let moments = &gathered.moments;
        let fit = LangFit {
            texts: moments.count(),
            mean: narrow(moments.mean()),
            std: (args.method >= Method::Scale).then(|| narrow(&moments.std())),
            rotation: turned.get(lang).map(|turned| narrow(&turned.rotation)),
        };
        (*lang, fit)
    };
    Calibration::new(plan, model.dim(), gathered.langs.iter().map(fit).collect())
}

/// Puts the calibration into the model's folder or into a copy; returns its file.
fn store(folder: &Path, calibration: &Calibration, out: Option<&Path>) -> anyhow::Result<PathBuf> {
    let into = |folder: &Path| write_calibration(folder, calibration).map(|()| folder.join(CALIBRATION_FILE));
    match out {
        None => Ok(into(folder)?),
        Some(out) => {
            create_folder(out, |partial| {
                super::copy::folder(folder, partial)?;
                Ok(into(partial)?)
            })?;
            Ok(out.join(CALIBRATION_FILE))
        }
    }
}
