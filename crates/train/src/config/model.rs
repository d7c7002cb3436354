//! The model that a run starts from.

use std::path::PathBuf;

use isogloss_engine::{DeviceChoice, Precision};
use serde::{Deserialize, Serialize};

use super::yes;
use crate::error::{Error, Result};

/// The model to start from: a folder or hub name, or a new one.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// A model folder, or the name of a model on the hub.
    pub path: Option<String>,
    /// A new model with random weights.
    pub new: Option<NewModelConfig>,
    /// Pooling, over what the folder says: cls, mean or last.
    pub pooling: Option<String>,
    /// Whether vectors are L2-normalised, over what the folder says.
    pub normalize: Option<bool>,
    /// Longest text in tokens, over what the folder says.
    pub max_tokens: Option<usize>,
    /// Format of the products with weights and of their gradients, f32 or bf16; f32 if not given. Weights and the optimiser's state are f32.
    pub precision: Option<String>,
    /// Where the model is trained: cpu, cuda, or auto for a GPU where one can be used; cpu if not given.
    pub device: Option<String>,
    /// Text put before every query.
    pub query_prompt: Option<String>,
    /// Text put before every passage.
    pub passage_prompt: Option<String>,
    /// Whether dropout is on while training, at the rates of the model's config.json.
    #[serde(default = "yes")]
    pub dropout: bool,
}

/// Sizes of a new model.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NewModelConfig {
    /// Which kind.
    pub architecture: Architecture,
    /// Folder of its tokenizer, from `isogloss tokenizer train` or another model.
    pub tokenizer: PathBuf,
    /// Width of token vectors.
    pub hidden_size: usize,
    /// Layers of a transformer.
    #[serde(default)]
    pub layers: usize,
    /// Attention heads of a transformer.
    #[serde(default)]
    pub heads: usize,
    /// Feed-forward width of a transformer; four times the hidden size if not given.
    pub intermediate_size: Option<usize>,
    /// Layers of the decoder of an encoder–decoder; as many as `layers` if not given.
    pub decoder_layers: Option<usize>,
    /// Longest text of a transformer, in tokens.
    #[serde(default = "default_max_tokens")]
    pub max_tokens: usize,
}

fn default_max_tokens() -> usize {
    512
}

impl ModelConfig {
    /// The format of products.
    ///
    /// # Errors
    /// It is none that can be trained in.
    pub fn precision(&self) -> Result<Precision> {
        match self.precision.as_deref().map_or(Ok(Precision::F32), str::parse) {
            Ok(Precision::Int8) => Err(Error::value("model.precision", "int8 has no gradient; train in bf16 or f32")),
            Ok(precision) => Ok(precision),
            Err(problem) => Err(Error::value("model.precision", problem)),
        }
    }

    /// Where the model is trained.
    ///
    /// # Errors
    /// It is no device.
    pub fn device(&self) -> Result<DeviceChoice> {
        let choice = self.device.as_deref().map_or(Ok(DeviceChoice::default()), str::parse);
        choice.map_err(|problem| Error::value("model.device", problem))
    }

    /// Refuses what does not fit the recipes: `generates` says whether they train an encoder–decoder.
    pub(super) fn check(&self, generates: bool) -> Result<()> {
        match (&self.path, &self.new) {
            (Some(_), Some(_)) => return Err(Error::value("model", "has both path and new; keep one")),
            (None, None) => {
                return Err(Error::value("model", "needs path (a folder or hub name) or a [model.new] section"));
            }
            _ => {}
        }
        self.precision()?;
        self.device()?;
        if let Some(new) = &self.new {
            if (new.architecture == Architecture::Mt5) != generates {
                let problem = "mt5 goes with query_generation, and only that; change one of the two";
                return Err(Error::value("model.new.architecture", problem));
            }
            if new.decoder_layers.is_some() && !generates {
                return Err(Error::value("model.new.decoder_layers", "is for mt5; take it out"));
            }
        }
        let of_embeddings = [
            ("pooling", self.pooling.is_some()),
            ("normalize", self.normalize.is_some()),
            ("query_prompt", self.query_prompt.is_some()),
            ("passage_prompt", self.passage_prompt.is_some()),
        ];
        match of_embeddings.iter().find(|(_, given)| generates && *given) {
            Some((key, _)) => Err(Error::value(
                &format!("model.{key}"),
                "is for embeddings, which query_generation has none of; take it out",
            )),
            None => Ok(()),
        }
    }
}

/// Kinds of new models.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Architecture {
    /// A table of token vectors and their mean.
    Static,
    /// A transformer with RoBERTa's positions.
    XlmRoberta,
    /// An encoder–decoder that writes text.
    Mt5,
}
