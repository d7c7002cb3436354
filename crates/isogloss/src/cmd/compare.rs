//! `isogloss compare`: systems beside a baseline, by language, with tests of their differences.

pub mod table;

mod system;

use super::evaluate::langs;
use crate::exit::Fault;
use crate::input::Input;
use crate::model::positive;
use crate::sheet::Form;
use isogloss_ir::{Comparison, Lang, Qrels, QueryId, Resampling, compare};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use system::System;

/// The systems, what they are compared by, and what to print.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  isogloss compare base.trec new.trec --qrels qrels.tsv --queries queries.jsonl\n  isogloss compare base.trec a.trec b.trec --qrels qrels.tsv --measure nDCG@10 --markdown\n  isogloss compare out/base out/new          # folders that isogloss benchmark wrote"
)]
pub struct Args {
    /// Two systems or more, the first the baseline: TREC runs, reports of `evaluate --per-query --json`, or what `benchmark` wrote.
    #[arg(value_name = "RUN|RESULT", required = true, num_args = 2..)]
    systems: Vec<PathBuf>,

    /// Judgements for runs: TREC qrels, BEIR's TSV, or a folder in the BEIR layout.
    #[arg(long, value_name = "FILE")]
    qrels: Option<PathBuf>,

    /// Measures as ir_measures writes them; without, nDCG@10 RR@100 R@100 of runs and what results have.
    #[arg(long = "measure", value_name = "MEASURE")]
    measures: Vec<String>,

    /// Queries with their languages; compares by language too. LANG=FILE declares the language of queries that name none.
    #[arg(long, value_name = "FILE")]
    queries: Option<Input>,

    /// Draws of the randomisation test and of the bootstrap; so many sign patterns or fewer are all counted.
    #[arg(long, value_name = "N", value_parser = positive, default_value_t = Resampling::default().resamples)]
    resamples: usize,

    /// Seed of the draws.
    #[arg(long, value_name = "N", default_value_t = Resampling::default().seed)]
    seed: u64,

    #[command(flatten)]
    form: Form,
}

/// One system beside the baseline by one measure.
#[derive(Debug, Serialize)]
struct Versus {
    system: String,
    measure: String,
    #[serde(flatten)]
    found: Comparison,
}

/// What is printed as JSON.
#[derive(Debug, Serialize)]
struct Report {
    baseline: String,
    comparisons: Vec<Versus>,
}

/// Compares and prints.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let qrels = args.qrels.as_deref().map(Qrels::read).transpose()?;
    let systems: Vec<System> = args
        .systems
        .iter()
        .map(|path| System::read(path, qrels.as_ref(), &args.measures))
        .collect::<anyhow::Result<_>>()?;
    let langs = match &args.queries {
        Some(queries) => Some(langs(queries)?),
        None => systems[0].values.langs(),
    };
    let resampling = Resampling { seed: args.seed, resamples: args.resamples, ..Resampling::default() };
    let comparisons = compared(&systems, &measures(args, &systems)?, langs.as_ref(), &resampling)?;
    let report = Report { baseline: systems[0].name.clone(), comparisons };
    let mut out = BufWriter::new(io::stdout().lock());
    match args.form {
        Form { json: true, .. } => {
            serde_json::to_writer_pretty(&mut out, &report).map_err(io::Error::from)?;
            writeln!(out)?;
        }
        Form { csv: true, .. } => table::write_csv(&report, &mut out)?,
        Form { markdown, .. } => table::write(&report, markdown, &mut out)?,
    }
    out.flush()?;
    Ok(())
}

/// The measures asked for, else those that all systems have.
fn measures(args: &Args, systems: &[System]) -> anyhow::Result<Vec<String>> {
    if !args.measures.is_empty() {
        return Ok(args.measures.iter().map(|measure| system::canonical(measure)).collect());
    }
    let by_all = |measure: &&String| systems.iter().all(|system| system.values.measures().contains(measure));
    let shared: Vec<String> = systems[0].values.measures().iter().filter(by_all).cloned().collect();
    if shared.is_empty() {
        let problem = format!("has no measure that all the others have; its own are {}", systems[0].known());
        return Err(Fault::new(&args.systems[0], problem).into());
    }
    Ok(shared)
}

fn compared(
    systems: &[System],
    measures: &[String],
    langs: Option<&BTreeMap<QueryId, Lang>>,
    resampling: &Resampling,
) -> anyhow::Result<Vec<Versus>> {
    let mut all = Vec::new();
    for measure in measures {
        let baseline = systems[0].scores(measure)?;
        for system in &systems[1..] {
            let found = compare(&baseline, &system.scores(measure)?, langs, resampling)?;
            all.push(Versus { system: system.name.clone(), measure: measure.clone(), found });
        }
    }
    Ok(all)
}
