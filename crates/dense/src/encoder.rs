//! The one thing this crate asks of a model.

use isogloss_ir::Lang;

use crate::{Side, Vectors};

/// Whatever a model fails with.
pub type EncoderError = Box<dyn std::error::Error + Send + Sync>;

/// A model that turns texts into vectors.
pub trait Encoder: Send + Sync {
    /// Length of every vector.
    fn dim(&self) -> usize;

    /// Encodes `texts`: row `i` of the result (`texts.len()` rows of [`Encoder::dim`] numbers) is `texts[i]`.
    ///
    /// The same texts in the same call give the same bits, which is what makes an interrupted
    /// [`encode_to_shards`](crate::encode_to_shards) end in the same bytes.
    fn encode(&self, texts: &[&str], side: Side) -> Result<Vectors, EncoderError>;

    /// As [`Encoder::encode`], text `i` being in language `langs[i]`, for encoders whose vectors depend on it; those
    /// whose do not leave this as it is.
    fn encode_in(&self, texts: &[&str], _langs: &[Option<Lang>], side: Side) -> Result<Vectors, EncoderError> {
        self.encode(texts, side)
    }
}
