//! The verbs: each a file with its arguments and what it does with them.

pub mod completions;
pub mod evaluate;

use clap::Subcommand;

/// What the program can be asked to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Measure a run against judgements.
    Evaluate(evaluate::Args),
    /// Print completions for a shell.
    Completions(completions::Args),
}

impl Command {
    /// Does it.
    pub fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Evaluate(args) => evaluate::run(&args),
            Self::Completions(args) => completions::run(&args),
        }
    }
}
