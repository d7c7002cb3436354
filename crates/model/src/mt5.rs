//! T5 and mT5 (Raffel et al. 2020, Xue et al. 2021): an encoder–decoder with pre-norm layers, biases of relative positions and unscaled attention.

use isogloss_engine::op::{self, Activation, Attention, RelativePositions};
use isogloss_engine::{Key, Packed, Tensor};

use crate::config::{FeedForward, Mt5Config};
use crate::error::Result;
use crate::layers::{DropoutSites, Linear, Named, NamedMut, RmsNorm, Source, Stack, unstacked};
use crate::weights::Checkpoint;

/// What of the parameters is stored apart.
const STACKS: &[Stack] = &[
    (".SelfAttention.qkv.", &[".SelfAttention.q.", ".SelfAttention.k.", ".SelfAttention.v."]),
    (".EncDecAttention.kv.", &[".EncDecAttention.k.", ".EncDecAttention.v."]),
    (".DenseReluDense.wi_01.", &[".DenseReluDense.wi_0.", ".DenseReluDense.wi_1."]),
];

/// Names of the word table and of the matrix of logits.
const WORDS: &str = "shared.weight";
const HEAD: &str = "lm_head.weight";

/// Attention of a sequence to itself, with what comes before it.
pub(crate) struct SelfAttention {
    pub norm: RmsNorm,
    pub qkv: Linear,
    pub output: Linear,
}

/// Attention of the decoder to the encoder's states.
pub(crate) struct CrossAttention {
    pub norm: RmsNorm,
    pub q: Linear,
    pub kv: Linear,
    pub output: Linear,
}

/// The feed-forward part of a layer; both matrices before a gate are one.
pub(crate) struct FeedForwardBlock {
    norm: RmsNorm,
    input: Linear,
    output: Linear,
    kind: FeedForward,
}

/// A layer of the encoder or decoder.
pub(crate) struct Layer {
    pub attention: SelfAttention,
    /// In the decoder.
    pub cross: Option<CrossAttention>,
    pub feed_forward: FeedForwardBlock,
}

/// The layers of the encoder or of the decoder.
pub(crate) struct Stacked {
    name: &'static str,
    pub layers: Vec<Layer>,
    /// Learned biases of relative positions, `[buckets, heads]`, of all layers.
    pub positions: Tensor,
    pub norm: RmsNorm,
}

/// An encoder–decoder.
pub struct Mt5 {
    pub(crate) config: Mt5Config,
    words: Tensor,
    pub(crate) encoder: Stacked,
    pub(crate) decoder: Stacked,
    /// What gives logits, if not the word table.
    head: Option<Tensor>,
}

impl SelfAttention {
    fn load(source: &Source, c: &Mt5Config, layer: &str) -> Result<SelfAttention> {
        let (d, inner) = (c.d_model, c.inner());
        let name = |part: &str| format!("{layer}.SelfAttention.{part}");
        // Small queries take the place of a scale of the scores.
        let q = source.with_deviation(((d * c.d_kv) as f32).powf(-0.5));
        let kv = source.with_deviation((d as f32).powf(-0.5));
        let qkv = match source {
            Source::Checkpoint(_) => Linear::load_stacked(source, &["q", "k", "v"].map(name), (inner, d), false)?,
            Source::Fresh(..) => {
                let q = Linear::load(&q, &name("q"), (inner, d), false)?.weight;
                let kv = Linear::load_stacked(&kv, &["k", "v"].map(name), (inner, d), false)?.weight;
                let values = [q.data(), kv.data()].concat();
                Linear { weight: Tensor::parameter(values, &[3 * inner, d]), bias: None }
            }
        };
        let output = source.with_deviation((inner as f32).powf(-0.5));
        Ok(SelfAttention {
            norm: RmsNorm::load(source, &format!("{layer}.layer_norm"), d, c.norm_eps as f32)?,
            qkv,
            output: Linear::load(&output, &name("o"), (d, inner), false)?,
        })
    }
}

impl CrossAttention {
    fn load(source: &Source, c: &Mt5Config, layer: &str) -> Result<CrossAttention> {
        let (d, inner) = (c.d_model, c.inner());
        let name = |part: &str| format!("{layer}.EncDecAttention.{part}");
        let q = source.with_deviation(((d * c.d_kv) as f32).powf(-0.5));
        let kv = source.with_deviation((d as f32).powf(-0.5));
        let output = source.with_deviation((inner as f32).powf(-0.5));
        Ok(CrossAttention {
            norm: RmsNorm::load(source, &format!("{layer}.layer_norm"), d, c.norm_eps as f32)?,
            q: Linear::load(&q, &name("q"), (inner, d), false)?,
            kv: Linear::load_stacked(&kv, &["k", "v"].map(name), (inner, d), false)?,
            output: Linear::load(&output, &name("o"), (d, inner), false)?,
        })
    }
}

impl FeedForwardBlock {
    fn load(source: &Source, c: &Mt5Config, layer: &str) -> Result<FeedForwardBlock> {
        let (d, f) = (c.d_model, c.d_ff);
        let name = |part: &str| format!("{layer}.DenseReluDense.{part}");
        let input = source.with_deviation((d as f32).powf(-0.5));
        let output = source.with_deviation((f as f32).powf(-0.5));
        Ok(FeedForwardBlock {
            norm: RmsNorm::load(source, &format!("{layer}.layer_norm"), d, c.norm_eps as f32)?,
            input: match c.feed_forward {
                FeedForward::Relu => Linear::load(&input, &name("wi"), (f, d), false)?,
                FeedForward::GatedGelu => Linear::load_stacked(&input, &["wi_0", "wi_1"].map(name), (f, d), false)?,
            },
            output: Linear::load(&output, &name("wo"), (d, f), false)?,
            kind: c.feed_forward,
        })
    }

    fn inner(&self, x: &Tensor) -> Tensor {
        let x = self.norm.for_products(x);
        match self.kind {
            FeedForward::Relu => self.input.forward(&x, Activation::Relu),
            FeedForward::GatedGelu => op::geglu(&self.input.forward(&x, Activation::Identity), Activation::GeluTanh),
        }
    }

    /// What is added to `x`, without dropout.
    pub(crate) fn forward(&self, x: &Tensor) -> Tensor {
        self.output.forward(&self.inner(x), Activation::Identity)
    }

    /// The name of the matrix, or the stack of two, before the activation.
    fn input_name(&self) -> &'static str {
        match self.kind {
            FeedForward::Relu => "wi",
            FeedForward::GatedGelu => "wi_01",
        }
    }
}

impl Layer {
    fn load(source: &Source, c: &Mt5Config, block: &str, decoder: bool) -> Result<Layer> {
        let part = |i: usize| format!("{block}.layer.{i}");
        let feed_forward = if decoder { 2 } else { 1 };
        Ok(Layer {
            attention: SelfAttention::load(source, c, &part(0))?,
            cross: decoder.then(|| CrossAttention::load(source, c, &part(1))).transpose()?,
            feed_forward: FeedForwardBlock::load(source, c, &part(feed_forward))?,
        })
    }

    fn parameters<'a>(&'a self, block: &str, to: &mut Named<'a>) {
        let part = |i: usize, name: &str| format!("{block}.layer.{i}.{name}");
        self.attention.norm.parameters(&part(0, "layer_norm"), to);
        self.attention.qkv.parameters(&part(0, "SelfAttention.qkv"), to);
        self.attention.output.parameters(&part(0, "SelfAttention.o"), to);
        if let Some(cross) = &self.cross {
            cross.norm.parameters(&part(1, "layer_norm"), to);
            cross.q.parameters(&part(1, "EncDecAttention.q"), to);
            cross.kv.parameters(&part(1, "EncDecAttention.kv"), to);
            cross.output.parameters(&part(1, "EncDecAttention.o"), to);
        }
        let last = 1 + usize::from(self.cross.is_some());
        self.feed_forward.norm.parameters(&part(last, "layer_norm"), to);
        let input = format!("DenseReluDense.{}", self.feed_forward.input_name());
        self.feed_forward.input.parameters(&part(last, &input), to);
        self.feed_forward.output.parameters(&part(last, "DenseReluDense.wo"), to);
    }

    fn parameters_mut<'a>(&'a mut self, block: &str, to: &mut NamedMut<'a>) {
        let part = |i: usize, name: &str| format!("{block}.layer.{i}.{name}");
        let last = 1 + usize::from(self.cross.is_some());
        self.attention.norm.parameters_mut(&part(0, "layer_norm"), to);
        self.attention.qkv.parameters_mut(&part(0, "SelfAttention.qkv"), to);
        self.attention.output.parameters_mut(&part(0, "SelfAttention.o"), to);
        if let Some(cross) = &mut self.cross {
            cross.norm.parameters_mut(&part(1, "layer_norm"), to);
            cross.q.parameters_mut(&part(1, "EncDecAttention.q"), to);
            cross.kv.parameters_mut(&part(1, "EncDecAttention.kv"), to);
            cross.output.parameters_mut(&part(1, "EncDecAttention.o"), to);
        }
        let input = format!("DenseReluDense.{}", self.feed_forward.input_name());
        self.feed_forward.norm.parameters_mut(&part(last, "layer_norm"), to);
        self.feed_forward.input.parameters_mut(&part(last, &input), to);
        self.feed_forward.output.parameters_mut(&part(last, "DenseReluDense.wo"), to);
    }
}

/// What the decoder attends to: the encoder's states and which sequence they belong to.
#[derive(Clone, Copy)]
struct Memory<'a> {
    states: &'a Tensor,
    packed: &'a Packed,
}

impl Stacked {
    fn load(source: &Source, c: &Mt5Config, name: &'static str) -> Result<Stacked> {
        let decoder = name == "decoder";
        let layers = if decoder { c.decoder_layers } else { c.layers };
        let layer = |i: usize| Layer::load(source, c, &format!("{name}.block.{i}"), decoder);
        let positions = source.with_deviation((c.d_model as f32).powf(-0.5));
        Ok(Stacked {
            name,
            layers: (0..layers).map(layer).collect::<Result<_>>()?,
            positions: positions.weight(&positions_name(name), &[c.buckets, c.heads])?,
            norm: RmsNorm::load(source, &format!("{name}.final_layer_norm"), c.d_model, c.norm_eps as f32)?,
        })
    }

    fn forward(
        &self,
        words: Tensor,
        packed: &Packed,
        memory: Option<Memory>,
        c: &Mt5Config,
        sites: &mut DropoutSites,
    ) -> Tensor {
        let rate = c.dropout as f32;
        let relative = c.relative_positions(memory.is_none());
        let mut x = sites.apply(words, packed, rate);
        for layer in &self.layers {
            let attention = Attention {
                heads: c.heads,
                causal: memory.is_some(),
                scale: Some(1.0),
                dropout: sites.next(rate),
                window: None,
            };
            let part = &layer.attention;
            let qkv = part.qkv.forward(&part.norm.for_products(&x), Activation::Identity);
            let attended = op::biased_attention(&qkv, packed, attention, &self.positions, relative);
            let attended = part.output.forward(&attended, Activation::Identity);
            x = op::add(&x, &sites.apply(attended, packed, rate));
            if let (Some(part), Some(memory)) = (&layer.cross, memory) {
                let q = part.q.forward(&part.norm.for_products(&x), Activation::Identity);
                let kv = part.kv.forward(memory.states, Activation::Identity);
                let attention = Attention { causal: false, dropout: sites.next(rate), ..attention };
                let attended = op::cross_attention(&q, &kv, packed, memory.packed, attention);
                let attended = part.output.forward(&attended, Activation::Identity);
                x = op::add(&x, &sites.apply(attended, packed, rate));
            }
            let inner = sites.apply(layer.feed_forward.inner(&x), packed, rate);
            let outer = layer.feed_forward.output.forward(&inner, Activation::Identity);
            x = op::add(&x, &sites.apply(outer, packed, rate));
        }
        sites.apply(self.norm.forward(&x), packed, rate)
    }

    fn parameters<'a>(&'a self, to: &mut Named<'a>) {
        to.push((positions_name(self.name), &self.positions));
        for (i, layer) in self.layers.iter().enumerate() {
            layer.parameters(&format!("{}.block.{i}", self.name), to);
        }
        self.norm.parameters(&format!("{}.final_layer_norm", self.name), to);
    }

    fn parameters_mut<'a>(&'a mut self, to: &mut NamedMut<'a>) {
        to.push((positions_name(self.name), &mut self.positions));
        for (i, layer) in self.layers.iter_mut().enumerate() {
            layer.parameters_mut(&format!("{}.block.{i}", self.name), to);
        }
        self.norm.parameters_mut(&format!("{}.final_layer_norm", self.name), to);
    }
}

/// The name of the table of biases, which lies with the first layer.
fn positions_name(stack: &str) -> String {
    format!("{stack}.block.0.layer.0.SelfAttention.relative_attention_bias.weight")
}

impl Mt5Config {
    /// How distances fall into buckets, in the encoder (in both directions) or the decoder.
    pub(crate) fn relative_positions(&self, bidirectional: bool) -> RelativePositions {
        RelativePositions { buckets: self.buckets, max_distance: self.max_distance, bidirectional }
    }
}

impl Mt5 {
    /// Loads the weights of a checkpoint. A matrix of logits in it is used even if the configuration says that there is none, unless it equals the word
    /// table, as in transformers.
    ///
    /// # Errors
    /// A tensor is missing, of another shape or not finite.
    pub fn load(config: &Mt5Config, checkpoint: &Checkpoint) -> Result<Mt5> {
        let apart = config.tied && checkpoint.has(HEAD) && checkpoint.read(HEAD)? != checkpoint.read(WORDS)?;
        let config = Mt5Config { tied: config.tied && !apart, ..config.clone() };
        Mt5::build(&config, &Source::Checkpoint(checkpoint))
    }

    /// Fresh weights: normal, of T5's deviations, except that the matrix of logits has 1/√d_model, so that a fresh model
    /// gives all words similar probabilities; norms 1.
    pub fn fresh(config: &Mt5Config, key: Key) -> Mt5 {
        Mt5::build(config, &Source::Fresh(key, 1.0)).expect("fresh weights cannot be missing")
    }

    fn build(config: &Mt5Config, source: &Source) -> Result<Mt5> {
        let table = [config.vocab_size, config.d_model];
        let head = source.with_deviation((config.d_model as f32).powf(-0.5));
        Ok(Mt5 {
            words: source.weight(WORDS, &table)?,
            encoder: Stacked::load(source, config, "encoder")?,
            decoder: Stacked::load(source, config, "decoder")?,
            head: (!config.tied).then(|| head.weight(HEAD, &table)).transpose()?,
            config: config.clone(),
        })
    }

    /// Sizes and settings.
    pub fn config(&self) -> &Mt5Config {
        &self.config
    }

    /// Changes the text that stands before passages.
    pub(crate) fn set_prompt(&mut self, prompt: Option<String>) {
        self.config.prompt = prompt;
    }

    /// The encoder's states of packed sequences, `[tokens, d_model]`.
    pub fn encode(&self, ids: &[u32], packed: &Packed) -> Tensor {
        self.encode_with(ids, packed, &mut DropoutSites::new(None))
    }

    fn encode_with(&self, ids: &[u32], packed: &Packed, sites: &mut DropoutSites) -> Tensor {
        self.encoder.forward(self.embed(ids), packed, None, &self.config, sites)
    }

    /// The decoder's last states, ready to be multiplied with [`Mt5::output_table`]: `[target tokens, d_model]`. A sequence of `target` attends to the
    /// same sequence of `source`, whose encoding is `memory`.
    pub fn decode(&self, ids: &[u32], target: &Packed, memory: &Tensor, source: &Packed) -> Tensor {
        self.decode_with(ids, target, Memory { states: memory, packed: source }, &mut DropoutSites::new(None))
    }

    fn decode_with(&self, ids: &[u32], packed: &Packed, memory: Memory, sites: &mut DropoutSites) -> Tensor {
        self.scaled(self.decoder.forward(self.embed(ids), packed, Some(memory), &self.config, sites))
    }

    /// [`Mt5::encode`], then [`Mt5::decode`]: what training differentiates. `dropout` is the key of a training pass.
    pub fn forward(&self, source: (&[u32], &Packed), target: (&[u32], &Packed), dropout: Option<Key>) -> Tensor {
        let mut sites = DropoutSites::new(dropout);
        let memory = self.encode_with(source.0, source.1, &mut sites);
        self.decode_with(target.0, target.1, Memory { states: &memory, packed: source.1 }, &mut sites)
    }

    pub(crate) fn embed(&self, ids: &[u32]) -> Tensor {
        op::embedding(&[(&self.words, ids)])
    }

    pub(crate) fn scaled(&self, states: Tensor) -> Tensor {
        match self.config.scaled {
            true => op::scale(&states, (self.config.d_model as f32).powf(-0.5)),
            false => states,
        }
    }

    /// The matrix that turns the decoder's states into logits, `[words, d_model]`.
    pub fn output_table(&self) -> &Tensor {
        self.head.as_ref().unwrap_or(&self.words)
    }

    /// Logits of the decoder's states, `[rows, words]`.
    pub fn logits(&self, states: &Tensor) -> Tensor {
        op::linear(states, self.output_table(), None, Activation::Identity)
    }

    /// Named parameters in a fixed order. Query, key and value of a layer are one, as are the two matrices before a gate.
    pub fn parameters(&self) -> Named<'_> {
        let mut to: Named = vec![(WORDS.into(), &self.words)];
        self.encoder.parameters(&mut to);
        self.decoder.parameters(&mut to);
        to.extend(self.head.as_ref().map(|head| (HEAD.into(), head)));
        to
    }

    /// As [`Mt5::parameters`], to change.
    pub fn parameters_mut(&mut self) -> NamedMut<'_> {
        let mut to: NamedMut = vec![(WORDS.into(), &mut self.words)];
        self.encoder.parameters_mut(&mut to);
        self.decoder.parameters_mut(&mut to);
        to.extend(self.head.as_mut().map(|head| (HEAD.into(), head)));
        to
    }

    /// Values of all parameters, by the names and shapes that transformers saves them under.
    pub(crate) fn tensors(&self) -> Vec<(String, Vec<usize>, &[f32])> {
        unstacked(self.parameters(), STACKS)
    }
}
