//! The program `isogloss`: one verb, one file in [`cmd`]. Results go to stdout, messages to stderr.
#![forbid(unsafe_code)]

mod cli;
mod cmd;
mod exit;
mod files;
mod fusion;
mod hashes;
mod input;
mod model;
mod progress;
mod report;
mod result;
mod resumed;
mod run_out;
mod sheet;
mod stored;
mod subword;
mod texts;
mod vector_file;
mod words;

use clap::Parser;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

fn main() -> ExitCode {
    exit::tell_panics_in_one_line();
    match cli::Cli::try_parse() {
        Ok(cli) => exit::code(panic::catch_unwind(AssertUnwindSafe(|| cli.run()))),
        Err(error) => exit::usage(&error),
    }
}
