//! Everything that can go wrong here, each in one line with its file and its cure.

use std::io;
use std::path::{Path, PathBuf};

/// What a fallible function of this crate returns.
pub type Result<T> = std::result::Result<T, Error>;

/// A failure of mining.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // the fields are the words of the message above them
pub enum Error {
    /// Texts, judgements or runs.
    #[error(transparent)]
    Input(#[from] isogloss_ir::Error),

    /// Vectors.
    #[error(transparent)]
    Dense(#[from] isogloss_dense::Error),

    /// An index of words.
    #[error(transparent)]
    Lexical(#[from] isogloss_lexical::Error),

    /// The operating system refused.
    #[error("{}: cannot {action}: {source}", .path.display())]
    Io { action: &'static str, path: PathBuf, source: io::Error },

    /// An index or vectors of another corpus, told by a document.
    #[error("{}: its document {id:?} is not in {}; index, encode and mine one corpus", .path.display(), .corpus.display())]
    OtherCorpus { path: PathBuf, id: String, corpus: PathBuf },

    /// An index or vectors of another corpus, told by its size.
    #[error("{}: {got} documents, but {expected} in {}; index, encode and mine one corpus", .path.display(), .corpus.display())]
    OtherSize { path: PathBuf, got: usize, expected: usize, corpus: PathBuf },

    /// An id that another file should know.
    #[error("{}: {what} {id:?} is not in {}; check that both belong together", .path.display(), .other.display())]
    Unknown { path: PathBuf, what: &'static str, id: String, other: PathBuf },

    /// A group of translations of which a part is unknown or alone.
    #[error("{}:{line}: {problem}; write the ids of documents that say the same, apart by tabs", .path.display())]
    Group { path: PathBuf, line: usize, problem: String },

    /// No query has anything to mine for.
    #[error("{}: no query has a judgement of grade {grade} or more in {}; check that both belong together", .queries.display(), .qrels.display())]
    NoPositive { queries: PathBuf, qrels: PathBuf, grade: i32 },

    /// An option out of its range.
    #[error("{key} = {got}: must be {range}")]
    Option { key: &'static str, got: String, range: &'static str },

    /// A name that is none of the known.
    #[error("unknown name {got:?}; known: {known}")]
    Name { got: String, known: &'static str },

    /// A mining that was begun otherwise.
    #[error(
        "{}: begun with {key} = {stored}, now {given}; give the same inputs and options, or delete the folder to begin anew",
        .path.display()
    )]
    PlanChanged { path: PathBuf, key: String, stored: String, given: String },

    /// A file of a begun mining that cannot be read again.
    #[error("{}: {source}; delete its folder to begin anew", .path.display())]
    Damaged { path: PathBuf, source: serde_json::Error },

    /// Another process mines here.
    #[error("{}: another process is mining here; wait for it or choose another output", .path.display())]
    Locked { path: PathBuf },
}

impl Error {
    /// Adds the file and the deed to what the system said.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
        let path = path.to_owned();
        move |source| Error::Io { action, path, source }
    }
}
