//! Configuration of ModernBERT and mmBERT, in both dialects: the published one, and that of transformers 5.

use serde_json::{Value, json};

use super::keys::Keys;
use super::{Activation, check_heads};
use crate::error::Result;

/// How far a layer looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LayerAttention {
    /// At every token.
    Global,
    /// At tokens no further than `local_attention / 2` away.
    Local,
}

/// Sizes and settings of a ModernBERT encoder without biases.
#[derive(Clone, Debug, PartialEq)]
pub struct ModernBertConfig {
    /// Rows of the token embedding.
    pub vocab_size: usize,
    /// Length of a token's vector.
    pub hidden_size: usize,
    /// Attention heads; a divisor of `hidden_size`.
    pub heads: usize,
    /// Inner size of the feed-forward layer (its first matrix is twice as wide).
    pub intermediate_size: usize,
    /// Longest sequence.
    pub max_position_embeddings: usize,
    /// Width of the local window: token `i` sees `j` where `|i − j| ≤ local_attention / 2`.
    pub local_attention: usize,
    /// One for every layer.
    pub layer_attention: Vec<LayerAttention>,
    /// Base of the rotary angles in global layers.
    pub global_rope_theta: f64,
    /// Base of the rotary angles in local layers.
    pub local_rope_theta: f64,
    /// Added to the variance in layer normalisation.
    pub norm_eps: f64,
    /// Of the gate's first half.
    pub activation: Activation,
    /// Id of the padding token.
    pub pad_id: u32,
    /// Dropout of embeddings in training, 0 to 1.
    pub embedding_dropout: f64,
    /// Dropout of attention in training, 0 to 1.
    pub attention_dropout: f64,
    /// Dropout of the feed-forward layer in training, 0 to 1.
    pub mlp_dropout: f64,
    /// Ids of cls (also bos) and sep (also eos), as the file gives them.
    pub cls_sep_ids: Option<(u32, u32)>,
}

impl ModernBertConfig {
    /// Layers.
    pub fn layers(&self) -> usize {
        self.layer_attention.len()
    }

    pub(super) fn read(keys: &Keys) -> Result<Self> {
        for key in ["attention_bias", "mlp_bias", "norm_bias"] {
            if keys.bool_or(key, false)? {
                return Err(keys.unsupported(key, "true", "false"));
            }
        }
        let layers = keys.positive("num_hidden_layers")?;
        let (global_rope_theta, local_rope_theta) = rope_thetas(keys)?;
        let cls_sep = (keys.uint_opt("cls_token_id")?, keys.uint_opt("sep_token_id")?);
        let config = Self {
            vocab_size: keys.positive("vocab_size")?,
            hidden_size: keys.positive("hidden_size")?,
            heads: keys.positive("num_attention_heads")?,
            intermediate_size: keys.positive("intermediate_size")?,
            max_position_embeddings: keys.positive("max_position_embeddings")?,
            local_attention: keys.uint_opt("local_attention")?.unwrap_or(128),
            layer_attention: layer_attention(keys, layers)?,
            global_rope_theta,
            local_rope_theta,
            norm_eps: keys.float_or("norm_eps", 1e-5)?,
            activation: Activation::read(keys, "hidden_activation")?,
            pad_id: keys.uint_opt("pad_token_id")?.unwrap_or(50283) as u32,
            embedding_dropout: keys.float_or("embedding_dropout", 0.0)?,
            attention_dropout: keys.float_or("attention_dropout", 0.0)?,
            mlp_dropout: keys.float_or("mlp_dropout", 0.0)?,
            cls_sep_ids: cls_sep.0.zip(cls_sep.1).map(|(cls, sep)| (cls as u32, sep as u32)),
        };
        check_heads(keys, config.hidden_size, config.heads)?;
        Ok(config)
    }

    /// In the published dialect, which older tools read too; layers in no fixed rhythm need the newer one.
    pub(super) fn to_json(&self) -> Value {
        let mut config = json!({
            "architectures": ["ModernBertModel"],
            "attention_bias": false,
            "attention_dropout": self.attention_dropout,
            "classifier_activation": "gelu",
            "classifier_bias": false,
            "classifier_dropout": 0.0,
            "classifier_pooling": "mean",
            "decoder_bias": true,
            "embedding_dropout": self.embedding_dropout,
            "hidden_activation": self.activation.name(),
            "hidden_size": self.hidden_size,
            "initializer_cutoff_factor": 2.0,
            "initializer_range": 0.02,
            "intermediate_size": self.intermediate_size,
            "layer_norm_eps": self.norm_eps,
            "local_attention": self.local_attention,
            "max_position_embeddings": self.max_position_embeddings,
            "mlp_bias": false,
            "mlp_dropout": self.mlp_dropout,
            "model_type": "modernbert",
            "norm_bias": false,
            "norm_eps": self.norm_eps,
            "num_attention_heads": self.heads,
            "num_hidden_layers": self.layers(),
            "pad_token_id": self.pad_id,
            "position_embedding_type": "absolute",
            "torch_dtype": "float32",
            "vocab_size": self.vocab_size,
        });
        if let Some((cls, sep)) = self.cls_sep_ids {
            for (key, id) in
                [("cls_token_id", cls), ("bos_token_id", cls), ("sep_token_id", sep), ("eos_token_id", sep)]
            {
                config[key] = json!(id);
            }
        }
        match self.rhythm() {
            Some(every) => {
                config["global_attn_every_n_layers"] = json!(every);
                config["global_rope_theta"] = json!(self.global_rope_theta);
                config["local_rope_theta"] = json!(self.local_rope_theta);
            }
            None => self.write_layer_types(&mut config),
        }
        config
    }

    /// `n` where exactly the layers `0, n, 2n, …` are global.
    fn rhythm(&self) -> Option<usize> {
        (1..=self.layers()).find(|&every| self.layer_attention == every_nth(every, self.layers()))
    }

    fn write_layer_types(&self, config: &mut Value) {
        let name = |a: &LayerAttention| match a {
            LayerAttention::Global => "full_attention",
            LayerAttention::Local => "sliding_attention",
        };
        config["layer_types"] = self.layer_attention.iter().map(name).collect();
        config["rope_parameters"] = json!({
            "full_attention": {"rope_theta": self.global_rope_theta, "rope_type": "default"},
            "sliding_attention": {"rope_theta": self.local_rope_theta, "rope_type": "default"},
        });
    }
}

fn every_nth(every: usize, layers: usize) -> Vec<LayerAttention> {
    let kind = |i: usize| if i.is_multiple_of(every) { LayerAttention::Global } else { LayerAttention::Local };
    (0..layers).map(kind).collect()
}

fn layer_attention(keys: &Keys, layers: usize) -> Result<Vec<LayerAttention>> {
    let Some(types) = keys.get("layer_types") else {
        let every = keys.uint_opt("global_attn_every_n_layers")?.unwrap_or(3);
        return Ok(every_nth(every.max(1), layers));
    };
    let types = types.as_array().filter(|t| t.len() == layers);
    let types =
        types.ok_or_else(|| keys.wrong("layer_types", "a list of num_hidden_layers names", keys.get("layer_types")))?;
    let kind = |name: &Value| match name.as_str() {
        Some("full_attention") => Ok(LayerAttention::Global),
        Some("sliding_attention") => Ok(LayerAttention::Local),
        _ => Err(keys.unsupported("layer_types", name, "full_attention, sliding_attention")),
    };
    types.iter().map(kind).collect()
}

/// Bases of the rotary angles, global and local.
fn rope_thetas(keys: &Keys) -> Result<(f64, f64)> {
    let Some(parameters) = keys.object("rope_parameters")? else {
        let global = keys.float_or("global_rope_theta", 160_000.0)?;
        let named = keys.value.get("local_rope_theta").is_some();
        let local = keys.float_or("local_rope_theta", if named { global } else { 10_000.0 })?;
        return Ok((global, local));
    };
    let theta = |kind: &str, default: f64| {
        let Some(kind) = parameters.object(kind)? else { return Ok(default) };
        match kind.string_opt("rope_type")? {
            None | Some("default") => kind.float_or("rope_theta", default),
            Some(other) => Err(kind.unsupported("rope_type", other, "default")),
        }
    };
    Ok((theta("full_attention", 160_000.0)?, theta("sliding_attention", 10_000.0)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ArchitectureConfig;
    use std::path::Path;

    fn published() -> Value {
        json!({"model_type": "modernbert", "vocab_size": 956, "hidden_size": 48, "num_hidden_layers": 4,
            "num_attention_heads": 4, "intermediate_size": 56, "max_position_embeddings": 512, "local_attention": 16,
            "global_attn_every_n_layers": 3, "global_rope_theta": 160000.0, "local_rope_theta": 160000.0,
            "hidden_activation": "gelu", "pad_token_id": 0, "cls_token_id": 2, "sep_token_id": 1})
    }

    fn read(value: Value) -> ArchitectureConfig {
        ArchitectureConfig::from_json(Path::new("config.json"), value).unwrap()
    }

    #[test]
    fn both_dialects_say_the_same() {
        let mut newer = published();
        for old in ["global_attn_every_n_layers", "global_rope_theta", "local_rope_theta"] {
            newer.as_object_mut().unwrap().remove(old);
        }
        newer["layer_types"] = json!(["full_attention", "sliding_attention", "sliding_attention", "full_attention"]);
        newer["rope_parameters"] = json!({"full_attention": {"rope_theta": 160000.0, "rope_type": "default"},
            "sliding_attention": {"rope_theta": 160000.0, "rope_type": "default"}});
        assert_eq!(read(newer), read(published()));
    }

    #[test]
    fn what_is_written_reads_back_in_any_rhythm() {
        for layers in [["full", "sliding", "sliding", "full"], ["sliding", "full", "full", "sliding"], ["full"; 4]] {
            let mut value = published();
            value["layer_types"] = layers.iter().map(|l| json!(format!("{l}_attention"))).collect();
            let config = read(value);
            assert_eq!(read(config.to_json().unwrap()), config);
        }
    }

    #[test]
    fn a_null_local_theta_is_the_global_one() {
        let mut value = published();
        value["local_rope_theta"] = Value::Null;
        assert_eq!(read(value), read(published()));
    }
}
