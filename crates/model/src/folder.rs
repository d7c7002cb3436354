//! A model's folder on disk, as sentence-transformers lays it out.

mod calibration;
mod card;
mod modules;
mod read;
mod write;

use std::collections::BTreeMap;
use std::path::PathBuf;

use isogloss_dense::Side;

use crate::config::ArchitectureConfig;
use crate::pooling::Pooling;
pub use calibration::{CALIBRATION_FILE, read_calibration, write_calibration};
pub(crate) use write::{copy_tokenizer, write_folder, write_json};

/// Everything a folder says of its model besides the weights themselves.
#[derive(Clone, Debug, PartialEq)]
pub struct FolderLayout {
    /// What is built.
    pub architecture: ArchitectureConfig,
    /// The safetensors files with the architecture's tensors: one, or all of a sharded model.
    pub weights: Vec<PathBuf>,
    /// The folder that holds `tokenizer.json`.
    pub tokenizer: PathBuf,
    /// Whether text is lowered before it is tokenized.
    pub lowercase: bool,
    /// Where texts are cut, special tokens included; `None` where nothing bounds them.
    pub max_tokens: Option<usize>,
    /// How token vectors become one.
    pub pooling: Pooling,
    /// Whether the prompt's tokens take part in the pooling.
    pub include_prompt: bool,
    /// Layers after the pooling, in order.
    pub dense: Vec<DenseLayer>,
    /// Whether vectors are brought to length 1 at the end.
    pub normalize: bool,
    /// Texts put in front of texts, by name.
    pub prompts: BTreeMap<String, String>,
    /// The prompt where none is asked for.
    pub default_prompt_name: Option<String>,
    /// How two vectors are compared.
    pub similarity: Option<String>,
}

/// A matrix (and bias) after the pooling: `activation(W x + b)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DenseLayer {
    /// Columns of the matrix.
    pub in_features: usize,
    /// Rows of the matrix.
    pub out_features: usize,
    /// Whether a bias is added.
    pub bias: bool,
    /// What follows.
    pub activation: DenseActivation,
    /// The safetensors file with `linear.weight` (and `linear.bias`).
    pub weights: PathBuf,
}

/// What follows the matrix of a [`DenseLayer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DenseActivation {
    /// Nothing.
    Identity,
    /// Hyperbolic tangent.
    Tanh,
    /// `max(x, 0)`.
    Relu,
    /// `x Φ(x)`.
    Gelu,
}

impl DenseActivation {
    /// The class in PyTorch.
    pub fn class(self) -> &'static str {
        match self {
            DenseActivation::Identity => "torch.nn.modules.linear.Identity",
            DenseActivation::Tanh => "torch.nn.modules.activation.Tanh",
            DenseActivation::Relu => "torch.nn.modules.activation.ReLU",
            DenseActivation::Gelu => "torch.nn.modules.activation.GELU",
        }
    }

    fn of_class(class: &str) -> Option<Self> {
        match class.strip_prefix("torch.nn.")?.rsplit('.').next()? {
            "Identity" => Some(DenseActivation::Identity),
            "Tanh" => Some(DenseActivation::Tanh),
            "ReLU" => Some(DenseActivation::Relu),
            "GELU" => Some(DenseActivation::Gelu),
            _ => None,
        }
    }
}

impl FolderLayout {
    /// Length of the vectors that come out.
    pub fn dim(&self) -> usize {
        self.dense.last().map_or(self.architecture.hidden_size(), |layer| layer.out_features)
    }

    /// The prompt of a side: `query` for queries; for docs the first of `document`, `passage`, `corpus` that is not
    /// empty; where the folder names none of these the default prompt, else nothing.
    pub fn prompt(&self, side: Side) -> &str {
        let names: &[&str] = match side {
            Side::Query => &["query"],
            Side::Doc => &["document", "passage", "corpus"],
        };
        let named: Vec<&String> = names.iter().filter_map(|name| self.prompts.get(*name)).collect();
        let default = || self.default_prompt_name.as_ref().and_then(|name| self.prompts.get(name));
        let prompt = match named.is_empty() {
            true => default(),
            false => named.into_iter().find(|prompt| !prompt.is_empty()),
        };
        prompt.map_or("", String::as_str)
    }
}

#[cfg(test)]
#[path = "folder/tests.rs"]
mod tests;
