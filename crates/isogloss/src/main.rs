//! The program `isogloss`: one verb, one file in [`cmd`]. Results go to stdout, messages to stderr.
#![forbid(unsafe_code)]

mod cli;
mod cmd;
mod exit;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    exit::code(cli::Cli::parse().run())
}
