//! A retrieval model: tokenizer, backbone, pooling, dense layers, normalisation and prompts; texts in, vectors out.

use std::path::{Path, PathBuf};

use isogloss_dense::calibration::{Calibration, Missing};
use isogloss_dense::{Encoder, EncoderError, Side, Vectors};
use isogloss_engine::op::{self, Activation};
use isogloss_engine::{Device, DeviceChoice, Key, Packed, Precision, Tensor, no_grad, sequential};
use isogloss_ir::Lang;
use rayon::prelude::*;

use crate::bert::Bert;
use crate::config::{Activation as Inner, ArchitectureConfig};
use crate::error::{Error, Result};
use crate::folder::{DenseActivation, FolderLayout, read_calibration, write_calibration};
use crate::layers::{Linear, Named, NamedMut, Source, Stack, device_of, move_to, precision_of, unstacked};
use crate::masked_lm_head::MaskedLmHead;
use crate::modern_bert::ModernBert;
use crate::pooling::Pooling;
use crate::static_embedding::StaticEmbedding;
use crate::tokens::{TokenIds, Tokenizer};
use crate::weights::{Checkpoint, write_safetensors};

/// Tokens that one core encodes at once: enough for wide matrix products, few enough for its cache.
const CHUNK_TOKENS: usize = 512;

/// Tokens up to which work is not shared out among cores: they would wait for each other longer than they compute.
const LEAST_TOKENS: usize = 32;

/// Tokens that a GPU encodes at once: enough to keep all of it at work.
const GPU_CHUNK_TOKENS: usize = 1 << 14;

/// What of the parameters is stored apart.
const STACKS: &[Stack] = &[(".self.qkv.", &[".self.query.", ".self.key.", ".self.value."])];

/// The part that turns token ids into token vectors (or, for a static table, sequence vectors).
enum Backbone {
    Bert(Bert),
    ModernBert(ModernBert),
    Static(StaticEmbedding),
}

/// A bi-encoder.
pub struct BiEncoder {
    layout: FolderLayout,
    tokenizer: Tokenizer,
    backbone: Backbone,
    dense: Vec<(Linear, Activation)>,
    calibration: Option<Calibration>,
    missing: Missing,
}

/// What is asked of a model over what its folder says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// Pooling of token vectors.
    pub pooling: Option<Pooling>,
    /// Whether vectors are L2-normalised.
    pub normalize: Option<bool>,
    /// Longest text in tokens.
    pub max_tokens: Option<usize>,
    /// In which format products with weights are computed; f32 if not given.
    pub precision: Option<Precision>,
    /// Where the model runs.
    pub device: DeviceChoice,
}

fn pooling_op(pooling: Pooling) -> op::Pooling {
    match pooling {
        Pooling::Cls => op::Pooling::Cls,
        Pooling::Mean => op::Pooling::Mean,
        Pooling::Last => op::Pooling::Last,
    }
}

fn dense_activation(activation: DenseActivation) -> Activation {
    match activation {
        DenseActivation::Identity => Activation::Identity,
        DenseActivation::Tanh => Activation::Tanh,
        DenseActivation::Relu => Activation::Relu,
        DenseActivation::Gelu => Activation::Gelu,
    }
}

impl Backbone {
    fn load(layout: &FolderLayout) -> Result<Backbone> {
        let mut checkpoint = Checkpoint::from_files(&layout.weights)?;
        match &layout.architecture {
            ArchitectureConfig::Bert(c) => Ok(Backbone::Bert(Bert::load(c, &mut checkpoint)?)),
            ArchitectureConfig::ModernBert(c) if c.activation != Inner::Gelu => {
                let known = "gelu";
                let path = layout.weights[0].with_file_name("config.json");
                Err(Error::Unsupported {
                    path,
                    key: "hidden_activation".into(),
                    name: "gelu_pytorch_tanh".into(),
                    known,
                })
            }
            ArchitectureConfig::ModernBert(c) => Ok(Backbone::ModernBert(ModernBert::load(c, &mut checkpoint)?)),
            ArchitectureConfig::Static(c) => Ok(Backbone::Static(StaticEmbedding::load(c, &checkpoint)?)),
        }
    }

    fn fresh(architecture: &ArchitectureConfig, key: Key) -> Backbone {
        match architecture {
            ArchitectureConfig::Bert(c) => Backbone::Bert(Bert::fresh(c, key)),
            ArchitectureConfig::ModernBert(c) => Backbone::ModernBert(ModernBert::fresh(c, key)),
            ArchitectureConfig::Static(c) => Backbone::Static(StaticEmbedding::fresh(c, key)),
        }
    }

    fn parameters(&self) -> Named<'_> {
        match self {
            Backbone::Bert(m) => m.parameters(),
            Backbone::ModernBert(m) => m.parameters(),
            Backbone::Static(m) => m.parameters(),
        }
    }

    fn parameters_mut(&mut self) -> NamedMut<'_> {
        match self {
            Backbone::Bert(m) => m.parameters_mut(),
            Backbone::ModernBert(m) => m.parameters_mut(),
            Backbone::Static(m) => m.parameters_mut(),
        }
    }
}

impl BiEncoder {
    /// Loads a model folder with its calibration, if there is one; or a model by name from the local cache or the hub.
    ///
    /// # Errors
    /// The folder lacks something, holds an unknown architecture, or a tensor is missing, misshapen or not finite.
    pub fn load(name: &str, overrides: &Overrides) -> Result<BiEncoder> {
        let folder = crate::hub::resolve(name)?;
        let mut layout = FolderLayout::read(&folder, overrides.pooling)?;
        layout.normalize = overrides.normalize.unwrap_or(layout.normalize);
        if let Some(limit) = overrides.max_tokens {
            layout.max_tokens = Some(layout.architecture.max_tokens().map_or(limit, |most| most.min(limit)));
        }
        let mut model = BiEncoder::from_layout(layout, &folder)?;
        model.set_precision(overrides.precision.unwrap_or_default());
        model.set_device(overrides.device.open()?)?;
        Ok(model)
    }

    fn from_layout(layout: FolderLayout, folder: &Path) -> Result<BiEncoder> {
        let tokenizer = load_tokenizer(&layout)?;
        let backbone = Backbone::load(&layout)?;
        let dense = layout.dense.iter().map(|layer| {
            let checkpoint = Checkpoint::from_files(std::slice::from_ref(&layer.weights))?;
            let shape = (layer.out_features, layer.in_features);
            let linear = Linear::load(&Source::Checkpoint(&checkpoint), "linear", shape, layer.bias)?;
            Ok((linear, dense_activation(layer.activation)))
        });
        let dense = dense.collect::<Result<_>>()?;
        let calibration = read_calibration(folder, layout.dim())?;
        Ok(BiEncoder { dense, tokenizer, backbone, layout, calibration, missing: Missing::default() })
    }

    /// A model with random weights.
    ///
    /// # Errors
    /// The tokenizer cannot be read, or has more ids than the model has rows.
    pub fn fresh(layout: FolderLayout, key: Key) -> Result<BiEncoder> {
        let tokenizer = load_tokenizer(&layout)?;
        let backbone = Backbone::fresh(&layout.architecture, key);
        let (dense, calibration, missing) = (Vec::new(), None, Missing::default());
        Ok(BiEncoder { tokenizer, backbone, dense, layout, calibration, missing })
    }

    /// The model as saved in another folder, with this one's overrides gone but for precision and device.
    ///
    /// # Errors
    /// As [`BiEncoder::load`].
    pub fn reload(&self, folder: &Path) -> Result<BiEncoder> {
        let mut model = BiEncoder::from_layout(FolderLayout::read(folder, None)?, folder)?;
        model.set_precision(self.precision());
        model.set_device(self.device())?;
        Ok(model)
    }

    /// Where the model runs.
    pub fn device(&self) -> Device {
        device_of(&self.parameters())
    }

    /// Moves the model. A calibration stays: it is of main memory in any case.
    ///
    /// # Errors
    /// There is no such device, or the model's products are to be of int8, which a GPU has no kernels for here.
    ///
    /// # Panics
    /// If a weight is shared, by a recorded operation say.
    pub fn set_device(&mut self, device: Device) -> Result<()> {
        let mut parameters = self.backbone.parameters_mut();
        for (n, (linear, _)) in self.dense.iter_mut().enumerate() {
            linear.parameters_mut(&format!("dense.{n}"), &mut parameters);
        }
        move_to(parameters, device)
    }

    /// In which format products with weights are computed.
    pub fn precision(&self) -> Precision {
        precision_of(&self.parameters())
    }

    /// Changes it. Weights are f32 in any case, and are saved so.
    ///
    /// # Panics
    /// If a weight is shared, by a recorded operation say.
    pub fn set_precision(&mut self, precision: Precision) {
        let dense = self.dense.iter_mut().map(|(linear, _)| &mut linear.weight);
        let backbone = self.backbone.parameters_mut().into_iter().map(|(_, parameter)| parameter);
        backbone.chain(dense).for_each(|weight| weight.set_precision(precision));
    }

    /// What the model's folder says of it.
    pub fn layout(&self) -> &FolderLayout {
        &self.layout
    }

    /// What [`Encoder::encode_in`] applies to every vector by its text's language.
    pub fn calibration(&self) -> Option<&Calibration> {
        self.calibration.as_ref()
    }

    /// Changes the calibration, or takes it away.
    pub fn set_calibration(&mut self, calibration: Option<Calibration>) {
        self.calibration = calibration;
    }

    /// Says what becomes of texts that the calibration has no fit for; at first they are refused.
    pub fn set_missing_calibration(&mut self, missing: Missing) {
        self.missing = missing;
    }

    /// What becomes of texts that the calibration has no fit for.
    pub fn missing_calibration(&self) -> Missing {
        self.missing
    }

    /// Whether the calibration, if there is one, was fitted on vectors such as this model gives.
    ///
    /// # Errors
    /// [`Error::CalibrationOfOther`] where pooling or normalisation were overridden since.
    pub fn check_calibration(&self) -> Result<()> {
        let Some(plan) = self.calibration.as_ref().map(Calibration::plan) else { return Ok(()) };
        let (pooling, normalize) = (self.layout.pooling.to_string(), self.layout.normalize);
        let other = |key, fitted, got| Err(Error::CalibrationOfOther { key, fitted, got });
        match (plan.pooling == pooling, plan.normalize == normalize) {
            (false, _) => other("pooling", plan.pooling.clone(), pooling),
            (_, false) => other("normalize", plan.normalize.to_string(), normalize.to_string()),
            _ => Ok(()),
        }
    }

    /// Changes the prompts of the two sides.
    pub fn set_prompts(&mut self, query: Option<&str>, passage: Option<&str>) {
        for (name, prompt) in [("query", query), ("passage", passage)] {
            if let Some(prompt) = prompt {
                self.layout.prompts.insert(name.into(), prompt.into());
            }
        }
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Token ids of texts, with the prompt of their side, special tokens and truncation as the model wants them.
    ///
    /// # Errors
    /// The tokenizer fails.
    pub fn tokenize(&self, texts: &[&str], side: Side) -> Result<Vec<TokenIds>> {
        self.tokenize_with(texts, self.layout.prompt(side))
    }

    /// As [`BiEncoder::tokenize`], with a given prompt.
    ///
    /// # Errors
    /// The tokenizer fails.
    pub fn tokenize_with(&self, texts: &[&str], prompt: &str) -> Result<Vec<TokenIds>> {
        if let Backbone::Static(_) = self.backbone {
            let plain = |text: &&str| {
                let mut ids = self.tokenizer.encode_plain(&format!("{prompt}{text}"))?;
                ids.truncate(self.layout.max_tokens.unwrap_or(usize::MAX));
                Ok(TokenIds { ids, type_ids: None, prompt_tokens: 0 })
            };
            return texts.par_iter().map(plain).collect();
        }
        self.tokenizer.encode_batch(texts, prompt, self.layout.max_tokens.unwrap_or(usize::MAX))
    }

    /// The table of word vectors, `[words, hidden]`.
    pub fn word_table(&self) -> &Tensor {
        match &self.backbone {
            Backbone::Bert(m) => m.words(),
            Backbone::ModernBert(m) => m.words(),
            Backbone::Static(m) => m.words(),
        }
    }

    /// The head of masked-language training that the model's checkpoint holds, or else a fresh one; `None` for a static table, which sees no context.
    ///
    /// # Errors
    /// The checkpoint's head is not whole.
    pub fn masked_lm_head(&self, key: Key) -> Result<Option<MaskedLmHead>> {
        let eps = match &self.layout.architecture {
            ArchitectureConfig::Bert(c) => c.layer_norm_eps as f32,
            ArchitectureConfig::ModernBert(c) => c.norm_eps as f32,
            ArchitectureConfig::Static(_) => return Ok(None),
        };
        let (words, hidden) = self.word_table().matrix();
        let stored = match self.layout.weights.as_slice() {
            [] => None,
            files => MaskedLmHead::stored(&Checkpoint::from_files(files)?, hidden, words, eps)?,
        };
        Ok(Some(stored.unwrap_or_else(|| MaskedLmHead::fresh(hidden, words, eps, key))))
    }

    /// Number of tokens of a text without prompt, special tokens and truncation; 0 if it cannot be tokenized.
    pub fn count_tokens(&self, text: &str) -> usize {
        self.tokenizer.encode_plain(text).map_or(0, |ids| ids.len())
    }

    /// Last hidden states of packed sequences, `[tokens, hidden]`; a static table has none and gives its rows' means.
    pub fn hidden_states(&self, sequences: &[TokenIds], packed: &Packed, dropout: Option<Key>) -> Tensor {
        let ids: Vec<u32> = sequences.iter().flat_map(|s| &s.ids).copied().collect();
        match &self.backbone {
            Backbone::Bert(m) => {
                let paired = sequences.iter().any(|s| s.type_ids.is_some());
                let types = |s: &TokenIds| s.type_ids.clone().unwrap_or_else(|| vec![0; s.ids.len()]);
                let types: Option<Vec<u32>> = paired.then(|| sequences.iter().flat_map(types).collect());
                m.forward(&ids, types.as_deref(), packed, dropout)
            }
            Backbone::ModernBert(m) => m.forward(&ids, packed, dropout),
            Backbone::Static(m) => m.forward(&ids, packed),
        }
    }

    /// Embeddings of packed sequences, `[sequences, dim]`. `dropout` is the key of a training pass.
    pub fn forward(&self, sequences: &[TokenIds], packed: &Packed, dropout: Option<Key>) -> Tensor {
        let x = self.forward_unnormalized(sequences, packed, dropout);
        if self.layout.normalize { op::l2_normalize(&x) } else { x }
    }

    /// As [`BiEncoder::forward`], but before the normalisation that the model may end with.
    pub fn forward_unnormalized(&self, sequences: &[TokenIds], packed: &Packed, dropout: Option<Key>) -> Tensor {
        let hidden = self.hidden_states(sequences, packed, dropout);
        let mut x = match self.backbone {
            Backbone::Static(_) => hidden,
            _ => {
                let skip: Vec<usize> = match self.layout.include_prompt {
                    true => Vec::new(),
                    false => sequences.iter().map(|s| s.prompt_tokens).collect(),
                };
                op::pool(&hidden, packed, pooling_op(self.layout.pooling), &skip)
            }
        };
        for (linear, activation) in &self.dense {
            x = linear.forward(&x, *activation);
        }
        x
    }

    /// Encodes tokenized texts, uncalibrated, over all cores: sorted by length, in chunks of a few hundred tokens at most, each on one core;
    /// or in larger chunks on a GPU.
    pub fn encode_tokens(&self, sequences: &[TokenIds]) -> Vectors {
        let dim = self.layout.dim();
        let mut order: Vec<usize> = (0..sequences.len()).collect();
        order.sort_by_key(|&i| std::cmp::Reverse(sequences[i].ids.len()));
        let encode = |rows: &Vec<usize>| {
            let chunk: Vec<TokenIds> = rows.iter().map(|&i| sequences[i].clone()).collect();
            let packed = Packed::new(chunk.iter().map(|s| s.ids.len()), 0);
            no_grad(|| self.forward(&chunk, &packed, None))
        };
        let on_gpu = self.device() == Device::Cuda;
        let tokens = if on_gpu { GPU_CHUNK_TOKENS } else { share_of_core(sequences) };
        let chunks = chunks(&order, sequences, tokens);
        let mut data = vec![0.0; sequences.len() * dim];
        let mut place = |rows: &[usize], vectors: &[f32]| {
            for (&i, vector) in rows.iter().zip(vectors.chunks_exact(dim)) {
                data[i * dim..(i + 1) * dim].copy_from_slice(vector);
            }
        };
        if on_gpu {
            // All chunks are on their way before the first one's vectors are waited for.
            let encoded: Vec<_> = chunks.iter().map(|rows| encode(rows).data_later()).collect();
            chunks.iter().zip(encoded).for_each(|(rows, vectors)| place(rows, &vectors.wait()));
        } else {
            // One text alone has all cores for its operations, unless it is short.
            let encoded: Vec<Tensor> = match &chunks[..] {
                [all] if all.iter().map(|&i| sequences[i].ids.len()).sum::<usize>() > LEAST_TOKENS => vec![encode(all)],
                chunks => chunks.par_iter().with_max_len(1).map(|rows| sequential(|| encode(rows))).collect(),
            };
            chunks.iter().zip(&encoded).for_each(|(rows, vectors)| place(rows, vectors.data()));
        }
        Vectors::new(dim, data).expect("as many elements as rows times dim")
    }

    /// Named parameters in a fixed order. Query, key and value of a BERT layer are one parameter, `…attention.self.qkv`.
    pub fn parameters(&self) -> Vec<(String, &Tensor)> {
        let mut to = self.backbone.parameters();
        for (n, (linear, _)) in self.dense.iter().enumerate() {
            linear.parameters(&format!("dense.{n}"), &mut to);
        }
        to
    }

    /// As [`BiEncoder::parameters`], to change. A calibration is taken away: it was fitted on the vectors of before.
    pub fn parameters_mut(&mut self) -> Vec<(String, &mut Tensor)> {
        self.calibration = None;
        let mut to = self.backbone.parameters_mut();
        for (n, (linear, _)) in self.dense.iter_mut().enumerate() {
            linear.parameters_mut(&format!("dense.{n}"), &mut to);
        }
        to
    }

    /// Writes the folder that sentence-transformers and other tools load; at once, or not at all.
    ///
    /// # Errors
    /// The folder cannot be written or holds other files than a model.
    pub fn save(&self, folder: &Path) -> Result<()> {
        self.save_with(folder, "")
    }

    /// As [`BiEncoder::save`], with how the model was made for its card.
    ///
    /// # Errors
    /// As [`BiEncoder::save`].
    pub fn save_with(&self, folder: &Path, manifest: &str) -> Result<()> {
        self.layout.write(folder, manifest, |to| {
            let format = ("format", "pt".to_string());
            write_safetensors(
                &to.join("model.safetensors"),
                unstacked(self.backbone.parameters(), STACKS),
                format.clone(),
            )?;
            for (n, (linear, _)) in self.dense.iter().enumerate() {
                let path: PathBuf = to.join(format!("{}_Dense/model.safetensors", n + 2));
                let mut parameters = Vec::new();
                linear.parameters("linear", &mut parameters);
                write_safetensors(&path, unstacked(parameters, STACKS), format.clone())?;
            }
            self.calibration.as_ref().map_or(Ok(()), |calibration| write_calibration(to, calibration))
        })
    }
}

fn load_tokenizer(layout: &FolderLayout) -> Result<Tokenizer> {
    let tokenizer = Tokenizer::load(&layout.tokenizer)?;
    tokenizer.check_rows(layout.architecture.vocab_size())?;
    if layout.lowercase { tokenizer.lowercased() } else { Ok(tokenizer) }
}

/// Tokens that each core encodes at once, so that all have as much to do.
fn share_of_core(sequences: &[TokenIds]) -> usize {
    let tokens: usize = sequences.iter().map(|sequence| sequence.ids.len()).sum();
    let shares = tokens.div_ceil(CHUNK_TOKENS).max(1).next_multiple_of(rayon::current_num_threads());
    tokens.div_ceil(shares).max(LEAST_TOKENS)
}

/// Runs of `order` of at most `tokens` tokens, at least one sequence each.
fn chunks(order: &[usize], sequences: &[TokenIds], tokens: usize) -> Vec<Vec<usize>> {
    let mut chunks: Vec<Vec<usize>> = Vec::new();
    let mut held = usize::MAX;
    for &i in order {
        let n = sequences[i].ids.len();
        if held.saturating_add(n) > tokens {
            chunks.push(Vec::new());
            held = 0;
        }
        held += n;
        chunks.last_mut().expect("pushed above").push(i);
    }
    chunks
}

impl Encoder for BiEncoder {
    fn dim(&self) -> usize {
        self.layout.dim()
    }

    /// As [`Encoder::encode_in`] with texts in no known language.
    fn encode(&self, texts: &[&str], side: Side) -> std::result::Result<Vectors, EncoderError> {
        self.encode_in(texts, &vec![None; texts.len()], side)
    }

    /// Applies the calibration after pooling, dense layers and normalisation, and normalises again.
    fn encode_in(
        &self,
        texts: &[&str],
        langs: &[Option<Lang>],
        side: Side,
    ) -> std::result::Result<Vectors, EncoderError> {
        let Some(calibration) = &self.calibration else {
            return Ok(self.encode_tokens(&self.tokenize(texts, side)?));
        };
        self.check_calibration()?;
        if self.missing == Missing::Error {
            langs.iter().try_for_each(|lang| calibration.check_lang(*lang))?;
        }
        let mut vectors = self.encode_tokens(&self.tokenize(texts, side)?);
        calibration.apply(&mut vectors, langs, self.missing)?;
        Ok(vectors)
    }
}
