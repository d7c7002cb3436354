//! `isogloss report`: results side by side, to look at in a browser or to read with other programs.

mod calibration;

use crate::exit::Fault;
use crate::input::Input;
use crate::model::positive;
use crate::report::{Log, Report, System, csv, markdown, mteb, page::page};
use crate::run_out::refuse_folder;
use isogloss_ir::{Resampling, write_atomic};
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What is shown, and how.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  isogloss report out/judged --out report.html\n  isogloss report new=out/new --baseline old=out/old --out report.html\n  isogloss report out/judged --log runs/out/first --calibration out/model --text en=en.txt sw=sw.txt --out report.html\n  isogloss report out/a out/b --format csv\n  isogloss report out/a out/b --format json --out mteb        # mteb/SYSTEM/REVISION/TASK.json"
)]
pub struct Args {
    /// Folders that `isogloss benchmark --out` wrote; NAME=DIR gives a system its name.
    #[arg(value_name = "[NAME=]RESULT", required = true, num_args = 1..)]
    results: Vec<OsString>,

    /// What the others are compared with [default: the first result of each benchmark].
    #[arg(long, value_name = "[NAME=]RESULT")]
    baseline: Vec<OsString>,

    /// Logs of trainings whose curves are drawn: a training's folder or its log.jsonl.
    #[arg(long, value_name = "[NAME=]FILE")]
    log: Vec<OsString>,

    /// A calibrated model whose vectors of --text are pictured before and after its calibration.
    #[arg(long, value_name = "MODEL", requires = "text")]
    calibration: Option<String>,

    /// Sentences for that: files as isogloss calibrate reads them; LANG=FILE declares the language of texts that name none.
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "calibration")]
    text: Vec<Input>,

    /// Sentences of each language: the first.
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = 200)]
    sample: usize,

    /// A page; tables; MTEB's JSON, a file each task below the folder --out, or a list in one file; or a row for every
    /// figure [default: by the name of --out, else html].
    #[arg(long, value_name = "html|markdown|json|csv")]
    format: Option<Format>,

    /// The file; for JSON a folder, or a file that ends in .json [default: stdout].
    #[arg(long, value_name = "FILE|DIR")]
    out: Option<PathBuf>,

    /// Draws of the randomisation tests and of the intervals of differences.
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = Resampling::default().resamples)]
    resamples: usize,

    /// Seed of the draws.
    #[arg(long, value_name = "N", default_value_t = Resampling::default().seed)]
    seed: u64,
}

/// What a report is written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Html,
    Markdown,
    Json,
    Csv,
}

/// Reads, compares and writes.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let format = args.format.unwrap_or_else(|| format_of(args.out.as_deref()));
    let into_folder =
        format == Format::Json && args.out.as_deref().is_some_and(|out| format_of(Some(out)) != Format::Json);
    if !into_folder {
        refuse_folder(args.out.as_deref())?;
    }
    let given = args.baseline.iter().chain(&args.results).map(named);
    let systems = System::read_all(given)?;
    let resampling = Resampling { seed: args.seed, resamples: args.resamples, ..Resampling::default() };
    let mut report = Report::new(&systems, resampling)?;
    if format == Format::Html {
        let logs = args.log.iter().map(named).map(|(name, path)| Log::read(name, &path));
        report.logs = logs.collect::<anyhow::Result<_>>()?;
        let model = args.calibration.as_deref();
        report.calibrated = model.map(|model| calibration::calibrated(model, args)).transpose()?;
    }
    let mut bytes = Vec::new();
    match (format, &args.out) {
        (Format::Json, Some(file)) if into_folder && file.is_file() => {
            return Err(
                Fault::new(file, "is a file; name a folder for MTEB's files, or a file that ends in .json").into()
            );
        }
        (Format::Json, Some(folder)) if into_folder => return mteb::write(&report, folder),
        (Format::Json, _) => writeln!(bytes, "{:#}", serde_json::Value::from(mteb::all(&report)))?,
        (Format::Html, _) => bytes = page(&report).into_bytes(),
        (Format::Markdown, _) => markdown::write(&report, &mut bytes)?,
        (Format::Csv, _) => csv::write(&report, &mut bytes)?,
    }
    match &args.out {
        Some(path) => write_atomic(path, &bytes)?,
        None => io::stdout().lock().write_all(&bytes)?,
    }
    Ok(())
}

fn format_of(out: Option<&Path>) -> Format {
    match out.and_then(Path::extension).and_then(|extension| extension.to_str()) {
        Some("md") => Format::Markdown,
        Some("csv") => Format::Csv,
        Some("json") => Format::Json,
        _ => Format::Html,
    }
}

/// A path that is there is a path, whatever it looks like; else `NAME=DIR`.
fn named(given: &OsString) -> (String, PathBuf) {
    let path = PathBuf::from(given);
    let split = given.to_str().and_then(|text| text.split_once('='));
    match split.filter(|(name, folder)| !name.is_empty() && !folder.is_empty() && !path.exists()) {
        Some((name, folder)) => (name.to_owned(), folder.into()),
        None => (path.display().to_string(), path),
    }
}
