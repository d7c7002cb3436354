//! How the program ends: 0 for done, 2 for a fault in what it was given, 1 for a fault of its own.

use std::io;
use std::process::ExitCode;

/// The exit code of a result, after telling an error in one line on stderr.
///
/// A reader of stdout that went away is no error.
pub fn code(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", message(&error));
            ExitCode::from(if is_of_the_input(&error) { 2 } else { 1 })
        }
    }
}

/// Whether the cure lies with the files and options given.
fn is_of_the_input(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.is::<isogloss_ir::Error>())
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let kinds = error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    kinds.into_iter().any(|kind| kind == io::ErrorKind::BrokenPipe)
}

/// The error and its causes in one line; an error that tells about files tells its cause itself.
fn message(error: &anyhow::Error) -> String {
    let mut parts = Vec::new();
    for cause in error.chain() {
        parts.push(cause.to_string());
        if cause.is::<isogloss_ir::Error>() {
            break;
        }
    }
    parts.join(": ").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;
    use isogloss_ir::Error;

    #[test]
    fn a_fault_of_a_file_is_told_once_and_is_the_inputs() {
        let fault = Error::io("a.trec", io::ErrorKind::NotFound.into());
        let error = Err::<(), _>(fault).context("reading the run").unwrap_err();
        assert_eq!(message(&error), "reading the run: a.trec: no such file or folder; check the path");
        assert!(is_of_the_input(&error) && !is_broken_pipe(&error));
        assert!(!is_of_the_input(&anyhow::anyhow!("ours")));
    }

    #[test]
    fn a_closed_pipe_is_found_below_other_errors() {
        let fault = Error::io("stdout", io::ErrorKind::BrokenPipe.into());
        assert!(is_broken_pipe(&fault.into()));
    }
}
