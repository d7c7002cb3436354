//! `isogloss self-train`: lexicon-enhanced self-supervised training, the whole loop.

mod config;
mod generation;
mod report;
mod round;
mod steps;

use super::train::of_run_file;
use crate::exit::Fault;
use crate::files::{create_folder, remove};
use crate::hashes::{hashes, revision};
use crate::model;
use config::SelfTrainConfig;
use isogloss_model::Seq2Seq;
use isogloss_train::read_toml;
use report::{Judged, Report};
use round::{Round, judge, load};
use serde_json::{Map, Value, json};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use steps::{Steps, write_json};

/// Which loop.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  isogloss self-train runs/self_supervised.toml\n\nKilled and started again it goes on where it was. Everything between lies in the folder `out` of the file: round-N/LANG/mined.jsonl,\nround-N/report.txt and more; the last or, with development sets, the best model is OUT/model."
)]
pub struct Args {
    /// The file that says from which model, in which languages, and how.
    #[arg(value_name = "LOOP.toml")]
    file: PathBuf,
}

/// Does all rounds, and prints what each gave and the model's folder.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let file = &args.file;
    let config: SelfTrainConfig = read_toml(file)?;
    check(&config, file)?;
    let plan = plan(&config)?;
    let first = isogloss_model::resolve(&config.model)?;
    load(&config.model)?;
    if let Some(name) = config.generate.as_ref().and_then(|generate| generate.trained.as_ref()) {
        Seq2Seq::load(name, None)?;
    }
    config.check_inputs().map_err(|error| of_run_file(error, file))?;
    let mut steps = Steps::open(&config.out, &plan)?;
    let mut judged = vec![Judged { model: first.clone(), values: judge(&mut steps, &config, 0, &first)? }];
    for number in 1..=config.rounds {
        let round = Round { config: &config, number, file };
        let last = &judged[number - 1].model;
        let model = round.run(&mut steps, last)?;
        let values = judge(&mut steps, &config, number, &model)?;
        judged.push(Judged { model, values });
        Report::of(&round, &steps, &judged)?.write(&steps.path(&round.name("report")))?;
        let gain = report::gain(&judged);
        if gain.is_some_and(|gain| gain < config.min_gain) {
            eprintln!("round {number} gained less than {} points: the loop ends", config.min_gain);
            break;
        }
    }
    let chosen = report::best(&judged);
    let model = steps.step("model", |out| {
        remove(out)?;
        create_folder(out, |partial| Ok(super::copy::folder(&judged[chosen].model, partial)?))
    })?;
    write_json(&steps.path("result.json"), &report::result(&judged, chosen))?;
    let mut out = io::stdout().lock();
    report::table(&judged, chosen).write(false, &mut out)?;
    writeln!(out, "\n{}", model.display())?;
    Ok(())
}

/// Refuses what no data could mend, with the file named.
fn check(config: &SelfTrainConfig, file: &Path) -> anyhow::Result<()> {
    config.check().map_err(|error| match error.downcast::<isogloss_train::Error>() {
        Ok(error) => of_run_file(error, file),
        Err(error) => match error.downcast::<Fault>() {
            Ok(fault) => Fault::new(file, fault).into(),
            Err(other) => other.context(file.display().to_string()),
        },
    })
}

/// Everything that decides what is written: the file, and hashes of models and data.
fn plan(config: &SelfTrainConfig) -> anyhow::Result<Value> {
    let mut inputs = Map::new();
    for path in config.files() {
        inputs.insert(path.display().to_string(), revision(&hashes(path)?).into());
    }
    for name in std::iter::once(&config.model).chain(generator(config)) {
        inputs.insert(name.clone(), model::hash(&isogloss_model::resolve(name)?, false)?.into());
    }
    Ok(json!({ "isogloss": env!("CARGO_PKG_VERSION"), "config": config, "inputs": inputs }))
}

/// The generator that is given or trained from, unless it is a new one.
fn generator(config: &SelfTrainConfig) -> Option<&String> {
    let generate = config.generate.as_ref()?;
    let start = generate.model.as_ref().and_then(|model| model.path.as_ref());
    generate.trained.as_ref().or(start)
}
