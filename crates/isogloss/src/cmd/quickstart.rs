//! `isogloss quickstart`: the whole line on the bundled data, from text to figures, in minutes.

use crate::files::{check_ours, create_folder, remove};
use crate::model::{Model, positive};
use crate::progress::clock;
use isogloss_model::{BiEncoder, Overrides, TokenizerOptions, train_tokenizer};
use isogloss_train::{RunConfig, start_model};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

mod bitext;
mod passages;
mod report;
mod setup;
mod vectors;

use super::tokenizer::Sample;
use report::{Report, Scores, Seconds};
use setup::Setup;

/// Number of ids of the tokenizer.
const VOCAB_SIZE: usize = 32_000;

/// Where it works, and how long it trains.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  isogloss quickstart\n  isogloss quickstart --out first-model --steps 100\n\nKilled and started again it goes on where it was."
)]
pub struct Args {
    /// Folder of everything it makes.
    #[arg(long, value_name = "DIR", default_value = "quickstart")]
    out: PathBuf,

    /// The bundled data [default: $ISOGLOSS_DATA, else the folder data here, else that of the source].
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,

    /// Steps of training [default: those of runs/quickstart.toml].
    #[arg(long, value_name = "N", value_parser = positive)]
    steps: Option<usize>,
}

/// Makes a tokenizer, trains, judges before and after, searches, and reports.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let start = Instant::now();
    check_ours(&args.out, setup::RUN_FILE)?;
    let setup = Setup::prepare(&args.out, args.data.as_deref(), args.steps)?;
    let config = RunConfig::read(&setup.run_file)?;
    eprintln!("[1/4] tokenizer");
    let tokenizer = timed(|| make_tokenizer(&setup))?;
    eprintln!("[2/4] training: {} steps", config.schedule.steps);
    let training = timed(|| train(&config, &setup.run_file))?;
    eprintln!("[3/4] measuring before and after");
    remove(&setup.vectors)?;
    let fresh = start_model(&config)?;
    fresh.save(&setup.fresh)?;
    let measuring = Instant::now();
    let (before, _) = measure(&setup, "before", &setup.fresh)?;
    let (after, model) = measure(&setup, "after", &config.out.join("model"))?;
    eprintln!("[4/4] searching across languages");
    let searches = passages::searches(model.encoder.clone(), &setup.passages, &setup.vectors.join("after"))?;
    let seconds = Seconds::new(tokenizer, training, measuring.elapsed(), start.elapsed());
    let report = Report::new(&config, &fresh, seconds, before, after, searches);
    report.write(&setup.report)?;
    write!(io::stdout(), "{report}")?;
    eprintln!("model: {}  report: {}", config.out.join("model").display(), setup.report.display());
    eprintln!("done in {}", clock(start.elapsed()));
    Ok(())
}

fn timed(task: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Duration> {
    let start = Instant::now();
    task().map(|()| start.elapsed())
}

/// Trains the tokenizer on all training texts, unless it is there.
fn make_tokenizer(setup: &Setup) -> anyhow::Result<()> {
    if setup.tokenizer.exists() {
        eprintln!("      found in {}", setup.tokenizer.display());
        return Ok(());
    }
    let mut sample = Sample::new(None);
    for input in &setup.training_texts {
        sample.read(input, None)?;
    }
    let texts = sample.into_texts();
    eprintln!("      from {} distinct texts", texts.len());
    let options = TokenizerOptions { vocab_size: VOCAB_SIZE, ..TokenizerOptions::default() };
    create_folder(&setup.tokenizer, |partial| Ok(train_tokenizer(&texts, &options, partial)?))?;
    Ok(())
}

/// Trains from the last checkpoint on, unless the model is there.
fn train(config: &RunConfig, file: &Path) -> anyhow::Result<()> {
    if super::train::is_finished(config)? {
        eprintln!("      found in {}", config.out.display());
        return Ok(());
    }
    super::train::train(config.clone(), true, file)?;
    Ok(())
}

/// All figures of the model in `folder`, its vectors going below `name`.
fn measure(setup: &Setup, name: &str, folder: &Path) -> anyhow::Result<(Scores, Model)> {
    let model = Model::load(&folder.to_string_lossy(), &Overrides::default())?;
    let vectors = setup.vectors.join(name);
    let scores = Scores {
        tatoeba: bitext::accuracy(&model, &setup.tatoeba, &vectors.join("tatoeba"))?,
        ntrex: bitext::accuracy(&model, &setup.ntrex, &vectors.join("ntrex"))?,
        passages: passages::ndcg(&model, &setup.passages, &vectors)?,
    };
    Ok((scores, model))
}

/// Rows of a model's table of tokens.
fn vocabulary(model: &BiEncoder) -> usize {
    model.tokenizer().vocab_size()
}
