//! How the program ends: 0 for done, 2 for a fault in what it was given, 1 for a fault of its own, or
//! for what `verify` finds to differ and `doctor` finds that should stop a run.

use crate::cmd::train::gpus;
use clap::error::ErrorKind;
use isogloss_engine::cuda::CudaError;
use std::fmt;
use std::io;
use std::panic;
use std::path::Path;
use std::process::ExitCode;
use std::thread;

/// A fault in what was given that no library found, told with its cure.
#[derive(Debug)]
pub struct Fault(String);

impl Fault {
    /// The fault of a file or folder.
    pub fn new(path: &Path, problem: impl fmt::Display) -> Self {
        Self(format!("{}: {problem}", path.display()))
    }

    /// The fault of an option.
    pub fn option(name: &str, problem: impl fmt::Display) -> Self {
        Self(format!("{name}: {problem}"))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}

/// An end that was told already, with its exit code.
#[derive(Debug)]
pub struct Told(pub u8);

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "told already (exit code {})", self.0)
    }
}

impl std::error::Error for Told {}

/// The exit code of a result, after telling an error in one line on stderr.
///
/// A reader of stdout that went away is no error. A panic was told when it happened.
pub fn code(result: thread::Result<anyhow::Result<()>>) -> ExitCode {
    match result {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(error)) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Ok(Err(error)) if error.is::<Told>() => ExitCode::from(error.downcast::<Told>().map_or(1, |told| told.0)),
        Ok(Err(error)) => {
            eprintln!("error: {}", message(&error));
            ExitCode::from(match is_of_the_input(&error) {
                _ if is_of_a_gpu(&error) => of_a_gpu(),
                true => 2,
                false => 1,
            })
        }
        Err(panic) => ExitCode::from(if panic.is::<CudaError>() { of_a_gpu() } else { 1 }),
    }
}

/// The exit code of a command line that asks for help or makes no sense; the latter is told in one line.
pub fn usage(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A reader that went away has read what it wanted.
            let _ = error.print();
            ExitCode::SUCCESS
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            ExitCode::from(2)
        }
        _ => {
            eprintln!("{}", in_one_line(&error.render().to_string()));
            ExitCode::from(2)
        }
    }
}

/// A message of clap without its usage: the paragraphs that say what is wrong, and where to read on.
pub fn in_one_line(rendered: &str) -> String {
    let said = |line: &&str| !line.starts_with("Usage:") && !line.starts_with("For more information");
    let lines = rendered.lines().map(str::trim).take_while(said).filter(|line| !line.is_empty());
    let mut message = String::new();
    for line in lines {
        match message.chars().last() {
            None => {}
            Some(':') => message.push(' '),
            Some(_) => message.push_str("; "),
        }
        message.push_str(line);
    }
    message + "; --help tells more"
}

/// Says in one line that an invariant of ours broke, or that a GPU's memory is full; with RUST_BACKTRACE set, as Rust does.
pub fn tell_panics_in_one_line() {
    if std::env::var_os("RUST_BACKTRACE").is_none() {
        panic::set_hook(Box::new(|info| {
            if isogloss_dense::panic_is_caught() {
                return;
            }
            if let Some(error) = info.payload().downcast_ref::<CudaError>() {
                eprintln!("error: {error}");
                return;
            }
            let info = info.to_string().replace('\n', " ");
            eprintln!("error: isogloss itself is at fault, please report it: {info}");
        }));
    }
}

/// Whether the cure lies with the files and options given.
fn is_of_the_input(error: &anyhow::Error) -> bool {
    let ours = |cause: &(dyn std::error::Error + 'static)| {
        matches!(cause.downcast_ref(), Some(isogloss_dense::Error::EncoderShape { .. }))
    };
    error.chain().any(tells_all) && !error.chain().any(ours)
}

/// The exit code of one of several processes that train together, where its own GPU is at fault, or the others are gone.
pub const OF_ONE_GPU: u8 = 3;

/// The exit code where a GPU is at fault.
fn of_a_gpu() -> u8 {
    if gpus::is_one_of_several() { OF_ONE_GPU } else { 2 }
}

/// Whether a GPU is at fault.
fn is_of_a_gpu(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.is::<CudaError>()
            || matches!(cause.downcast_ref(), Some(isogloss_model::Error::Gpu(_)))
            || matches!(cause.downcast_ref(), Some(isogloss_train::Error::Model(isogloss_model::Error::Gpu(_))))
    })
}

/// Whether an error names its causes itself: those of the libraries do.
fn tells_all(cause: &(dyn std::error::Error + 'static)) -> bool {
    cause.is::<isogloss_ir::Error>()
        || cause.is::<isogloss_dense::Error>()
        || cause.is::<isogloss_lexical::Error>()
        || cause.is::<isogloss_mine::Error>()
        || cause.is::<isogloss_model::Error>()
        || cause.is::<isogloss_train::Error>()
        || cause.is::<CudaError>()
        || cause.is::<Fault>()
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    io_kind(error) == Some(io::ErrorKind::BrokenPipe)
}

fn io_kind(error: &anyhow::Error) -> Option<io::ErrorKind> {
    error.chain().find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind)
}

/// The error and its causes in one line, with a cure where the system or a parser spoke last.
fn message(error: &anyhow::Error) -> String {
    let mut parts = Vec::new();
    for cause in error.chain() {
        parts.push(cause.to_string());
        if tells_all(cause) {
            break;
        }
    }
    let message = parts.join(": ").replace('\n', " ");
    match cure(error) {
        Some(cure) if !message.contains("; ") => format!("{message}; {cure}"),
        _ => message,
    }
}

/// What helps against the refusal of the system or of the JSON parser.
fn cure(error: &anyhow::Error) -> Option<&'static str> {
    use io::ErrorKind::*;
    if error.chain().any(|cause| cause.is::<serde_json::Error>()) {
        return Some("repair the file or write it again");
    }
    if error.chain().any(|cause| matches!(cause.downcast_ref(), Some(isogloss_train::Error::Config { .. }))) {
        return Some("correct the run file there");
    }
    Some(match io_kind(error)? {
        NotFound => "check the path",
        PermissionDenied | ReadOnlyFilesystem => "check who may read or write it",
        StorageFull | QuotaExceeded => "free some space or write to another disk",
        NotADirectory => "a part of the path is a file: choose another path",
        IsADirectory => "it is a folder: name a file",
        AlreadyExists | DirectoryNotEmpty => "something is in the way: choose another path or delete it",
        _ => "check the path and its disk",
    })
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
    fn what_the_system_refuses_gets_a_cure() {
        let full = Error::io("run.trec", io::ErrorKind::StorageFull.into());
        assert!(message(&full.into()).ends_with("; free some space or write to another disk"));
    }

    #[test]
    fn an_encoder_that_breaks_its_contract_is_ours() {
        let shape = isogloss_dense::Error::EncoderShape { rows: 1, dim: 2, got_rows: 1, got_dim: 3 };
        assert!(!is_of_the_input(&shape.into()));
    }

    #[test]
    fn a_closed_pipe_is_found_below_other_errors() {
        let fault = Error::io("stdout", io::ErrorKind::BrokenPipe.into());
        assert!(is_broken_pipe(&fault.into()));
    }

    #[test]
    fn claps_messages_lose_their_usage_and_line_breaks() {
        let rendered = "error: required arguments were not provided:\n  <A>\n  <B>\n\nUsage: x\n\nFor more information";
        assert_eq!(in_one_line(rendered), "error: required arguments were not provided: <A>; <B>; --help tells more");
    }
}
