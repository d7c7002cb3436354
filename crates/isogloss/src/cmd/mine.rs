//! `isogloss mine`: training data out of what words and vectors find.

mod bitext;
mod negatives;
pub mod pairs;
pub mod sources;

use clap::Subcommand;
use std::path::Path;

/// What to mine.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:\n  isogloss mine negatives --corpus corpus.jsonl --queries queries.jsonl --qrels qrels.tsv --bm25 words --vectors vectors --model out/model --out train.jsonl\n  isogloss mine bitext sw=swahili.txt en=english.txt --model out/model --threshold 1.06 --out pairs.tsv\n  isogloss mine pairs --corpus corpus.jsonl --queries questions.jsonl --bm25 words --vectors vectors --model out/model --out mined.jsonl";

#[derive(Debug, Subcommand)]
enum Command {
    /// Find hard negatives for labelled queries.
    Negatives(Box<negatives::Args>),
    /// Find translations between two sides.
    Bitext(Box<bitext::Args>),
    /// Find positives and hard negatives for queries without labels, where words and vectors agree.
    Pairs(Box<pairs::Args>),
}

/// Does it.
pub fn run(args: &Args) -> anyhow::Result<()> {
    match &args.command {
        Command::Negatives(args) => negatives::run(args),
        Command::Bitext(args) => bitext::run(args),
        Command::Pairs(args) => pairs::run(args),
    }
}

/// The folder that `out` is to stand in.
fn folder_of(out: &Path) -> &Path {
    out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Prints a report to stdout.
fn print(report: &impl std::fmt::Display) -> anyhow::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    write!(out, "{report}")?;
    Ok(out.flush()?)
}
