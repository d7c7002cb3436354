//! The command line: what holds for every verb.

use crate::cmd::{Command, benchmark};
use crate::exit::{self, Fault};
use clap::Parser;
use isogloss_engine::Isa;
use std::num::NonZeroUsize;

/// Train, run and judge search across languages.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    /// Threads to compute with [default: one per core].
    #[arg(long, global = true, value_name = "N")]
    threads: Option<NonZeroUsize>,

    /// CPU instructions to compute with [default: the widest the machine has].
    #[arg(long, global = true, value_name = "avx512|avx2|neon|portable")]
    cpu: Option<Isa>,

    #[command(subcommand)]
    command: Command,
}

impl Cli {
    /// Does what was asked.
    pub fn run(self) -> anyhow::Result<()> {
        if let Some(threads) = self.threads {
            rayon::ThreadPoolBuilder::new().num_threads(threads.get()).build_global()?;
        }
        if let Some(isa) = self.cpu {
            Isa::select(isa).map_err(|problem| Fault::option("--cpu", problem))?;
        }
        self.command.run()
    }

    /// The arguments of a recorded call of `benchmark`, the program's name first.
    ///
    /// # Errors
    /// It is another verb's, or none.
    pub fn benchmark_of(command: Vec<&str>) -> Result<benchmark::Args, String> {
        match Self::try_parse_from(&command) {
            Ok(Self { command: Command::Benchmark(args), .. }) => Ok(args),
            Ok(_) => Err(format!("{:?} does not call isogloss benchmark", command.join(" "))),
            Err(error) => Err(exit::in_one_line(&error.render().to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_verb_shows_an_example() {
        for verb in Cli::command().get_subcommands().filter(|verb| verb.get_name() != "help") {
            let after = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
            let call = format!("isogloss {}", verb.get_name());
            assert!(after.starts_with("Example") && after.contains(&call), "{}", verb.get_name());
        }
    }
}
