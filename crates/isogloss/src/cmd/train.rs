//! `isogloss train`: a model out of a run file.

use crate::exit::Fault;
use crate::progress::Progress;
use anyhow::Context;
use isogloss_engine::cuda::World;
use isogloss_engine::{Device, DeviceChoice};
use isogloss_ir::Error;
use isogloss_train::{Observer, RunConfig, StepLog};
use std::fs;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

pub mod gpus;
mod plan;

/// Which run.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  isogloss train runs/quickstart.toml\n  isogloss train run.toml --dry-run\n  isogloss train run.toml --resume && isogloss encode out/model corpus.jsonl --out vectors\n  isogloss train run.toml --device cuda --gpus 4"
)]
pub struct Args {
    /// The run file; it says where the model, the log and the checkpoints go.
    #[arg(value_name = "RUN.toml")]
    run: PathBuf,

    /// Go on from the run's last checkpoint; begin where there is none.
    #[arg(long)]
    resume: bool,

    /// Where to train, over what the run file says: cuda is the first NVIDIA GPU that the driver shows, auto that GPU where it can be used.
    #[arg(long, value_name = "auto|cpu|cuda")]
    device: Option<DeviceChoice>,

    /// Train on so many GPUs of this machine, the first that the driver shows, which share every batch; a process for each.
    #[arg(long, value_name = "N", default_value = "1", conflicts_with = "dry_run")]
    gpus: NonZeroUsize,

    /// Say what would be trained on and what it needs; train and write nothing.
    #[arg(long)]
    dry_run: bool,

    /// Print the plan as JSON.
    #[arg(long, requires = "dry_run")]
    json: bool,
}

/// Trains and prints the model's folder, or prints what would be trained on.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let mut config = RunConfig::read(&args.run).map_err(|error| of_run_file(error, &args.run))?;
    if let Some(device) = args.device {
        config.model.device = Some(device.to_string());
    }
    let model = match args.resume && is_finished(&config)? {
        true => {
            eprintln!("note: the run is finished already");
            config.out.join("model")
        }
        false if args.dry_run => return tell_plan(&config, args),
        false if args.gpus.get() == 1 => train(config, args.resume, &args.run)?,
        false => match train_on(args.gpus.get(), config, args)? {
            Some(model) => model,
            None => return Ok(()),
        },
    };
    writeln!(io::stdout(), "{}", model.display())?;
    Ok(())
}

/// Prints what would be trained on.
fn tell_plan(config: &RunConfig, args: &Args) -> anyhow::Result<()> {
    let plan = isogloss_train::plan(config, args.resume).map_err(|error| of_run_file(error, &args.run))?;
    match args.json {
        true => writeln!(io::stdout(), "{}", serde_json::to_string_pretty(&plan)?)?,
        false => write!(io::stdout(), "{}", plan::Tables(&plan))?,
    }
    Ok(())
}

/// Trains on several GPUs, as one of their processes or as the one that starts them; the model's folder where it is to be printed.
fn train_on(gpus: usize, config: RunConfig, args: &Args) -> anyhow::Result<Option<PathBuf>> {
    let device = config.model.device().map_err(|error| of_run_file(error, &args.run))?;
    if device != DeviceChoice::Of(Device::Cuda) {
        return Err(Fault::option("--gpus", format!("the run trains on {device}; give --device cuda")).into());
    }
    let Some(world) = gpus::join(gpus)? else {
        gpus::start(gpus)?;
        return Ok(None);
    };
    let model = train_in(&world, config, args.resume, &args.run)?;
    let is_first = world.is_first();
    world.leave()?;
    Ok(is_first.then_some(model))
}

/// Trains the run of `file` with progress on stderr; returns the model's folder.
///
/// # Errors
/// As [`isogloss_train::train`].
pub fn train(config: RunConfig, resume: bool, file: &Path) -> anyhow::Result<PathBuf> {
    train_in(World::alone(), config, resume, file)
}

fn train_in(world: &World, config: RunConfig, resume: bool, file: &Path) -> anyhow::Result<PathBuf> {
    let mut follow: Box<dyn Observer> = match world.is_first() {
        true => Box::new(Follow(Progress::new(Some(config.schedule.steps as u64)))),
        false => Box::new(Silent),
    };
    let outcome = isogloss_train::train_in(world, config, resume, &mut *follow);
    let outcome = outcome.map_err(|error| of_run_file(error, file))?;
    drop(follow);
    if !world.is_first() {
        return Ok(outcome.model);
    }
    if outcome.stopped_early {
        eprintln!("stopped after step {}: the measure no longer got better", outcome.steps);
    }
    if let Some((value, step)) = outcome.best {
        eprintln!("best on the development set: {value:.4} after step {step}");
    }
    Ok(outcome.model)
}

/// Whether the run's folder holds the finished run of this very configuration.
///
/// # Errors
/// The resolved configuration beside the model cannot be read.
pub fn is_finished(config: &RunConfig) -> anyhow::Result<bool> {
    if !config.out.join("model").exists() {
        return Ok(false);
    }
    let path = config.out.join("run.toml");
    let resolved = fs::read_to_string(&path).map_err(|source| Error::io(&path, source))?;
    Ok(toml::to_string(config).context("cannot write a configuration as TOML")? == resolved)
}

/// An error of a run, with the run file named where the fault is one of its values and the message names no file.
pub fn of_run_file(error: isogloss_train::Error, file: &Path) -> anyhow::Error {
    use isogloss_train::Error::{Data, Model, NotFinite, Value};
    let unnamed = match &error {
        Value { .. } | NotFinite { .. } => true,
        Model(error) => matches!(
            error,
            isogloss_model::Error::UnknownName { .. }
                | isogloss_model::Error::Option { .. }
                | isogloss_model::Error::NoRoom { .. }
        ),
        Data(error) => matches!(
            error,
            Error::FormatName { .. } | Error::Lang { .. } | Error::MeasureName { .. } | Error::MeasureParameter { .. }
        ),
        _ => false,
    };
    match unnamed {
        true => anyhow::Error::from(error).context(file.display().to_string()),
        false => error.into(),
    }
}

/// Tells every step and evaluation.
struct Follow(Progress);

impl Observer for Follow {
    fn step(&mut self, log: &StepLog, steps: usize) {
        self.0.tell(log.step as u64, || {
            let (step, loss, speed) = (log.step, log.loss, grouped(log.tokens_per_second));
            format!("step {step}/{steps}  loss {loss:.4}  {speed} tokens/s")
        });
    }

    fn evaluated(&mut self, step: usize, measure: &str, value: f64, best: bool) {
        let best = if best { "  (best so far)" } else { "" };
        self.0.line(&format!("step {step}  {measure} {value:.4}{best}"));
    }
}

/// Tells nothing, where another process does.
struct Silent;

impl Observer for Silent {
    fn step(&mut self, _: &StepLog, _: usize) {}
    fn evaluated(&mut self, _: usize, _: &str, _: f64, _: bool) {}
}

/// A whole number with commas between thousands.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!([7.0, 999.6, 1234567.0].map(grouped), ["7", "1,000", "1,234,567"]);
    }
}
