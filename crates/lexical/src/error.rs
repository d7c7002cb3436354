//! Everything that can go wrong here, each in one line with its file and its cure.

use std::path::{Path, PathBuf};

/// A failure of analysis, indexing or search.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A corpus or a query file cannot be read.
    #[error(transparent)]
    Input(#[from] isogloss_ir::Error),
    /// A profile of analysis that is none of the known.
    #[error(
        "unknown analyzer {name:?}; known: auto, icu, subword:NAME, lucene:LANG with LANG one of {langs}, lucene:ja:DIR, snowball:pl, snowball:uk, and two joined by +"
    )]
    Profile {
        /// The name given.
        name: String,
        /// The codes there are.
        langs: String,
    },
    /// Japanese without its dictionary.
    #[error(
        "lucene:ja needs a dictionary: name its folder, lucene:ja:DIR, with IPADIC as mecab-dict-index compiles it in UTF-8 (Debian: mecab-ipadic-utf8)"
    )]
    NoDictionary,
    /// A dictionary that cannot be used.
    #[error("{}: {problem}; give a folder with IPADIC as mecab-dict-index compiles it in UTF-8", path.display())]
    Dictionary {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A union of a field with itself.
    #[error("the analyzer {name:?} joins one with itself; name two different ones")]
    SameTwice {
        /// The name given.
        name: String,
    },
    /// The tokenizer of a `subword:<name>` cannot be opened.
    #[error("subword:{name}: {source}")]
    Subword {
        /// The name after `subword:`.
        name: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The operating system refused.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// What was being done.
        action: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Something has the name that the index was to get.
    #[error("{}: is already there; choose another folder or delete it", path.display())]
    Exists {
        /// The folder.
        path: PathBuf,
    },
    /// A folder without an index.
    #[error("{}: holds no {expected}; give a folder that `isogloss index --bm25` wrote", path.display())]
    NoIndex {
        /// The folder.
        path: PathBuf,
        /// The file that is missing.
        expected: &'static str,
    },
    /// The first bytes are those of another kind of file.
    #[error("{}: no BM25 index (it starts with {got:02x?}); give a folder that `isogloss index --bm25` wrote", path.display())]
    Magic {
        /// The file.
        path: PathBuf,
        /// Its first bytes.
        got: Vec<u8>,
    },
    /// Written in a format this version does not know.
    #[error("{}: format version {got}, this program reads {expected}; index again with this version", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version read here.
        expected: u32,
        /// The version found.
        got: u32,
    },
    /// The file is shorter or longer than it says.
    #[error("{}: {expected} bytes expected, {got} found: it was cut short or overwritten; index again", path.display())]
    Length {
        /// The file.
        path: PathBuf,
        /// Bytes it should have.
        expected: u64,
        /// Bytes there are.
        got: u64,
    },
    /// A checksum does not hold, or parts that belong together disagree.
    #[error("{}: its {part} is damaged; index again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Which part.
        part: String,
    },
    /// A parameter out of its range.
    #[error("{key} = {got}: must be {range}")]
    Parameter {
        /// Which.
        key: &'static str,
        /// Its value.
        got: f32,
        /// What it may be.
        range: &'static str,
    },
    /// More documents than a number of 32 bits counts.
    #[error("more than {} documents; split the corpus", u32::MAX)]
    TooManyDocs,
}

impl Error {
    /// Adds the file and the deed to what the system said.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.to_owned();
        move |source| Error::Io { action, path, source }
    }
}

/// What a fallible function of this crate returns.
pub type Result<T> = std::result::Result<T, Error>;
