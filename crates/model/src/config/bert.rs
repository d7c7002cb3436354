//! Configuration of BERT, RoBERTa and XLM-R.

use serde_json::{Value, json};

use super::keys::Keys;
use super::{Activation, check_heads};
use crate::error::Result;

/// Which of the three; they differ in positions and names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BertFamily {
    /// `bert`.
    Bert,
    /// `roberta`.
    Roberta,
    /// `xlm-roberta`.
    XlmRoberta,
}

/// Which row of the position table a token takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Positions {
    /// Token `i` takes row `i`.
    FromZero,
    /// A token takes row `pad_id +` the number of tokens other than pad up to and including it; pad takes `pad_id`.
    AfterPad {
        /// Id of the padding token.
        pad_id: u32,
    },
}

impl Positions {
    /// The rows of one sequence.
    pub fn rows(&self, ids: &[u32]) -> Vec<u32> {
        match *self {
            Positions::FromZero => (0..ids.len() as u32).collect(),
            Positions::AfterPad { pad_id } => {
                let mut row = pad_id;
                let step = |&id: &u32| {
                    if id == pad_id {
                        pad_id
                    } else {
                        row += 1;
                        row
                    }
                };
                ids.iter().map(step).collect()
            }
        }
    }

    /// Longest sequence that a table of `rows` rows allows.
    pub fn max_tokens(&self, rows: usize) -> usize {
        match *self {
            Positions::FromZero => rows,
            Positions::AfterPad { pad_id } => rows.saturating_sub(pad_id as usize + 1),
        }
    }
}

/// Sizes and settings of a BERT-like encoder.
#[derive(Clone, Debug, PartialEq)]
pub struct BertConfig {
    /// Which of the three.
    pub family: BertFamily,
    /// Rows of the token embedding.
    pub vocab_size: usize,
    /// Length of a token's vector.
    pub hidden_size: usize,
    /// Layers.
    pub layers: usize,
    /// Attention heads; a divisor of `hidden_size`.
    pub heads: usize,
    /// Inner size of the feed-forward layer.
    pub intermediate_size: usize,
    /// Rows of the position table.
    pub max_position_embeddings: usize,
    /// Rows of the token type table.
    pub type_vocab_size: usize,
    /// Added to the variance in layer normalisation.
    pub layer_norm_eps: f64,
    /// Between the two matrices of the feed-forward layer.
    pub activation: Activation,
    /// Dropout of hidden states in training, 0 to 1.
    pub hidden_dropout: f64,
    /// Dropout of attention weights in training, 0 to 1.
    pub attention_dropout: f64,
    /// Id of the padding token.
    pub pad_id: u32,
    /// Which position a token has.
    pub positions: Positions,
}

impl BertConfig {
    /// Longest sequence, special tokens included.
    pub fn max_tokens(&self) -> usize {
        self.positions.max_tokens(self.max_position_embeddings)
    }

    pub(super) fn read(keys: &Keys, family: BertFamily) -> Result<Self> {
        refuse_other_forms(keys)?;
        let roberta = family != BertFamily::Bert;
        let pad_id = keys.uint_opt("pad_token_id")?.unwrap_or(usize::from(roberta)) as u32;
        let config = Self {
            family,
            vocab_size: keys.positive("vocab_size")?,
            hidden_size: keys.positive("hidden_size")?,
            layers: keys.positive("num_hidden_layers")?,
            heads: keys.positive("num_attention_heads")?,
            intermediate_size: keys.positive("intermediate_size")?,
            max_position_embeddings: keys.positive("max_position_embeddings")?,
            type_vocab_size: keys.uint_opt("type_vocab_size")?.unwrap_or(2),
            layer_norm_eps: keys.float_or("layer_norm_eps", 1e-12)?,
            activation: Activation::read(keys, "hidden_act")?,
            hidden_dropout: keys.float_or("hidden_dropout_prob", 0.1)?,
            attention_dropout: keys.float_or("attention_probs_dropout_prob", 0.1)?,
            pad_id,
            positions: if roberta { Positions::AfterPad { pad_id } } else { Positions::FromZero },
        };
        check_heads(keys, config.hidden_size, config.heads)?;
        match config.max_tokens() {
            0 => Err(keys.wrong(
                "max_position_embeddings",
                "more than pad_token_id + 1",
                keys.get("max_position_embeddings"),
            )),
            _ => Ok(config),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let (model_type, architecture) = match self.family {
            BertFamily::Bert => ("bert", "BertModel"),
            BertFamily::Roberta => ("roberta", "RobertaModel"),
            BertFamily::XlmRoberta => ("xlm-roberta", "XLMRobertaModel"),
        };
        let mut config = json!({
            "architectures": [architecture],
            "attention_probs_dropout_prob": self.attention_dropout,
            "hidden_act": self.activation.name(),
            "hidden_dropout_prob": self.hidden_dropout,
            "hidden_size": self.hidden_size,
            "initializer_range": 0.02,
            "intermediate_size": self.intermediate_size,
            "layer_norm_eps": self.layer_norm_eps,
            "max_position_embeddings": self.max_position_embeddings,
            "model_type": model_type,
            "num_attention_heads": self.heads,
            "num_hidden_layers": self.layers,
            "pad_token_id": self.pad_id,
            "position_embedding_type": "absolute",
            "torch_dtype": "float32",
            "type_vocab_size": self.type_vocab_size,
            "vocab_size": self.vocab_size,
        });
        if self.family != BertFamily::Bert {
            config["bos_token_id"] = json!(0);
            config["eos_token_id"] = json!(2);
        }
        config
    }
}

/// Forms of the architecture that would load and then compute something else.
fn refuse_other_forms(keys: &Keys) -> Result<()> {
    match keys.string_opt("position_embedding_type")? {
        None | Some("absolute") => {}
        Some(other) => return Err(keys.unsupported("position_embedding_type", other, "absolute")),
    }
    for key in ["is_decoder", "add_cross_attention"] {
        if keys.bool_or(key, false)? {
            return Err(keys.unsupported(key, "true", "false"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_of_xlmr_skip_pads_wherever_they_are() {
        let positions = Positions::AfterPad { pad_id: 1 };
        assert_eq!(positions.rows(&[0, 5, 1, 6, 2, 1, 1]), [2, 3, 1, 4, 5, 1, 1]);
        assert_eq!(positions.max_tokens(66), 64);
        assert_eq!(Positions::FromZero.rows(&[0, 1, 0]), [0, 1, 2]);
    }

    #[test]
    fn what_is_written_reads_back() {
        for family in ["bert", "roberta", "xlm-roberta"] {
            let value = json!({"model_type": family, "vocab_size": 702, "hidden_size": 48, "num_hidden_layers": 3,
                "num_attention_heads": 4, "intermediate_size": 96, "max_position_embeddings": 66,
                "type_vocab_size": 1, "layer_norm_eps": 1e-5, "hidden_act": "gelu_new", "pad_token_id": 3});
            let path = std::path::Path::new("config.json");
            let read = super::super::ArchitectureConfig::from_json(path, value).unwrap();
            let again = super::super::ArchitectureConfig::from_json(path, read.to_json().unwrap()).unwrap();
            assert_eq!(again, read);
        }
    }
}
