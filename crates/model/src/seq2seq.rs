//! An encoder–decoder with its tokenizer: texts in, texts out; and the folder in which it lives on disk, as transformers lays it out.

mod beam;
mod choose;
mod decoder;
mod generate;
mod prompt;

use std::path::{Path, PathBuf};

use isogloss_engine::{Device, Key, Packed, Precision, Tensor, op};
use serde_json::json;

pub use beam::Beams;
pub use generate::{GenerateOptions, Generated, Sampling, Search};
pub use prompt::fill_prompt;

use crate::config::Mt5Config;
use crate::error::{Error, Result};
use crate::folder::{copy_tokenizer, write_folder, write_json};
use crate::hub;
use crate::layers::{device_of, move_to, precision_of};
use crate::mt5::Mt5;
use crate::tokens::{TokenIds, Tokenizer};
use crate::weights::{Checkpoint, write_safetensors};

/// Where sources are cut if nothing else is asked for, in tokens. The architecture itself bounds no text.
const MAX_TOKENS: usize = 512;

/// An encoder–decoder.
pub struct Seq2Seq {
    model: Mt5,
    tokenizer: Tokenizer,
    tokenizer_folder: PathBuf,
    max_tokens: usize,
}

/// A generated text and its score.
#[derive(Clone, Debug, PartialEq)]
pub struct GeneratedText {
    /// The text, without special tokens.
    pub text: String,
    /// As of [`Generated::score`].
    pub score: f64,
}

impl Seq2Seq {
    /// Loads a model folder of transformers, or a model by name from the local cache or the hub. Sources are cut to `max_tokens`, 512 if not given.
    ///
    /// # Errors
    /// The folder lacks something, holds another architecture, or a tensor is missing, misshapen or not finite.
    pub fn load(name: &str, max_tokens: Option<usize>) -> Result<Seq2Seq> {
        Seq2Seq::read(&hub::resolve(name)?, max_tokens.unwrap_or(MAX_TOKENS))
    }

    fn read(folder: &Path, max_tokens: usize) -> Result<Seq2Seq> {
        let path = folder.join("config.json");
        if !path.exists() {
            return Err(Error::Missing { path, cure: "name the folder of an encoder–decoder, mT5 or T5" });
        }
        let config = Mt5Config::read(&path)?;
        let tokenizer = Tokenizer::load(folder)?;
        tokenizer.check_rows(config.vocab_size)?;
        let model = Mt5::load(&config, &Checkpoint::open(folder)?)?;
        Ok(Seq2Seq { model, tokenizer, tokenizer_folder: folder.to_owned(), max_tokens })
    }

    /// A model with random weights.
    ///
    /// # Errors
    /// The tokenizer cannot be read, or has more ids than the model has rows.
    pub fn fresh(config: &Mt5Config, tokenizer: &Path, max_tokens: Option<usize>, key: Key) -> Result<Seq2Seq> {
        let folder = tokenizer.to_owned();
        let tokenizer = Tokenizer::load(&folder)?;
        tokenizer.check_rows(config.vocab_size)?;
        let (model, max_tokens) = (Mt5::fresh(config, key), max_tokens.unwrap_or(MAX_TOKENS));
        Ok(Seq2Seq { model, tokenizer, tokenizer_folder: folder, max_tokens })
    }

    /// The model as saved in another folder.
    ///
    /// # Errors
    /// As [`Seq2Seq::load`].
    pub fn reload(&self, folder: &Path) -> Result<Seq2Seq> {
        let mut model = Seq2Seq::read(folder, self.max_tokens)?;
        model.set_precision(precision_of(&self.model.parameters()));
        model.set_device(device_of(&self.model.parameters()))?;
        Ok(model)
    }

    /// Moves the model; at first it is in main memory.
    ///
    /// # Errors
    /// There is no such device.
    ///
    /// # Panics
    /// If a weight is shared, by a recorded operation say.
    pub fn set_device(&mut self, device: Device) -> Result<()> {
        move_to(self.model.parameters_mut(), device)
    }

    /// Changes the format in which products with weights are computed; at first it is f32.
    ///
    /// # Panics
    /// If a weight is shared, by a recorded operation say.
    pub fn set_precision(&mut self, precision: Precision) {
        self.model.parameters_mut().into_iter().for_each(|(_, weight)| weight.set_precision(precision));
    }

    /// The network.
    pub fn model(&self) -> &Mt5 {
        &self.model
    }

    /// The network, to change.
    pub fn model_mut(&mut self) -> &mut Mt5 {
        &mut self.model
    }

    /// The text before passages that the model was trained with, see [`fill_prompt`].
    pub fn prompt(&self) -> Option<&str> {
        self.model.config().prompt.as_deref()
    }

    /// Changes it.
    pub fn set_prompt(&mut self, prompt: Option<String>) {
        self.model.set_prompt(prompt.filter(|prompt| !prompt.is_empty()));
    }

    /// Where sources are cut, in tokens.
    pub fn max_tokens(&self) -> usize {
        self.max_tokens
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Token ids of sources, with the tokenizer's special tokens, cut.
    ///
    /// # Errors
    /// The tokenizer fails.
    pub fn tokenize(&self, texts: &[&str]) -> Result<Vec<TokenIds>> {
        self.tokenizer.encode_batch(texts, "", self.max_tokens)
    }

    /// Token ids of texts to be generated: their own, cut, and the one that ends a text; at most `max_tokens`.
    ///
    /// # Errors
    /// The tokenizer fails.
    pub fn tokenize_targets(&self, texts: &[&str], max_tokens: usize) -> Result<Vec<Vec<u32>>> {
        let ids = |text: &&str| {
            let mut ids = self.tokenizer.encode_plain(text)?;
            ids.truncate(max_tokens.saturating_sub(1));
            ids.push(self.model.config().eos_id);
            Ok(ids)
        };
        texts.iter().map(ids).collect()
    }

    /// Number of tokens of a text without special tokens and truncation; 0 if it cannot be tokenized.
    pub fn count_tokens(&self, text: &str) -> usize {
        self.tokenizer.encode_plain(text).map_or(0, |ids| ids.len())
    }

    /// The mean cross-entropy of the tokens of `targets`, each given its source and the tokens before it. `first` is the batch row of the first source, by
    /// which dropout is keyed; with label smoothing ε every word has ε/words of a token's target.
    pub fn loss(
        &self,
        sources: &[TokenIds],
        targets: &[Vec<u32>],
        first: u64,
        smoothing: f32,
        dropout: Option<Key>,
    ) -> Tensor {
        let start = self.model.config().decoder_start_id;
        let source: Vec<u32> = sources.iter().flat_map(|s| &s.ids).copied().collect();
        let before = |ids: &Vec<u32>| std::iter::once(start).chain(ids[..ids.len() - 1].iter().copied()).collect();
        let inputs: Vec<u32> = targets.iter().flat_map(|ids| -> Vec<u32> { before(ids) }).collect();
        let source_packed = Packed::new(sources.iter().map(|s| s.ids.len()), first);
        let target_packed = Packed::new(targets.iter().map(Vec::len), first);
        let states = self.model.forward((&source, &source_packed), (&inputs, &target_packed), dropout);
        let labels: Vec<usize> = targets.iter().flatten().map(|id| *id as usize).collect();
        op::projected_cross_entropy(&states, self.model.output_table(), None, &labels, smoothing)
    }

    /// Generates texts from texts, as [`Mt5::generate`].
    ///
    /// # Errors
    /// The tokenizer fails, or an option is out of its range.
    pub fn generate(&self, texts: &[&str], first: u64, options: &GenerateOptions) -> Result<Vec<Vec<GeneratedText>>> {
        options.check()?;
        let sources = self.tokenize(texts)?;
        let ids: Vec<&[u32]> = sources.iter().map(|source| source.ids.as_slice()).collect();
        let text = |generated: Generated| {
            let score = generated.score;
            Ok(GeneratedText { text: self.tokenizer.decode(&generated.ids[1..], true)?, score })
        };
        let made = self.model.generate(&ids, first, options);
        made.into_iter().map(|texts| texts.into_iter().map(text).collect()).collect()
    }

    /// Writes the folder that transformers loads; at once, or not at all.
    ///
    /// # Errors
    /// The folder cannot be written or holds other files than a model.
    pub fn save(&self, folder: &Path) -> Result<()> {
        write_folder(folder, |to| {
            let config = self.model.config();
            write_json(&to.join("config.json"), &config.to_json())?;
            let generation = json!({
                "decoder_start_token_id": config.decoder_start_id,
                "eos_token_id": config.eos_id,
                "pad_token_id": config.pad_id,
            });
            write_json(&to.join("generation_config.json"), &generation)?;
            copy_tokenizer(&self.tokenizer_folder, to)?;
            let tensors = self.model.tensors();
            write_safetensors(&to.join("model.safetensors"), tensors, ("format", "pt".to_string()))
        })
    }
}
