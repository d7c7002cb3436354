//! How every language is turned onto the target: by translations, or by its texts alone.

use super::gather::{Gathered, OfLang, vectors};
use super::{Args, Fault, Input};
use crate::model::positive;
use crate::progress::Progress;
use isogloss_dense::calibration::{Csls, Moments, Procrustes, RefineOptions, apply_rotation, refine};
use isogloss_dense::{Encoder, Vectors};
use isogloss_ir::{Lang, Pair, PairOptions, Pairing, load_pairs};
use isogloss_model::BiEncoder;
use isogloss_train::{AdversarialOptions, adversarial_map};
use std::collections::BTreeMap;

/// Pairs encoded at once.
const WINDOW: usize = 2048;

/// What was learnt of one language's rotation.
pub struct Turned {
    /// W, row-major.
    pub rotation: Vec<f64>,
    /// Translations it was learnt from, of any number where it was learnt from texts alone.
    pub pairs: Option<usize>,
    /// Mean cosine of the sample's CSLS neighbours in the target language, scaled but not turned.
    pub before: f64,
    /// The same, turned.
    pub after: f64,
}

/// How a rotation is learnt from texts alone. The defaults are published, except the number of steps.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Rotation without pairs")]
pub struct AdversarialArgs {
    /// Rounds of CSLS pairs and Procrustes after the adversarial map.
    #[arg(long, value_name = "N", default_value_t = RefineOptions::default().rounds)]
    rounds: usize,

    /// Neighbours in CSLS.
    #[arg(long, value_name = "K", value_parser = positive, default_value_t = RefineOptions::default().neighbors)]
    neighbors: usize,

    /// Epochs of the adversarial map; 0 refines from no rotation.
    #[arg(long, value_name = "N", default_value_t = AdversarialOptions::default().epochs)]
    epochs: usize,

    /// Steps of the map in an epoch.
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = AdversarialOptions::default().steps_per_epoch)]
    steps_per_epoch: usize,

    /// Steps of the discriminator before each step of the map.
    #[arg(long, value_name = "N", default_value_t = AdversarialOptions::default().discriminator_steps)]
    discriminator_steps: usize,

    /// Hidden layers of the discriminator.
    #[arg(long, value_name = "N", default_value_t = AdversarialOptions::default().hidden_layers)]
    hidden_layers: usize,

    /// Width of a hidden layer.
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = AdversarialOptions::default().hidden_size)]
    hidden_size: usize,

    /// Slope of the leaky rectifier below 0.
    #[arg(long, value_name = "X", default_value_t = AdversarialOptions::default().leak)]
    leak: f32,

    /// Share of the discriminator's inputs set to 0.
    #[arg(long, value_name = "X", default_value_t = AdversarialOptions::default().input_dropout)]
    input_dropout: f32,

    /// Smoothing of the discriminator's labels.
    #[arg(long, value_name = "X", default_value_t = AdversarialOptions::default().smoothing)]
    smoothing: f32,

    /// Vectors of each side in a batch.
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = AdversarialOptions::default().batch)]
    batch: usize,

    /// Learning rate of map and discriminator.
    #[arg(long, value_name = "X", default_value_t = AdversarialOptions::default().learning_rate)]
    learning_rate: f32,

    /// Factor of the map's learning rate after every epoch.
    #[arg(long, value_name = "X", default_value_t = AdversarialOptions::default().decay)]
    decay: f32,

    /// Strength of the pull towards an orthogonal matrix.
    #[arg(long, value_name = "X", default_value_t = AdversarialOptions::default().beta)]
    beta: f64,
}

impl AdversarialArgs {
    fn refine_options(&self) -> RefineOptions {
        RefineOptions { rounds: self.rounds, neighbors: self.neighbors }
    }

    fn options(&self, seed: u64, selection: usize) -> AdversarialOptions {
        AdversarialOptions {
            hidden_layers: self.hidden_layers,
            hidden_size: self.hidden_size,
            leak: self.leak,
            input_dropout: self.input_dropout,
            smoothing: self.smoothing,
            discriminator_steps: self.discriminator_steps,
            batch: self.batch,
            learning_rate: self.learning_rate,
            decay: self.decay,
            beta: self.beta,
            epochs: self.epochs,
            steps_per_epoch: self.steps_per_epoch,
            selection,
            neighbors: self.neighbors,
            seed,
        }
    }
}

/// The rotations of all languages but the target.
///
/// # Errors
/// Pairs that cannot be read, or a language without enough; learning that diverges.
pub fn learn(model: &BiEncoder, gathered: &Gathered, args: &Args) -> anyhow::Result<BTreeMap<Lang, Turned>> {
    let mut by_pairs = match args.pairs.is_empty() {
        true => BTreeMap::new(),
        false => gather_pairs(model, gathered, args)?,
    };
    let target = standardized(&gathered.langs[&args.target]);
    let others = gathered.langs.iter().filter(|(lang, _)| **lang != args.target);
    let mut turned = BTreeMap::new();
    for (lang, of_lang) in others {
        let source = standardized(of_lang);
        let (rotation, pairs) = match args.pairs.is_empty() {
            true => (unsupervised(*lang, &source, &target, args)?, None),
            false => {
                let procrustes = by_pairs.remove(lang).unwrap_or_else(|| Procrustes::new(source.dim()));
                let pairs = enough(*lang, procrustes.pairs(), source.dim(), args)?;
                (procrustes.solve()?.rotation, Some(pairs))
            }
        };
        let measure = |vectors: Vectors| Csls::new(vectors, target.clone(), args.adversarial.neighbors)?.mean_cosine();
        let (before, after) = (measure(source.clone())?, measure(mapped(source, &rotation))?);
        eprintln!("{lang}: mean cosine {before:.4} before, {after:.4} after");
        turned.insert(*lang, Turned { rotation, pairs, before, after });
    }
    Ok(turned)
}

/// The sample's vectors scaled by the statistics of all.
fn standardized(of_lang: &OfLang) -> Vectors {
    let mut vectors = of_lang.sample.clone();
    let dim = vectors.dim();
    for row in vectors.data_mut().chunks_exact_mut(dim) {
        let scaled = of_lang.moments.standardize(row);
        row.iter_mut().zip(scaled).for_each(|(to, x)| *to = x as f32);
    }
    vectors
}

fn mapped(vectors: Vectors, rotation: &[f64]) -> Vectors {
    let rotation: Vec<f32> = rotation.iter().map(|w| *w as f32).collect();
    let mut mapped = vectors.clone();
    for (i, to) in mapped.data_mut().chunks_exact_mut(vectors.dim()).enumerate() {
        apply_rotation(&rotation, vectors.row(i), to);
    }
    mapped
}

/// The adversarial map, refined.
fn unsupervised(lang: Lang, source: &Vectors, target: &Vectors, args: &Args) -> anyhow::Result<Vec<f64>> {
    let options = args.adversarial.options(args.seed, args.sample);
    let mut progress = Progress::new(Some(options.epochs as u64));
    let map = adversarial_map(source, target, &options, |epoch| {
        let (n, loss, cosine) = (epoch.epoch, epoch.discriminator_loss, epoch.mean_cosine);
        progress.line(&format!("{lang}: epoch {n}  discriminator {loss:.4}  mean cosine {cosine:.4}"));
        progress.tell(n as u64, || format!("{lang}: epoch {n} of {}", options.epochs));
    })?;
    let refined = refine(source, target, map.rotation, &args.adversarial.refine_options())?;
    progress
        .line(&format!("{lang}: refined  mean cosine {:.4}  mutual pairs {:?}", refined.mean_cosine, refined.pairs));
    Ok(refined.rotation)
}

fn enough(lang: Lang, pairs: usize, dim: usize, args: &Args) -> Result<usize, Fault> {
    let least = args.min_texts.unwrap_or(dim).max(1);
    match pairs >= least {
        true => Ok(pairs),
        false => {
            let problem = format!(
                "{pairs} pair(s) of {lang} and {}, at least {least} are needed; give more, leave the language's texts out, or lower --min-texts",
                args.target
            );
            Err(Fault::option("--pairs", problem))
        }
    }
}

/// Encodes the pairs of every language with the target and gathers them, scaled.
fn gather_pairs(model: &BiEncoder, gathered: &Gathered, args: &Args) -> anyhow::Result<BTreeMap<Lang, Procrustes>> {
    let target = &gathered.langs[&args.target].moments;
    let mut by_lang = BTreeMap::new();
    let mut progress = Progress::new(None);
    let mut done = 0;
    for input in &args.pairs {
        let options = PairOptions {
            src_lang: input.lang,
            tgt_lang: Some(args.target),
            pairing: Pairing::With(args.target),
            ..PairOptions::default()
        };
        let mut texts: BTreeMap<Lang, Vec<(String, String)>> = BTreeMap::new();
        for (number, pair) in load_pairs(&input.path, &options)?.into_iter().enumerate() {
            if let Some((lang, of_lang, of_target)) = oriented(pair, number + 1, input, args.target)? {
                texts.entry(lang).or_default().push((of_lang, of_target));
            }
        }
        for (lang, pairs) in texts {
            let Some(of_lang) = gathered.langs.get(&lang) else {
                let problem = format!("has pairs in {lang}, which --text has none of; give texts in {lang} too");
                return Err(Fault::new(&input.path, problem).into());
            };
            let procrustes = by_lang.entry(lang).or_insert_with(|| Procrustes::new(model.dim()));
            for window in pairs.chunks(WINDOW) {
                add(procrustes, window, (&of_lang.moments, target), model, input, args)?;
                done += window.len() as u64;
                progress.tell(done, || format!("{done} pairs encoded"));
            }
        }
    }
    Ok(by_lang)
}

/// A pair's language besides the target, its text and the target's; nothing where no side is in the target language.
fn oriented(pair: Pair, number: usize, input: &Input, target: Lang) -> Result<Option<(Lang, String, String)>, Fault> {
    match (pair.src_lang, pair.tgt_lang) {
        (Some(lang), Some(other)) if other == target && lang != target => Ok(Some((lang, pair.src, pair.tgt))),
        (Some(other), Some(lang)) if other == target && lang != target => Ok(Some((lang, pair.tgt, pair.src))),
        (Some(_), Some(_)) => Ok(None),
        _ => {
            let problem = format!("pair {number} names no language; declare it as LANG={input}");
            Err(Fault::new(&input.path, problem))
        }
    }
}

fn add(
    procrustes: &mut Procrustes,
    pairs: &[(String, String)],
    moments: (&Moments, &Moments),
    model: &BiEncoder,
    input: &Input,
    args: &Args,
) -> anyhow::Result<()> {
    let (of_lang, of_target): (Vec<String>, Vec<String>) = pairs.iter().cloned().unzip();
    let x = vectors(model, &of_lang, args.side, input)?;
    let y = vectors(model, &of_target, args.side, input)?;
    for i in 0..x.len() {
        procrustes.push(&moments.0.standardize(x.row(i)), &moments.1.standardize(y.row(i)));
    }
    Ok(())
}
