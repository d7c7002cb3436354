//! `isogloss completions`: what a shell needs to complete this command line.

use crate::cli::Cli;
use clap::CommandFactory;
use clap_complete::{Shell, generate};
use std::io::{self, Write};

/// Which shell.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  isogloss completions bash > ~/.local/share/bash-completion/completions/isogloss")]
pub struct Args {
    /// The shell to complete in.
    #[arg(value_name = "SHELL")]
    shell: Shell,
}

/// Prints the completions to stdout.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let mut script = Vec::new();
    generate(args.shell, &mut Cli::command(), "isogloss", &mut script);
    io::stdout().write_all(&script)?;
    Ok(())
}
