//! BERT and XLM-R (Devlin et al. 2019, Conneau et al. 2020): post-norm transformer encoders with learned positions.

use isogloss_engine::op::{self, Activation, Attention};
use isogloss_engine::{Key, Packed, Tensor};

use crate::config::{Activation as Inner, BertConfig};
use crate::error::Result;
use crate::layers::{DropoutSites, INITIAL_DEVIATION, LayerNorm, Linear, Named, NamedMut, Source};
use crate::weights::Checkpoint;

struct Layer {
    qkv: Linear,
    attention_output: Linear,
    attention_norm: LayerNorm,
    intermediate: Linear,
    output: Linear,
    norm: LayerNorm,
}

/// An encoder of the BERT family.
pub struct Bert {
    pub(crate) config: BertConfig,
    words: Tensor,
    positions: Tensor,
    types: Tensor,
    norm: LayerNorm,
    layers: Vec<Layer>,
}

impl Layer {
    fn load(source: &Source, config: &BertConfig, i: usize) -> Result<Layer> {
        let (h, f, eps) = (config.hidden_size, config.intermediate_size, config.layer_norm_eps as f32);
        let name = |part: &str| format!("encoder.layer.{i}.{part}");
        let qkv = ["query", "key", "value"].map(|part| name(&format!("attention.self.{part}")));
        Ok(Layer {
            qkv: Linear::load_stacked(source, &qkv, (h, h), true)?,
            attention_output: Linear::load(source, &name("attention.output.dense"), (h, h), true)?,
            attention_norm: LayerNorm::load(source, &name("attention.output.LayerNorm"), h, eps, true)?,
            intermediate: Linear::load(source, &name("intermediate.dense"), (f, h), true)?,
            output: Linear::load(source, &name("output.dense"), (h, f), true)?,
            norm: LayerNorm::load(source, &name("output.LayerNorm"), h, eps, true)?,
        })
    }

    fn forward(&self, x: Tensor, packed: &Packed, config: &BertConfig, sites: &mut DropoutSites) -> Tensor {
        let qkv = self.qkv.forward(&x, Activation::Identity);
        let dropout = sites.next(config.attention_dropout as f32);
        let attended = op::attention(&qkv, packed, Attention { heads: config.heads, dropout, ..Default::default() });
        let attended = self.attention_output.forward(&attended, Activation::Identity);
        let attended = sites.apply(attended, packed, config.hidden_dropout as f32);
        let x = self.attention_norm.forward(&attended, Some(&x));
        let activation = match config.activation {
            Inner::Gelu => Activation::Gelu,
            Inner::GeluTanh => Activation::GeluTanh,
        };
        let outer = self.intermediate.forward_into(&self.output, &x, activation);
        let outer = sites.apply(outer, packed, config.hidden_dropout as f32);
        self.norm.forward(&outer, Some(&x))
    }

    fn parameters<'a>(&'a self, i: usize, to: &mut Named<'a>) {
        let name = |part: &str| format!("encoder.layer.{i}.{part}");
        self.qkv.parameters(&name("attention.self.qkv"), to);
        self.attention_output.parameters(&name("attention.output.dense"), to);
        self.attention_norm.parameters(&name("attention.output.LayerNorm"), to);
        self.intermediate.parameters(&name("intermediate.dense"), to);
        self.output.parameters(&name("output.dense"), to);
        self.norm.parameters(&name("output.LayerNorm"), to);
    }

    fn parameters_mut<'a>(&'a mut self, i: usize, to: &mut NamedMut<'a>) {
        let name = |part: &str| format!("encoder.layer.{i}.{part}");
        self.qkv.parameters_mut(&name("attention.self.qkv"), to);
        self.attention_output.parameters_mut(&name("attention.output.dense"), to);
        self.attention_norm.parameters_mut(&name("attention.output.LayerNorm"), to);
        self.intermediate.parameters_mut(&name("intermediate.dense"), to);
        self.output.parameters_mut(&name("output.dense"), to);
        self.norm.parameters_mut(&name("output.LayerNorm"), to);
    }
}

impl Bert {
    /// Loads the weights of a checkpoint, whose names may start with `bert.` or `roberta.`.
    ///
    /// # Errors
    /// A tensor is missing, of another shape or not finite.
    pub fn load(config: &BertConfig, checkpoint: &mut Checkpoint) -> Result<Bert> {
        checkpoint.detect_prefix(&["", "bert.", "roberta.", "model."], "embeddings.word_embeddings.weight");
        Bert::build(config, &Source::Checkpoint(checkpoint))
    }

    /// Fresh weights: normal of deviation 0.02, norms 1, biases 0.
    pub fn fresh(config: &BertConfig, key: Key) -> Bert {
        Bert::build(config, &Source::Fresh(key, INITIAL_DEVIATION)).expect("fresh weights cannot be missing")
    }

    fn build(config: &BertConfig, source: &Source) -> Result<Bert> {
        let h = config.hidden_size;
        Ok(Bert {
            words: source.weight("embeddings.word_embeddings.weight", &[config.vocab_size, h])?,
            positions: source.weight("embeddings.position_embeddings.weight", &[config.max_position_embeddings, h])?,
            types: source.weight("embeddings.token_type_embeddings.weight", &[config.type_vocab_size, h])?,
            norm: LayerNorm::load(source, "embeddings.LayerNorm", h, config.layer_norm_eps as f32, true)?,
            layers: (0..config.layers).map(|i| Layer::load(source, config, i)).collect::<Result<_>>()?,
            config: config.clone(),
        })
    }

    /// Last hidden states `[tokens, hidden]`; `type_ids` are 0 if not given. `dropout` is the key of a training pass.
    pub fn forward(&self, ids: &[u32], type_ids: Option<&[u32]>, packed: &Packed, dropout: Option<Key>) -> Tensor {
        let mut sites = DropoutSites::new(dropout);
        let sequences = (0..packed.len()).map(|s| &ids[packed.range(s)]);
        let positions: Vec<u32> = sequences.flat_map(|ids| self.config.positions.rows(ids)).collect();
        let zeros;
        let types = match type_ids {
            Some(types) => types,
            None => {
                zeros = vec![0; ids.len()];
                &zeros
            }
        };
        let x = op::embedding(&[(&self.words, ids), (&self.positions, &positions), (&self.types, types)]);
        let x = self.norm.forward(&x, None);
        let mut x = sites.apply(x, packed, self.config.hidden_dropout as f32);
        for layer in &self.layers {
            x = layer.forward(x, packed, &self.config, &mut sites);
        }
        x
    }

    /// The table of word vectors, `[words, hidden]`.
    pub(crate) fn words(&self) -> &Tensor {
        &self.words
    }

    /// Named parameters in a fixed order; query, key and value of a layer are one, `…attention.self.qkv`.
    pub fn parameters(&self) -> Named<'_> {
        let mut to: Named = vec![
            ("embeddings.word_embeddings.weight".into(), &self.words),
            ("embeddings.position_embeddings.weight".into(), &self.positions),
            ("embeddings.token_type_embeddings.weight".into(), &self.types),
        ];
        self.norm.parameters("embeddings.LayerNorm", &mut to);
        for (i, layer) in self.layers.iter().enumerate() {
            layer.parameters(i, &mut to);
        }
        to
    }

    /// As [`Bert::parameters`], to change.
    pub fn parameters_mut(&mut self) -> NamedMut<'_> {
        let mut to: NamedMut = vec![
            ("embeddings.word_embeddings.weight".into(), &mut self.words),
            ("embeddings.position_embeddings.weight".into(), &mut self.positions),
            ("embeddings.token_type_embeddings.weight".into(), &mut self.types),
        ];
        self.norm.parameters_mut("embeddings.LayerNorm", &mut to);
        for (i, layer) in self.layers.iter_mut().enumerate() {
            layer.parameters_mut(i, &mut to);
        }
        to
    }
}
