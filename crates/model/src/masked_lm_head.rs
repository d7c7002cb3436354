//! The head of masked-language training: what turns a hidden state into a point that is compared with every row of the word table.

use isogloss_engine::op::Activation;
use isogloss_engine::{Key, Tensor};

use crate::error::Result;
use crate::layers::{INITIAL_DEVIATION, LayerNorm, Linear, Named, NamedMut, Source};
use crate::weights::Checkpoint;

/// A dense layer, GELU, a layer norm, and a bias per word; the words themselves are the model's own table (Devlin et al. 2019).
pub struct MaskedLmHead {
    dense: Linear,
    norm: LayerNorm,
    bias: Tensor,
}

/// Names of the parts in Hugging Face checkpoints: dense layer, layer norm, bias.
const NAMES: [[&str; 3]; 2] = [
    ["lm_head.dense", "lm_head.layer_norm", "lm_head.bias"],
    ["cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm", "cls.predictions.bias"],
];

impl MaskedLmHead {
    /// A head with random weights for hidden states of `hidden` elements and `words` words.
    pub fn fresh(hidden: usize, words: usize, eps: f32, key: Key) -> MaskedLmHead {
        let source = Source::Fresh(key, INITIAL_DEVIATION);
        MaskedLmHead::load(&source, NAMES[0], hidden, words, eps).expect("fresh weights are always there")
    }

    /// The head of a checkpoint; `None` where it has none.
    ///
    /// # Errors
    /// A tensor of the head is missing, misshapen or not finite.
    pub(crate) fn stored(
        checkpoint: &Checkpoint,
        hidden: usize,
        words: usize,
        eps: f32,
    ) -> Result<Option<MaskedLmHead>> {
        let found = NAMES.iter().find(|[dense, ..]| checkpoint.has(&format!("{dense}.weight")));
        let source = Source::Checkpoint(checkpoint);
        found.map(|names| MaskedLmHead::load(&source, *names, hidden, words, eps)).transpose()
    }

    fn load(source: &Source, names: [&str; 3], hidden: usize, words: usize, eps: f32) -> Result<MaskedLmHead> {
        let [dense, norm, bias] = names;
        Ok(MaskedLmHead {
            dense: Linear::load(source, dense, (hidden, hidden), true)?,
            norm: LayerNorm::load(source, norm, hidden, eps, true)?,
            bias: source.constant(bias, words, 0.0)?,
        })
    }

    /// What is multiplied with the word table to give logits, before [`MaskedLmHead::bias`].
    ///
    /// # Shapes
    /// `[rows, hidden]` → `[rows, hidden]`.
    pub fn forward(&self, hidden: &Tensor) -> Tensor {
        self.norm.forward(&self.dense.forward(hidden, Activation::Gelu), None)
    }

    /// Added to the logits, `[words]`.
    pub fn bias(&self) -> &Tensor {
        &self.bias
    }

    /// Named parameters in a fixed order.
    pub fn parameters(&self) -> Vec<(String, &Tensor)> {
        let mut to = Named::new();
        self.dense.parameters("dense", &mut to);
        self.norm.parameters("norm", &mut to);
        to.push(("bias".into(), &self.bias));
        to
    }

    /// As [`MaskedLmHead::parameters`], to change.
    pub fn parameters_mut(&mut self) -> Vec<(String, &mut Tensor)> {
        let mut to = NamedMut::new();
        self.dense.parameters_mut("dense", &mut to);
        self.norm.parameters_mut("norm", &mut to);
        to.push(("bias".into(), &mut self.bias));
        to
    }
}
