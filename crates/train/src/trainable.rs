//! A model as the training loop sees it, whatever its architecture.

use std::path::Path;

use isogloss_engine::Tensor;
use isogloss_model::{ArchitectureConfig, BiEncoder, Seq2Seq};

use crate::dev::DevSet;
use crate::error::{Error, Result};
use crate::plan::Activations;
use crate::recipe::Part;

/// A model that can be trained. Tasks know what to do with it; the loop stores, evaluates and saves it.
pub trait Trainable: Sized + Sync {
    /// Named weights in a fixed order.
    fn parameters(&self) -> Vec<(String, &Tensor)>;

    /// As [`Trainable::parameters`], to change.
    fn parameters_mut(&mut self) -> Vec<(String, &mut Tensor)>;

    /// Writes the model folder; at once, or not at all.
    ///
    /// # Errors
    /// The folder cannot be written.
    fn save(&self, folder: &Path) -> Result<()>;

    /// The model as saved in another folder.
    ///
    /// # Errors
    /// The folder cannot be read.
    fn reload(&self, folder: &Path) -> Result<Self>;

    /// What a development set says of it.
    ///
    /// # Errors
    /// The model cannot be judged by it.
    fn score(&self, dev: &DevSet) -> Result<f64>;

    /// Tokens of a text as it would be encoded, with prompt and special tokens, but not cut.
    ///
    /// # Errors
    /// The tokenizer fails.
    fn part_tokens(&self, part: &Part) -> Result<usize>;

    /// Where texts are cut, in tokens.
    fn text_limit(&self) -> usize;

    /// What the engine keeps of a token while training.
    fn activations(&self, dropout: bool) -> Activations;
}

impl Trainable for BiEncoder {
    fn parameters(&self) -> Vec<(String, &Tensor)> {
        self.parameters()
    }

    fn parameters_mut(&mut self) -> Vec<(String, &mut Tensor)> {
        self.parameters_mut()
    }

    fn save(&self, folder: &Path) -> Result<()> {
        Ok(self.save(folder)?)
    }

    fn reload(&self, folder: &Path) -> Result<BiEncoder> {
        Ok(self.reload(folder)?)
    }

    fn score(&self, dev: &DevSet) -> Result<f64> {
        dev.score(self)
    }

    fn part_tokens(&self, part: &Part) -> Result<usize> {
        let (tokenizer, layout) = (self.tokenizer(), self.layout());
        let is_static = matches!(layout.architecture, ArchitectureConfig::Static(_));
        match (is_static, layout.prompt(part.side)) {
            (true, prompt) => Ok(tokenizer.encode_plain(&format!("{prompt}{}", part.text))?.len()),
            (false, prompt) => Ok(tokenizer.encode_batch(&[part.text], prompt, usize::MAX)?[0].ids.len()),
        }
    }

    fn text_limit(&self) -> usize {
        self.layout().max_tokens.unwrap_or(usize::MAX)
    }

    fn activations(&self, dropout: bool) -> Activations {
        Activations::of(&self.layout().architecture, self.layout().dim(), dropout)
    }
}

impl Trainable for Seq2Seq {
    fn parameters(&self) -> Vec<(String, &Tensor)> {
        self.model().parameters()
    }

    fn parameters_mut(&mut self) -> Vec<(String, &mut Tensor)> {
        self.model_mut().parameters_mut()
    }

    fn save(&self, folder: &Path) -> Result<()> {
        Ok(self.save(folder)?)
    }

    fn reload(&self, folder: &Path) -> Result<Seq2Seq> {
        Ok(self.reload(folder)?)
    }

    fn score(&self, _: &DevSet) -> Result<f64> {
        Err(Error::value("evaluate", "ranks by embeddings, which an encoder–decoder has none of; take it out"))
    }

    fn part_tokens(&self, part: &Part) -> Result<usize> {
        Ok(self.tokenizer().encode_batch(&[part.text], "", usize::MAX)?[0].ids.len())
    }

    fn text_limit(&self) -> usize {
        self.max_tokens()
    }

    fn activations(&self, dropout: bool) -> Activations {
        Activations::of_mt5(self.model().config(), dropout)
    }
}
