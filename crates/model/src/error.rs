//! Everything that can go wrong between a model's folder and its tensors, each in one line with its cure.

use std::path::{Path, PathBuf};

/// A failure of reading, writing or describing a model.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No GPU can be used.
    #[error(transparent)]
    Gpu(#[from] isogloss_engine::cuda::CudaError),
    /// Bytes are multiplied on the CPU alone.
    #[error("int8 products are computed on the CPU only; take --precision bf16 or f32, or --device cpu")]
    Int8OnGpu,
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
    /// A file that must be there is not.
    #[error("{}: not there; {cure}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// What to do.
        cure: &'static str,
    },
    /// A JSON file does not parse.
    #[error("{}: {source}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// Line, column and reason.
        source: serde_json::Error,
    },
    /// A key is missing or of another type.
    #[error("{}: {key} is {got}, must be {expected}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// The key, dotted where nested.
        key: String,
        /// What it should be.
        expected: &'static str,
        /// What it is.
        got: String,
    },
    /// A name that is none of the known.
    #[error("{}: {key} = {name:?} is not supported; supported: {known}", path.display())]
    Unsupported {
        /// The file.
        path: PathBuf,
        /// The key that holds the name.
        key: String,
        /// The name.
        name: String,
        /// The names there are.
        known: &'static str,
    },
    /// A name given by the caller that is none of the known.
    #[error("unknown {what} {name:?}; known: {known}")]
    UnknownName {
        /// What was to be named.
        what: &'static str,
        /// The name given.
        name: String,
        /// The names there are.
        known: &'static str,
    },
    /// A folder that says nothing of its pooling.
    #[error("{}: no modules.json, so nothing says how to pool; give --pooling cls, mean or last", path.display())]
    PoolingUnknown {
        /// The folder.
        path: PathBuf,
    },
    /// The tokenizers library refused.
    #[error("{}: {source}", path.display())]
    Tokenizer {
        /// The tokenizer.json, or the file to be trained.
        path: PathBuf,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A tokenizer without a token that is needed.
    #[error("{}: names no {role} token, nor does the tokenizer_config.json beside it; add it there", path.display())]
    SpecialToken {
        /// The tokenizer.json.
        path: PathBuf,
        /// pad, cls, sep, eos or mask.
        role: &'static str,
    },
    /// A length that leaves no room for text.
    #[error("at most {max_tokens} tokens: the tokenizer adds {added} special tokens itself; allow more than these")]
    NoRoom {
        /// The length given.
        max_tokens: usize,
        /// Special tokens added to every text.
        added: usize,
    },
    /// A folder that would be overwritten but is no model.
    #[error("{}: holds other files than a model; choose another folder or empty it", path.display())]
    NotAModel {
        /// The folder.
        path: PathBuf,
    },
    /// A model that is neither a folder nor in the cache.
    #[error(
        "{name}: not a folder and not in the local cache ({}); rebuild with --features hub or download it to a folder",
        cache.display()
    )]
    NotFound {
        /// The name given.
        name: String,
        /// Where it was looked for.
        cache: PathBuf,
    },
    /// The hub refused.
    #[error("{name}: cannot download: {message}")]
    Hub {
        /// The name given.
        name: String,
        /// Why.
        message: String,
    },
    /// An option out of its range.
    #[error("{key} = {got}: must be {range}")]
    Option {
        /// Which option.
        key: &'static str,
        /// Its value.
        got: usize,
        /// What it may be.
        range: &'static str,
    },
    /// A number out of its range.
    #[error("{key} = {got}: must be {range}")]
    Number {
        /// Which option.
        key: &'static str,
        /// Its value.
        got: f64,
        /// What it may be.
        range: &'static str,
    },
    /// A calibration whose parts do not fit together.
    #[error("{}: {source}", path.display())]
    Calibration {
        /// The file.
        path: PathBuf,
        /// Language, part and problem.
        source: Box<isogloss_dense::Error>,
    },
    /// A calibration of vectors that this model no longer gives.
    #[error(
        "the calibration was fitted with {key} {fitted}, the model is set to {key} {got}; set it back, fit again, or leave the vectors uncalibrated"
    )]
    CalibrationOfOther {
        /// pooling or normalize.
        key: &'static str,
        /// Its value when fitted.
        fitted: String,
        /// Its value now.
        got: String,
    },
    /// A tensor file that cannot be read, or a tensor of another shape.
    #[error("{}: tensor {tensor}: {problem}", path.display())]
    Tensor {
        /// The safetensors file.
        path: PathBuf,
        /// The tensor, or `*` for all.
        tensor: String,
        /// What is wrong, expected and got.
        problem: String,
    },
}

impl Error {
    /// Adds the file and the deed to what the system said.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.to_owned();
        move |source| Error::Io { action, path, source }
    }

    /// Adds the file to what the tokenizers library said.
    pub(crate) fn tokenizer(path: &Path) -> impl Fn(tokenizers::Error) -> Error + '_ {
        move |source| Error::Tokenizer { path: path.to_owned(), source }
    }
}

/// What a fallible function of this crate returns.
pub type Result<T> = std::result::Result<T, Error>;
