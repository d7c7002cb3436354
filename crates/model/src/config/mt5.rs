//! Configuration of mT5 and T5.

use std::path::Path;

use serde_json::{Value, json};

use super::keys::Keys;
use crate::error::Result;

/// Which of the two; they differ in names and defaults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mt5Family {
    /// `t5`.
    T5,
    /// `mt5`.
    Mt5,
}

/// The feed-forward layers of an encoder–decoder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedForward {
    /// `W_o relu(W_i x)`, of the first T5.
    Relu,
    /// `W_o (gelu(W_0 x) · W_1 x)` with the tanh approximation, of T5 1.1 and mT5.
    GatedGelu,
}

impl FeedForward {
    const KNOWN: &str = "relu, gated-gelu";

    fn read(keys: &Keys, family: Mt5Family) -> Result<Self> {
        let default = if family == Mt5Family::T5 { "relu" } else { "gated-gelu" };
        match keys.string_opt("feed_forward_proj")?.unwrap_or(default) {
            "relu" => Ok(FeedForward::Relu),
            "gated-gelu" => Ok(FeedForward::GatedGelu),
            other => Err(keys.unsupported("feed_forward_proj", other, Self::KNOWN)),
        }
    }

    fn name(self) -> &'static str {
        match self {
            FeedForward::Relu => "relu",
            FeedForward::GatedGelu => "gated-gelu",
        }
    }
}

/// Sizes and settings of an encoder–decoder of T5's architecture.
#[derive(Clone, Debug, PartialEq)]
pub struct Mt5Config {
    /// Which of the two.
    pub family: Mt5Family,
    /// Rows of the token embedding.
    pub vocab_size: usize,
    /// Length of a token's vector.
    pub d_model: usize,
    /// Length of a head's query, key and value; heads need not fill `d_model`.
    pub d_kv: usize,
    /// Inner size of the feed-forward layers.
    pub d_ff: usize,
    /// Layers of the encoder.
    pub layers: usize,
    /// Layers of the decoder.
    pub decoder_layers: usize,
    /// Attention heads.
    pub heads: usize,
    /// Rows of the tables of relative positions.
    pub buckets: usize,
    /// Distance from which on all positions are one.
    pub max_distance: usize,
    /// Dropout in training, 0 to 1.
    pub dropout: f64,
    /// Added to the mean square in normalisation.
    pub norm_eps: f64,
    /// The feed-forward layers.
    pub feed_forward: FeedForward,
    /// Whether logits are products with the token embedding, else with a matrix of their own. A checkpoint with such a matrix has the last word.
    pub tied: bool,
    /// Whether the decoder's states are divided by √d_model before they become logits: as the first T5 does, and no other.
    pub scaled: bool,
    /// Id of the padding token.
    pub pad_id: u32,
    /// Id of the token that ends a text.
    pub eos_id: u32,
    /// Id that the decoder begins with.
    pub decoder_start_id: u32,
    /// Text before a passage that a query is to be made for (`task_specific_params`); `{language}` in it is the query's.
    pub prompt: Option<String>,
}

impl Mt5Config {
    /// Length of all heads together.
    pub fn inner(&self) -> usize {
        self.heads * self.d_kv
    }

    /// Reads a `config.json`.
    ///
    /// # Errors
    /// Another `model_type` than mt5 and t5, an unknown feed-forward layer; a missing or wrong key, by file and name.
    pub fn read(path: &Path) -> Result<Self> {
        Self::from_keys(&Keys::read(path)?)
    }

    /// Takes the parsed text of a `config.json`; `path` is for messages.
    ///
    /// # Errors
    /// As [`Mt5Config::read`].
    pub fn from_json(path: &Path, value: Value) -> Result<Self> {
        Self::from_keys(&Keys::new(path, value)?)
    }

    fn from_keys(keys: &Keys) -> Result<Self> {
        let family = match keys.string("model_type")? {
            "mt5" => Mt5Family::Mt5,
            "t5" => Mt5Family::T5,
            other => return Err(keys.unsupported("model_type", other, "mt5, t5 for an encoder–decoder")),
        };
        let layers = keys.positive("num_layers")?;
        let id = |key: &str, default: usize| -> Result<u32> { Ok(keys.uint_opt(key)?.unwrap_or(default) as u32) };
        let tied = keys.bool_or("tie_word_embeddings", true)?;
        let pad_id = id("pad_token_id", 0)?;
        let config = Self {
            family,
            vocab_size: keys.positive("vocab_size")?,
            d_model: keys.positive("d_model")?,
            d_kv: keys.positive("d_kv")?,
            d_ff: keys.positive("d_ff")?,
            layers,
            decoder_layers: keys.uint_opt("num_decoder_layers")?.unwrap_or(layers),
            heads: keys.positive("num_heads")?,
            buckets: keys.uint_opt("relative_attention_num_buckets")?.unwrap_or(32),
            max_distance: keys.uint_opt("relative_attention_max_distance")?.unwrap_or(128),
            dropout: keys.float_or("dropout_rate", 0.1)?,
            norm_eps: keys.float_or("layer_norm_epsilon", 1e-6)?,
            feed_forward: FeedForward::read(keys, family)?,
            tied,
            scaled: family == Mt5Family::T5 && keys.bool_or("scale_decoder_outputs", tied)?,
            pad_id,
            eos_id: id("eos_token_id", 1)?,
            decoder_start_id: id("decoder_start_token_id", pad_id as usize)?,
            prompt: read_prompt(keys)?,
        };
        config.check(keys)?;
        Ok(config)
    }

    /// Refuses sizes that make no model.
    fn check(&self, keys: &Keys) -> Result<()> {
        let wrong = |key: &str, expected: &'static str| Err(keys.wrong(key, expected, keys.get(key)));
        if self.decoder_layers == 0 {
            return wrong("num_decoder_layers", "at least 1");
        }
        if self.buckets < 4 {
            return wrong("relative_attention_num_buckets", "at least 4");
        }
        // The decoder keeps half of the buckets for exact distances.
        if self.max_distance <= self.buckets / 2 {
            return wrong("relative_attention_max_distance", "above half of relative_attention_num_buckets");
        }
        let ids = [
            ("pad_token_id", self.pad_id),
            ("eos_token_id", self.eos_id),
            ("decoder_start_token_id", self.decoder_start_id),
        ];
        match ids.into_iter().find(|(_, id)| *id as usize >= self.vocab_size) {
            Some((key, _)) => wrong(key, "below vocab_size"),
            None if !(0.0..1.0).contains(&self.dropout) => wrong("dropout_rate", "from 0 to below 1"),
            None => Ok(()),
        }
    }

    /// The `config.json` that transformers reads.
    pub fn to_json(&self) -> Value {
        let (model_type, architecture) = match self.family {
            Mt5Family::T5 => ("t5", "T5ForConditionalGeneration"),
            Mt5Family::Mt5 => ("mt5", "MT5ForConditionalGeneration"),
        };
        let mut config = json!({
            "architectures": [architecture],
            "d_ff": self.d_ff,
            "d_kv": self.d_kv,
            "d_model": self.d_model,
            "decoder_start_token_id": self.decoder_start_id,
            "dropout_rate": self.dropout,
            "eos_token_id": self.eos_id,
            "feed_forward_proj": self.feed_forward.name(),
            "initializer_factor": 1.0,
            "is_encoder_decoder": true,
            "layer_norm_epsilon": self.norm_eps,
            "model_type": model_type,
            "num_decoder_layers": self.decoder_layers,
            "num_heads": self.heads,
            "num_layers": self.layers,
            "pad_token_id": self.pad_id,
            "relative_attention_max_distance": self.max_distance,
            "relative_attention_num_buckets": self.buckets,
            "tie_word_embeddings": self.tied,
            "torch_dtype": "float32",
            "use_cache": true,
            "vocab_size": self.vocab_size,
        });
        if let Some(prompt) = &self.prompt {
            config[TASKS] = json!({TASK: {"prefix": prompt}});
        }
        if self.family == Mt5Family::T5 && self.scaled != self.tied {
            config["scale_decoder_outputs"] = json!(self.scaled);
        }
        config
    }
}

/// The key under which T5's configurations keep prompts, and that of ours.
const TASKS: &str = "task_specific_params";
const TASK: &str = "query_generation";

fn read_prompt(keys: &Keys) -> Result<Option<String>> {
    let Some(tasks) = keys.object(TASKS)? else { return Ok(None) };
    let Some(task) = tasks.object(TASK)? else { return Ok(None) };
    Ok(task.string_opt("prefix")?.map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published() -> Value {
        json!({"model_type": "mt5", "vocab_size": 96, "d_model": 32, "d_kv": 6, "d_ff": 48, "num_layers": 2,
               "num_decoder_layers": 3, "num_heads": 4, "relative_attention_num_buckets": 8,
               "relative_attention_max_distance": 20, "dropout_rate": 0.0, "feed_forward_proj": "gated-gelu",
               "tie_word_embeddings": false, "pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0})
    }

    fn message(change: impl FnOnce(&mut Value)) -> String {
        let mut value = published();
        change(&mut value);
        Mt5Config::from_json(Path::new("m/config.json"), value).unwrap_err().to_string()
    }

    #[test]
    fn what_is_written_reads_back() {
        for (family, tied, feed_forward) in [("mt5", false, "gated-gelu"), ("t5", true, "relu"), ("t5", false, "relu")]
        {
            let mut value = published();
            value["model_type"] = json!(family);
            value["tie_word_embeddings"] = json!(tied);
            value["feed_forward_proj"] = json!(feed_forward);
            value["task_specific_params"] = json!({"query_generation": {"prefix": "ask: "}});
            let read = Mt5Config::from_json(Path::new("config.json"), value).unwrap();
            assert_eq!((read.tied, read.scaled, read.prompt.as_deref()), (tied, tied, Some("ask: ")));
            assert_eq!(Mt5Config::from_json(Path::new("config.json"), read.to_json()).unwrap(), read);
        }
    }

    #[test]
    fn defaults_are_those_of_the_family() {
        let read = |family: &str| {
            let mut value = published();
            value["model_type"] = json!(family);
            for key in ["feed_forward_proj", "tie_word_embeddings", "num_decoder_layers"] {
                value.as_object_mut().unwrap().remove(key);
            }
            Mt5Config::from_json(Path::new("config.json"), value).unwrap()
        };
        let (mt5, t5) = (read("mt5"), read("t5"));
        assert_eq!((mt5.feed_forward, mt5.tied, mt5.scaled), (FeedForward::GatedGelu, true, false));
        assert_eq!((t5.feed_forward, t5.tied, t5.scaled), (FeedForward::Relu, true, true));
        assert_eq!((mt5.decoder_layers, t5.decoder_layers), (2, 2));
    }

    #[test]
    fn what_makes_no_model_is_refused_by_its_key() {
        let cases: [(&str, Value, &str); 8] = [
            ("model_type", json!("bart"), "model_type = \"bart\" is not supported; supported: mt5, t5"),
            ("feed_forward_proj", json!("gated-silu"), "supported: relu, gated-gelu"),
            ("d_kv", Value::Null, "d_kv is missing"),
            ("num_decoder_layers", json!(0), "num_decoder_layers is 0, must be at least 1"),
            ("relative_attention_num_buckets", json!(2), "at least 4"),
            ("relative_attention_max_distance", json!(4), "above half"),
            ("eos_token_id", json!(96), "eos_token_id is 96, must be below vocab_size"),
            ("dropout_rate", json!(1.5), "dropout_rate is 1.5"),
        ];
        for (key, value, expected) in cases {
            let message = message(|v| v[key] = value);
            assert!(message.starts_with("m/config.json: ") && message.contains(expected), "{message}");
        }
    }
}
