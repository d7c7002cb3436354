//! `isogloss verify`: a result made again from its manifest, and what differs.

use crate::cli::Cli;
use crate::cmd::benchmark;
use crate::exit::Fault;
use crate::hashes::{first_change, hashes, hashes_of};
use crate::model;
use crate::result::{BenchmarkResult, RESULT, per_query_file};
use crate::sheet::{Form, Sheet};
use isogloss_ir::PerQuery;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Differences that are printed in full.
const SHOWN: usize = 20;

/// The result, and where its data are now.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  isogloss verify out/judged\n  isogloss verify out/judged --data /mnt/xquad --model out/model --json\n\nRuns the command of the result's manifest again in a temporary folder and compares every figure and every query's values.\nExit code 0: all are the same; 1: some differ; 2: it could not be run again, or model or data are not those of the manifest."
)]
pub struct Args {
    /// A folder that `isogloss benchmark --out` wrote.
    #[arg(value_name = "RESULT")]
    result: PathBuf,

    /// The benchmark's data, where they lie elsewhere now.
    #[arg(long, value_name = "DIR|FILE")]
    data: Option<PathBuf>,

    /// The model, where it lies elsewhere now.
    #[arg(long)]
    model: Option<String>,

    /// The index of words, where it lies elsewhere now.
    #[arg(long, value_name = "DIR")]
    bm25: Option<PathBuf>,

    /// The run or folder of runs, where they lie elsewhere now.
    #[arg(long, value_name = "FILE|DIR", conflicts_with = "model")]
    run: Option<PathBuf>,

    #[command(flatten)]
    form: Form,
}

/// A figure that is not what it was; absent on one side where it is not there.
#[derive(Debug, Serialize)]
struct Difference {
    figure: String,
    was: Value,
    is: Value,
}

/// What is printed as JSON.
#[derive(Debug, Serialize)]
struct Verdict {
    same: bool,
    /// Values compared.
    figures: usize,
    differences: Vec<Difference>,
}

/// Runs again, compares, prints.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let kept = BenchmarkResult::read(&args.result)?;
    let mut again = recorded(args, &kept.manifest)?;
    note(&kept.manifest);
    let temporary = tempfile::tempdir().map_err(|e| isogloss_ir::Error::io(std::env::temp_dir(), e))?;
    let place = temporary.path().join("again");
    again.out = Some(place.clone());
    let made = benchmark::judge(&again)?;
    let (before, after) = (figures(&args.result, &kept)?, figures(&place, &made)?);
    let verdict = compared(&before, &after);
    print(&verdict, args.form)?;
    match verdict.differences.len() {
        0 => Ok(()),
        n => anyhow::bail!("{n} of {} figures are not what they were", verdict.figures),
    }
}

/// What the manifest says was asked for, of data, model and run that are what they were.
fn recorded(args: &Args, manifest: &Value) -> anyhow::Result<benchmark::Args> {
    let file = args.result.join(RESULT);
    let words: Option<Vec<&str>> =
        manifest["command"].as_array().and_then(|words| words.iter().map(Value::as_str).collect());
    let parsed = words.ok_or_else(|| "it is no list of words".to_owned()).and_then(Cli::benchmark_of);
    let cure = "judge again with isogloss benchmark";
    let mut again = parsed.map_err(|problem| {
        Fault::new(&file, format!("the manifest's command is none to run again: {problem}; {cure}"))
    })?;
    again.data = args.data.clone().or(again.data);
    again.model = args.model.clone().or(again.model);
    again.run = args.run.clone().or(again.run);
    again.words.bm25 = args.bm25.clone().or(again.words.bm25);
    let data = again.data.as_deref().ok_or_else(|| Fault::new(&file, format!("the command names no data; {cure}")))?;
    unchanged("--data", data, &manifest["data"]["xxh3"])?;
    if let Some(index) = &again.words.bm25 {
        unchanged("--bm25", index, &manifest["bm25"]["xxh3"])?;
    }
    if let Some(run) = &again.run {
        unchanged("--run", run, &manifest["run"]["xxh3"])?;
    }
    if let Some(name) = &again.model {
        let folder = isogloss_model::resolve(name)?;
        let now = hashes_of(&folder, &model::files(&folder, !again.calibration.uncalibrated)?)?;
        refuse_change(&folder, &manifest["model"]["files"], &now, "--model")?;
    }
    Ok(again)
}

fn unchanged(option: &str, path: &Path, was: &Value) -> anyhow::Result<()> {
    if !path.exists() {
        return Err(Fault::new(path, format!("is not there; say with {option} where it lies now")).into());
    }
    refuse_change(path, was, &hashes(path)?, option)
}

fn refuse_change(path: &Path, was: &Value, now: &Value, option: &str) -> anyhow::Result<()> {
    let Some((place, change)) = first_change(was, now) else { return Ok(()) };
    let whole = if place.is_empty() { path.to_owned() } else { path.join(place) };
    let problem =
        format!("{change} since the result was made; restore it, name what was judged with {option}, or judge again");
    Err(Fault::new(&whole, problem).into())
}

/// Says what else may make figures differ.
fn note(manifest: &Value) {
    let now = benchmark::surroundings();
    for (what, was, is) in [
        ("version", &manifest["isogloss"], &now["isogloss"]),
        ("commit", &manifest["commit"], &now["commit"]),
        ("instructions (--cpu)", &manifest["hardware"]["instructions"], &now["hardware"]["instructions"]),
        ("arch", &manifest["hardware"]["arch"], &now["hardware"]["arch"]),
    ] {
        if was != is {
            let plain = |value: &Value| value.as_str().map_or_else(|| "unknown".to_owned(), str::to_owned);
            eprintln!("note: {what}: the result was made with {}, this is {}", plain(was), plain(is));
        }
    }
}

/// All figures of a folder under their names.
fn figures(folder: &Path, result: &BenchmarkResult) -> anyhow::Result<BTreeMap<String, Value>> {
    let mut all = BTreeMap::new();
    for (at, view) in result.views.iter().enumerate() {
        leaves(&view.view, &serde_json::to_value(view)?, &mut all);
        let values = PerQuery::read(folder.join(per_query_file(at, &view.view)))?;
        for (query, _, row) in values.iter() {
            for (measure, value) in values.measures().iter().zip(row) {
                all.insert(format!("{} · query {query} · {measure}", view.view), (*value).into());
            }
        }
    }
    Ok(all)
}

fn leaves(name: &str, value: &Value, all: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(field, value)| leaves(&format!("{name} · {field}"), value, all));
        }
        leaf => drop(all.insert(name.to_owned(), leaf.clone())),
    }
}

fn compared(before: &BTreeMap<String, Value>, after: &BTreeMap<String, Value>) -> Verdict {
    let mut differences = Vec::new();
    let new = after.keys().filter(|figure| !before.contains_key(*figure));
    let names: Vec<&String> = before.keys().chain(new).collect();
    for figure in &names {
        let of = |all: &BTreeMap<String, Value>| all.get(*figure).cloned().unwrap_or_default();
        let (was, is) = (of(before), of(after));
        if was != is {
            differences.push(Difference { figure: (*figure).clone(), was, is });
        }
    }
    Verdict { same: differences.is_empty(), figures: names.len(), differences }
}

fn print(verdict: &Verdict, form: Form) -> anyhow::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let shown = if form.csv { usize::MAX } else { SHOWN };
    let mut sheet = Sheet::new(["figure", "was", "is"]);
    for found in verdict.differences.iter().take(shown) {
        let cell = |value: &Value| if value.is_null() { "-".to_owned() } else { value.to_string() };
        sheet.push(vec![found.figure.clone(), cell(&found.was), cell(&found.is)]);
    }
    match form {
        Form { json: true, .. } => {
            serde_json::to_writer_pretty(&mut out, &verdict).map_err(io::Error::from)?;
            writeln!(out)?;
        }
        Form { csv: true, .. } => sheet.write_csv(&mut out)?,
        Form { .. } if verdict.same => writeln!(out, "all {} figures are the same", verdict.figures)?,
        Form { markdown, .. } => {
            sheet.write(markdown, &mut out)?;
            if let Some(more) = verdict.differences.len().checked_sub(SHOWN).filter(|more| *more > 0) {
                writeln!(out, "and {more} more; --csv has all")?;
            }
        }
    }
    out.flush()?;
    Ok(())
}
