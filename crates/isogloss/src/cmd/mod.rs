//! The verbs: each a file with its arguments and what it does with them.

pub mod analyze;
pub mod benchmark;
pub mod bias;
pub mod calibrate;
pub mod compare;
pub mod completions;
mod copy;
pub mod doctor;
pub mod encode;
pub mod evaluate;
pub mod filter;
pub mod fuse;
pub mod generate;
pub mod index;
pub mod mine;
pub mod quickstart;
pub mod report;
pub mod search;
pub mod self_train;
pub mod tokenizer;
pub mod train;
pub mod verify;

use clap::Subcommand;

/// What the program can be asked to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a small model on bundled text in minutes, judge it and search with it.
    Quickstart(quickstart::Args),
    /// Make a tokenizer for a new model.
    Tokenizer(tokenizer::Args),
    /// Examine data before anybody trains or judges with them.
    Doctor(doctor::Args),
    /// Train a model as a run file says.
    Train(train::Args),
    /// Mine, write and learn pairs in languages without labels, round by round.
    SelfTrain(self_train::Args),
    /// Fit a model's vectors to languages, from their texts alone.
    Calibrate(calibrate::Args),
    /// Turn texts into vectors.
    Encode(encode::Args),
    /// Write texts for texts, such as the queries that passages answer.
    Generate(generate::Args),
    /// Drop generated queries that are not worth training on.
    Filter(filter::Args),
    /// Make an index of the words of a corpus.
    Index(index::Args),
    /// Find the best documents of every query.
    Search(search::Args),
    /// Show the words that an analyzer finds in text.
    Analyze(analyze::Args),
    /// Measure a run against judgements.
    Evaluate(evaluate::Args),
    /// Compare systems with a baseline, by language, with tests of their differences.
    Compare(compare::Args),
    /// Measure how much a run over several languages prefers some of them.
    Bias(bias::Args),
    /// Join several runs into one.
    Fuse(fuse::Args),
    /// Mine training data: hard negatives, translations, or pairs for queries without labels.
    Mine(mine::Args),
    /// Judge a model or a run on one of the field's benchmarks.
    Benchmark(benchmark::Args),
    /// Show results side by side: a page, Markdown, CSV, or MTEB's JSON.
    Report(report::Args),
    /// Judge again as a result's manifest says, and tell what differs.
    Verify(verify::Args),
    /// Print completions for a shell.
    Completions(completions::Args),
}

impl Command {
    /// Does it.
    pub fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Quickstart(args) => quickstart::run(&args),
            Self::Tokenizer(args) => tokenizer::run(&args),
            Self::Doctor(args) => doctor::run(&args),
            Self::Train(args) => train::run(&args),
            Self::SelfTrain(args) => self_train::run(&args),
            Self::Calibrate(args) => calibrate::run(&args),
            Self::Encode(args) => encode::run(&args),
            Self::Generate(args) => generate::run(&args),
            Self::Filter(args) => filter::run(&args),
            Self::Index(args) => index::run(&args),
            Self::Search(args) => search::run(&args),
            Self::Analyze(args) => analyze::run(&args),
            Self::Evaluate(args) => evaluate::run(&args),
            Self::Compare(args) => compare::run(&args),
            Self::Bias(args) => bias::run(&args),
            Self::Fuse(args) => fuse::run(&args),
            Self::Mine(args) => mine::run(&args),
            Self::Benchmark(args) => benchmark::run(&args),
            Self::Report(args) => report::run(&args),
            Self::Verify(args) => verify::run(&args),
            Self::Completions(args) => completions::run(&args),
        }
    }
}
