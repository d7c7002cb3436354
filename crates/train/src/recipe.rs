//! What a training method is: which texts to encode, and the loss over their embeddings.

use isogloss_dense::Side;
use isogloss_engine::Key;
use isogloss_engine::Tensor;

use crate::loss::Loss;

/// Texts of one role in a batch, to be encoded together.
pub struct Group<'a> {
    /// The texts, in the order of the embeddings that the loss gets.
    pub texts: Vec<&'a str>,
    /// Which prompt they get.
    pub side: Side,
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
}
