//! A model as the training loop sees it, whatever its architecture.

use std::path::Path;

use isogloss_engine::Tensor;
use isogloss_model::{ArchitectureConfig, BiEncoder, Seq2Seq};

use crate::config::RunConfig;
use crate::dev::{DevSet, Score};
use crate::error::Result;
use crate::held_out::HeldOut;
use crate::plan::Activations;
use crate::recipe::Part;
use crate::recipes::RecipeConfig;

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

    /// What such a model is judged by while it is trained.
    type Dev;

    /// The development set of a run, if it has one.
    ///
    /// # Errors
    /// A file is unreadable or malformed.
    fn dev(run: &RunConfig) -> Result<Option<Self::Dev>>;

    /// What a development set says of it.
    ///
    /// # Errors
    /// The tokenizer or the measure fails.
    fn score(&self, dev: &Self::Dev) -> Result<Score>;

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

    type Dev = DevSet;

    fn dev(run: &RunConfig) -> Result<Option<DevSet>> {
        run.evaluate.as_ref().map(DevSet::load).transpose()
    }

    fn score(&self, dev: &DevSet) -> Result<Score> {
        Ok(Score { measure: dev.measure(), value: dev.score(self)?, falls: false, by_lang: Default::default() })
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

    type Dev = HeldOut;

    fn dev(run: &RunConfig) -> Result<Option<HeldOut>> {
        let tasks = run.tasks()?;
        // The prompt that is stored with the model, too, is the first task's.
        let recipe = tasks.iter().find_map(|task| match &task.recipe {
            RecipeConfig::QueryGeneration(recipe) => Some(recipe),
            _ => None,
        });
        run.evaluate.as_ref().zip(recipe).map(|(evaluate, recipe)| HeldOut::load(evaluate, recipe)).transpose()
    }

    fn score(&self, dev: &HeldOut) -> Result<Score> {
        dev.score(self)
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
