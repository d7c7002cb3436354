//! The training methods, one file each.

mod contrastive;

pub use contrastive::{Contrastive, ContrastiveConfig};
use serde::{Deserialize, Serialize};

/// A recipe of a run file, by name, with its options.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum RecipeConfig {
    /// InfoNCE over labelled examples and translation pairs.
    Contrastive(ContrastiveConfig),
}
