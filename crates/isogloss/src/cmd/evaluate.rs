//! `isogloss evaluate`: the measures of a run, over all queries and by language.

use crate::input::Input;
use comfy_table::{CellAlignment, Table, presets};
use isogloss_ir::bootstrap::Interval;
use isogloss_ir::evaluate::{Counts, Values};
use isogloss_ir::{Bootstrap, Lang, Measure, Qrels, ReadOptions, Report, evaluate_file, read_queries};
use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;

/// What to measure, and what to print.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  isogloss evaluate qrels/test.tsv run.trec\n  isogloss evaluate qrels.txt run.trec nDCG@10 'P(rel=2)@5' --by-lang --queries queries.jsonl\n  isogloss evaluate qrels.txt run.trec RR@10 --per-query --json > report.json"
)]
pub struct Args {
    /// Judgements: TREC qrels, BEIR's TSV, or a folder in the BEIR layout.
    qrels: PathBuf,

    /// The run, as TREC rows `qid Q0 docid rank score tag`.
    run: PathBuf,

    /// Measures as ir_measures writes them.
    #[arg(value_name = "MEASURE", default_values = ["nDCG@10", "RR@100", "R@100"])]
    measures: Vec<Measure>,

    /// Print the values of every judged query.
    #[arg(long)]
    per_query: bool,

    /// Print the means of every language.
    #[arg(long, requires = "queries")]
    by_lang: bool,

    /// Queries with their languages; adds the unweighted mean of the languages. LANG=FILE declares the language of queries that
    /// name none.
    #[arg(long, value_name = "FILE")]
    queries: Option<Input>,

    /// Print the report as JSON.
    #[arg(long)]
    json: bool,

    /// Bootstrap resamples behind the intervals; 0 for no intervals.
    #[arg(long, value_name = "N", default_value_t = Bootstrap::default().resamples)]
    resamples: usize,

    /// Seed of the resamples.
    #[arg(long, value_name = "N", default_value_t = Bootstrap::default().seed)]
    seed: u64,
}

/// Measures the run and prints the report.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let qrels = Qrels::read(&args.qrels)?;
    let langs = args.queries.as_ref().map(langs).transpose()?;
    let bootstrap = Bootstrap { seed: args.seed, resamples: args.resamples, ..Bootstrap::default() };
    let mut report = evaluate_file(&qrels, &args.run, &args.measures, langs.as_ref(), bootstrap)?;
    report.run = Some(args.run.display().to_string());
    note(report.counts);
    let mut out = BufWriter::new(io::stdout().lock());
    match args.json {
        true => print_json(report, args, &mut out)?,
        false => print_text(&report, args, langs.as_ref(), &mut out)?,
    }
    out.flush()?;
    Ok(())
}

/// The languages of queries that name one, or for which one was declared.
///
/// # Errors
/// The file cannot be read.
pub fn langs(queries: &Input) -> isogloss_ir::Result<BTreeMap<String, Lang>> {
    let mut langs = BTreeMap::new();
    for query in read_queries(&queries.path, &ReadOptions { lang: queries.lang })? {
        let query = query?;
        langs.extend(query.lang.map(|lang| (query.id, lang)));
    }
    Ok(langs)
}

fn note(counts: Counts) {
    if counts.missing > 0 {
        eprintln!("note: judged queries that the run lacks and that count 0: {} of {}", counts.missing, counts.judged);
    }
    if counts.unjudged > 0 {
        eprintln!("note: queries of the run without judgements, passed over: {}", counts.unjudged);
    }
}

fn print_json(mut report: Report, args: &Args, out: &mut impl Write) -> anyhow::Result<()> {
    if !args.per_query {
        report.queries.clear();
    }
    if !args.by_lang {
        report.by_lang.clear();
        report.interval.iter_mut().for_each(|interval| interval.by_lang.clear());
    }
    serde_json::to_writer_pretty(&mut *out, &report).map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(())
}

fn print_text(
    report: &Report,
    args: &Args,
    langs: Option<&BTreeMap<String, Lang>>,
    out: &mut impl Write,
) -> io::Result<()> {
    if args.per_query {
        for (query, values) in &report.queries {
            for (measure, value) in &values.0 {
                writeln!(out, "{query}\t{measure}\t{value:.4}")?;
            }
        }
        writeln!(out)?;
    }
    writeln!(out, "{}", summary(report, args, langs).trim_fmt())?;
    if let Some(interval) = &report.interval {
        let Bootstrap { seed, resamples, confidence } = interval.bootstrap;
        let percent = confidence * 100.0;
        writeln!(out, "{percent} % intervals from {resamples} bootstrap resamples of the queries, seed {seed}")?;
    }
    Ok(())
}

/// One row per language, one for their mean, one for all queries.
fn summary(report: &Report, args: &Args, langs: Option<&BTreeMap<String, Lang>>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let measures = args.measures.iter().map(Measure::to_string);
    table.set_header(["mean over".to_owned(), "queries".to_owned()].into_iter().chain(measures));
    let intervals = report.interval.as_ref();
    for (lang, values) in report.by_lang.iter().filter(|_| args.by_lang) {
        let of_lang = |query: &&String| langs.and_then(|langs| langs.get(*query)) == Some(lang);
        let queries = report.queries.keys().filter(of_lang).count();
        table.add_row(row(lang.as_str(), queries, values, intervals.and_then(|i| i.by_lang.get(lang))));
    }
    if let Some(values) = &report.macro_mean {
        let intervals = intervals.and_then(|i| i.macro_mean.as_ref());
        table.add_row(row(&format!("{} languages", report.by_lang.len()), report.counts.judged, values, intervals));
    }
    table.add_row(row("all queries", report.counts.judged, &report.mean, intervals.map(|i| &i.mean)));
    if let Some(column) = table.column_mut(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn row(name: &str, queries: usize, values: &Values, intervals: Option<&Values<Interval>>) -> Vec<String> {
    let cell = |(measure, value): &(Measure, f64)| match intervals.and_then(|intervals| intervals.get(*measure)) {
        Some([low, high]) => format!("{value:.4} [{low:.4}, {high:.4}]"),
        None => format!("{value:.4}"),
    };
    [name.to_owned(), queries.to_string()].into_iter().chain(values.0.iter().map(cell)).collect()
}
