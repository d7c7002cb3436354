//! What a training method is: which texts to encode, and the loss over their embeddings.

use std::collections::BTreeMap;

use isogloss_dense::Side;
use isogloss_engine::Key;
use isogloss_engine::Tensor;
use isogloss_ir::Lang;

use crate::error::Result;
use crate::loss::Loss;

/// Texts of one role in a batch, to be encoded together.
pub struct Group<'a> {
    /// The texts, in the order of the embeddings that the loss gets.
    pub texts: Vec<&'a str>,
    /// Which prompt they get.
    pub side: Side,
}

/// A text that an example may bring into a batch, for the plan of a run.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// The text.
    pub text: &'a str,
    /// Which prompt it gets.
    pub side: Side,
    /// Its language, where known.
    pub lang: Option<&'a Lang>,
}

/// What a checkpoint keeps of a recipe beside its weights: banks, running statistics, counts.
#[derive(Clone, Default)]
pub struct RecipeState {
    /// Tensors by name.
    pub tensors: BTreeMap<String, Tensor>,
    /// Whole numbers by name.
    pub counts: BTreeMap<String, u64>,
}

/// A training method. It sees texts and embeddings, never the model: gradient caching, accumulation and dropout are written once, in the
/// trainer.
///
/// `GROUPS` arrays keep the roles apart: a recipe destructures the embeddings by name, and the compiler counts them.
pub trait Recipe<const GROUPS: usize> {
    /// One training example.
    type Example: Send + Sync;

    /// The texts of a batch by role. `key` decides what is drawn among several positives or negatives.
    fn groups<'a>(&self, batch: &'a [Self::Example], key: Key) -> [Group<'a>; GROUPS];

    /// The loss of the batch, from one row of embedding per text of [`Recipe::groups`] with the same `key`.
    fn loss(&mut self, batch: &[Self::Example], key: Key, embeddings: [Tensor; GROUPS]) -> Loss;

    /// Every text of an example that a batch must not hold twice.
    fn texts<'a>(&self, example: &'a Self::Example) -> Vec<&'a str>;

    /// Every text of an example that may be encoded.
    fn parts<'a>(&self, example: &'a Self::Example) -> Vec<Part<'a>>;

    /// Similarities that the loss of a batch with so many texts of each role computes.
    fn similarities(&self, texts: [usize; GROUPS]) -> usize;

    /// Bytes that it comes to hold between batches, with so many rows of data in so many languages.
    fn held_bytes(&self, _rows: usize, _langs: usize) -> usize {
        0
    }

    /// Whether embeddings come as the model gives them; otherwise before its normalisation.
    fn normalized(&self) -> bool {
        true
    }

    /// Batches that [`Recipe::warm_up`] wants to see before the first step.
    fn warm_up_batches(&self) -> usize {
        0
    }

    /// Sees the embeddings of a batch, without gradient, before training begins.
    fn warm_up(&mut self, _embeddings: [Tensor; GROUPS]) {}

    /// Weights of the recipe's own, a projection head for example: trained with the model, never saved with it.
    fn parameters(&self) -> Vec<(String, &Tensor)> {
        Vec::new()
    }

    /// As [`Recipe::parameters`], to change.
    fn parameters_mut(&mut self) -> Vec<(String, &mut Tensor)> {
        Vec::new()
    }

    /// What a checkpoint keeps beside the parameters.
    fn state(&self) -> RecipeState {
        RecipeState::default()
    }

    /// Takes up a state that [`Recipe::state`] gave.
    ///
    /// # Errors
    /// It is not of this recipe with these options.
    fn restore(&mut self, _state: RecipeState) -> Result<()> {
        Ok(())
    }
}
