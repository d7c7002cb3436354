//! What can go wrong in a training run.

use std::path::PathBuf;

/// An error of configuring or running a training run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A run file does not parse or has an unusable value.
    #[error("{}:{line}: {problem}", path.display())]
    Config {
        /// The run file.
        path: PathBuf,
        /// Line of the problem, from 1.
        line: usize,
        /// What is wrong, and the cure.
        problem: String,
    },
    /// A value of the run that cannot be traced to one line.
    #[error("{key}: {problem}")]
    Value {
        /// The key, dotted.
        key: String,
        /// What is wrong, and the cure.
        problem: String,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The loss or the gradient stopped being a number.
    #[error(
        "step {step}: the {what} is {value}; lower optimizer.learning_rate or raise recipe.temperature, then resume"
    )]
    NotFinite {
        /// The optimiser step, from 0.
        step: usize,
        /// Loss or gradient norm.
        what: &'static str,
        /// Its value.
        value: f64,
    },
    /// GPUs that train together have come apart.
    #[error(
        "step {step}: GPU {rank} no longer has the weights and statistics of the first; train on GPUs of one kind, look for faults of that one (nvidia-smi -q), and --resume goes on from the last checkpoint"
    )]
    Apart {
        /// Optimiser steps done.
        step: usize,
        /// The first GPU that differs, from 0.
        rank: usize,
    },
    /// The output directory holds another run.
    #[error("{}: {problem}", path.display())]
    Output {
        /// The directory or file.
        path: PathBuf,
        /// What is in the way, and the cure.
        problem: String,
    },
    /// Reading data.
    #[error(transparent)]
    Data(#[from] isogloss_ir::Error),
    /// Loading, saving or running the model.
    #[error(transparent)]
    Model(#[from] isogloss_model::Error),
    /// Searching the development set.
    #[error(transparent)]
    Dense(#[from] isogloss_dense::Error),
}

/// Result with [`Error`].
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn io(path: &std::path::Path, source: std::io::Error) -> Error {
        Error::Io { path: path.to_path_buf(), source }
    }

    pub(crate) fn value(key: &str, problem: impl Into<String>) -> Error {
        Error::Value { key: key.to_string(), problem: problem.into() }
    }
}
