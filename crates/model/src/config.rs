//! What `config.json` says of a model: its architecture and sizes.

mod bert;
pub(crate) mod keys;
mod modern_bert;
mod mt5;

use std::path::Path;

use serde_json::{Value, json};

pub use bert::{BertConfig, BertFamily, Positions};
pub use modern_bert::{LayerAttention, ModernBertConfig};
pub use mt5::{FeedForward, Mt5Config, Mt5Family};

use crate::error::Result;
use keys::Keys;

/// The architectures that can be built.
#[derive(Clone, Debug, PartialEq)]
pub enum ArchitectureConfig {
    /// BERT, RoBERTa and XLM-R.
    Bert(BertConfig),
    /// ModernBERT and mmBERT.
    ModernBert(ModernBertConfig),
    /// A table of token vectors, without layers.
    Static(StaticConfig),
}

/// Sizes of a table of token vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StaticConfig {
    /// Rows.
    pub vocab: usize,
    /// Length of a row.
    pub dim: usize,
}

/// The function between the two matrices of a feed-forward layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Activation {
    /// `x Φ(x)`, exactly.
    Gelu,
    /// `x Φ(x)` by the tanh approximation.
    GeluTanh,
}

impl Activation {
    const KNOWN: &str = "gelu, gelu_new, gelu_pytorch_tanh";

    fn read(keys: &Keys, key: &str) -> Result<Self> {
        match keys.string_opt(key)?.unwrap_or("gelu") {
            "gelu" => Ok(Activation::Gelu),
            "gelu_new" | "gelu_pytorch_tanh" => Ok(Activation::GeluTanh),
            other => Err(keys.unsupported(key, other, Self::KNOWN)),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Activation::Gelu => "gelu",
            Activation::GeluTanh => "gelu_pytorch_tanh",
        }
    }
}

impl ArchitectureConfig {
    /// Reads a `config.json`.
    ///
    /// # Errors
    /// An unknown `model_type` or activation, with the known ones; a missing or wrong key, by file and name.
    pub fn read(path: &Path) -> Result<Self> {
        Self::from_keys(&Keys::read(path)?)
    }

    /// Takes the parsed text of a `config.json`; `path` is for messages.
    ///
    /// # Errors
    /// As [`ArchitectureConfig::read`].
    pub fn from_json(path: &Path, value: Value) -> Result<Self> {
        Self::from_keys(&Keys::new(path, value)?)
    }

    fn from_keys(keys: &Keys) -> Result<Self> {
        match keys.string("model_type")? {
            "bert" => BertConfig::read(keys, BertFamily::Bert).map(Self::Bert),
            "roberta" => BertConfig::read(keys, BertFamily::Roberta).map(Self::Bert),
            "xlm-roberta" => BertConfig::read(keys, BertFamily::XlmRoberta).map(Self::Bert),
            "modernbert" => ModernBertConfig::read(keys).map(Self::ModernBert),
            other => Err(keys.unsupported("model_type", other, "bert, roberta, xlm-roberta, modernbert")),
        }
    }

    /// The `config.json` that transformers reads; `None` for a table of token vectors, which has none.
    pub fn to_json(&self) -> Option<Value> {
        match self {
            Self::Bert(config) => Some(config.to_json()),
            Self::ModernBert(config) => Some(config.to_json()),
            Self::Static(_) => None,
        }
    }

    /// Length of a token's vector.
    pub fn hidden_size(&self) -> usize {
        match self {
            Self::Bert(config) => config.hidden_size,
            Self::ModernBert(config) => config.hidden_size,
            Self::Static(config) => config.dim,
        }
    }

    /// Rows of the token embedding.
    pub fn vocab_size(&self) -> usize {
        match self {
            Self::Bert(config) => config.vocab_size,
            Self::ModernBert(config) => config.vocab_size,
            Self::Static(config) => config.vocab,
        }
    }

    /// Longest sequence, special tokens included; `None` where nothing bounds it.
    pub fn max_tokens(&self) -> Option<usize> {
        match self {
            Self::Bert(config) => Some(config.max_tokens()),
            Self::ModernBert(config) => Some(config.max_position_embeddings),
            Self::Static(_) => None,
        }
    }
}

/// Heads must share the hidden size evenly.
fn check_heads(keys: &Keys, hidden: usize, heads: usize) -> Result<()> {
    match hidden.is_multiple_of(heads) {
        true => Ok(()),
        false => Err(keys.wrong("num_attention_heads", "a divisor of hidden_size", Some(&json!(heads)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bert() -> Value {
        json!({"model_type": "bert", "vocab_size": 830, "hidden_size": 48, "num_hidden_layers": 3,
               "num_attention_heads": 4, "intermediate_size": 96, "max_position_embeddings": 64})
    }

    fn message(change: impl FnOnce(&mut Value)) -> String {
        let mut value = bert();
        change(&mut value);
        ArchitectureConfig::from_json(Path::new("m/config.json"), value).unwrap_err().to_string()
    }

    #[test]
    fn what_is_not_supported_is_named_with_what_is() {
        assert_eq!(
            message(|v| v["model_type"] = json!("t5")),
            "m/config.json: model_type = \"t5\" is not supported; supported: bert, roberta, xlm-roberta, modernbert"
        );
        assert!(message(|v| v["hidden_act"] = json!("silu")).contains("supported: gelu, gelu_new"));
        assert!(message(|v| v["position_embedding_type"] = json!("relative_key")).contains("relative_key"));
    }

    #[test]
    fn a_wrong_key_is_named() {
        let missing = message(|v| drop(v.as_object_mut().unwrap().remove("hidden_size")));
        assert_eq!(missing, "m/config.json: hidden_size is missing, must be a whole number");
        assert!(message(|v| v["vocab_size"] = json!("many")).contains("vocab_size is \"many\""));
        assert!(message(|v| v["num_hidden_layers"] = json!(0)).contains("at least 1"));
        assert!(message(|v| v["num_attention_heads"] = json!(5)).contains("divisor of hidden_size"));
        let list = ArchitectureConfig::from_json(Path::new("m/config.json"), json!([])).unwrap_err().to_string();
        assert!(list.contains("must be an object"), "{list}");
    }
}
