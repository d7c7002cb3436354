//! ModernBERT (Warner et al. 2024): pre-norm transformer with rotary positions, gated feed-forward and alternating local and global attention.

use isogloss_engine::op::{self, Activation, Attention};
use isogloss_engine::{Key, Packed, Tensor};

use crate::config::{LayerAttention, ModernBertConfig};
use crate::error::Result;
use crate::layers::{DropoutSites, INITIAL_DEVIATION, LayerNorm, Linear, Named, NamedMut, Source};
use crate::weights::Checkpoint;

struct Layer {
    /// Absent in the first layer, which follows the embeddings' norm.
    attention_norm: Option<LayerNorm>,
    qkv: Linear,
    attention_output: Linear,
    norm: LayerNorm,
    input: Linear,
    output: Linear,
    global: bool,
}

/// A ModernBERT encoder.
pub struct ModernBert {
    pub(crate) config: ModernBertConfig,
    words: Tensor,
    norm: LayerNorm,
    layers: Vec<Layer>,
    final_norm: LayerNorm,
}

impl Layer {
    fn load(source: &Source, c: &ModernBertConfig, i: usize) -> Result<Layer> {
        let (h, f) = (c.hidden_size, c.intermediate_size);
        let name = |part: &str| format!("layers.{i}.{part}");
        let norm = |part: &str| LayerNorm::load(source, &name(part), h, c.norm_eps as f32, false);
        Ok(Layer {
            attention_norm: (i > 0).then(|| norm("attn_norm")).transpose()?,
            qkv: Linear::load(source, &name("attn.Wqkv"), (3 * h, h), false)?,
            attention_output: Linear::load(source, &name("attn.Wo"), (h, h), false)?,
            norm: norm("mlp_norm")?,
            input: Linear::load(source, &name("mlp.Wi"), (2 * f, h), false)?,
            output: Linear::load(source, &name("mlp.Wo"), (h, f), false)?,
            global: c.layer_attention[i] == LayerAttention::Global,
        })
    }

    fn forward(&self, x: Tensor, packed: &Packed, c: &ModernBertConfig, sites: &mut DropoutSites) -> Tensor {
        let normed = self.attention_norm.as_ref().map_or_else(|| x.clone(), |norm| norm.for_products(&x));
        let (window, theta) =
            if self.global { (None, c.global_rope_theta) } else { (Some(c.local_attention / 2), c.local_rope_theta) };
        let qkv = op::rotary(&self.qkv.forward(&normed, Activation::Identity), packed, c.heads, theta);
        let dropout = sites.next(c.attention_dropout as f32);
        let attended = op::attention(&qkv, packed, Attention { heads: c.heads, window, dropout, ..Default::default() });
        let attended = self.attention_output.forward(&attended, Activation::Identity);
        let x = op::add(&x, &sites.apply(attended, packed, c.attention_dropout as f32));
        let inner = op::geglu(&self.input.forward(&self.norm.for_products(&x), Activation::Identity), Activation::Gelu);
        let inner = sites.apply(inner, packed, c.mlp_dropout as f32);
        op::add(&x, &self.output.forward(&inner, Activation::Identity))
    }

    fn parameters<'a>(&'a self, i: usize, to: &mut Named<'a>) {
        let name = |part: &str| format!("layers.{i}.{part}");
        if let Some(norm) = &self.attention_norm {
            norm.parameters(&name("attn_norm"), to);
        }
        self.qkv.parameters(&name("attn.Wqkv"), to);
        self.attention_output.parameters(&name("attn.Wo"), to);
        self.norm.parameters(&name("mlp_norm"), to);
        self.input.parameters(&name("mlp.Wi"), to);
        self.output.parameters(&name("mlp.Wo"), to);
    }

    fn parameters_mut<'a>(&'a mut self, i: usize, to: &mut NamedMut<'a>) {
        let name = |part: &str| format!("layers.{i}.{part}");
        if let Some(norm) = &mut self.attention_norm {
            norm.parameters_mut(&name("attn_norm"), to);
        }
        self.qkv.parameters_mut(&name("attn.Wqkv"), to);
        self.attention_output.parameters_mut(&name("attn.Wo"), to);
        self.norm.parameters_mut(&name("mlp_norm"), to);
        self.input.parameters_mut(&name("mlp.Wi"), to);
        self.output.parameters_mut(&name("mlp.Wo"), to);
    }
}

impl ModernBert {
    /// Loads the weights of a checkpoint, whose names may start with `model.`.
    ///
    /// # Errors
    /// A tensor is missing, of another shape or not finite.
    pub fn load(config: &ModernBertConfig, checkpoint: &mut Checkpoint) -> Result<ModernBert> {
        checkpoint.detect_prefix(&["", "model."], "embeddings.tok_embeddings.weight");
        ModernBert::build(config, &Source::Checkpoint(checkpoint))
    }

    /// Fresh weights: normal of deviation 0.02, norms 1, biases 0.
    pub fn fresh(config: &ModernBertConfig, key: Key) -> ModernBert {
        ModernBert::build(config, &Source::Fresh(key, INITIAL_DEVIATION)).expect("fresh weights cannot be missing")
    }

    fn build(config: &ModernBertConfig, source: &Source) -> Result<ModernBert> {
        let h = config.hidden_size;
        let norm = |name: &str| LayerNorm::load(source, name, h, config.norm_eps as f32, false);
        Ok(ModernBert {
            words: source.weight("embeddings.tok_embeddings.weight", &[config.vocab_size, h])?,
            norm: norm("embeddings.norm")?,
            layers: (0..config.layers()).map(|i| Layer::load(source, config, i)).collect::<Result<_>>()?,
            final_norm: norm("final_norm")?,
            config: config.clone(),
        })
    }

    /// Last hidden states `[tokens, hidden]`. `dropout` is the key of a training pass.
    pub fn forward(&self, ids: &[u32], packed: &Packed, dropout: Option<Key>) -> Tensor {
        let mut sites = DropoutSites::new(dropout);
        let x = self.norm.forward(&op::embedding(&[(&self.words, ids)]), None);
        let mut x = sites.apply(x, packed, self.config.embedding_dropout as f32);
        for layer in &self.layers {
            x = layer.forward(x, packed, &self.config, &mut sites);
        }
        self.final_norm.forward(&x, None)
    }
    /// The table of word vectors, `[words, hidden]`.
    pub(crate) fn words(&self) -> &Tensor {
        &self.words
    }

    pub(crate) fn parameters(&self) -> Named<'_> {
        let mut to: Named = vec![("embeddings.tok_embeddings.weight".into(), &self.words)];
        self.norm.parameters("embeddings.norm", &mut to);
        for (i, layer) in self.layers.iter().enumerate() {
            layer.parameters(i, &mut to);
        }
        self.final_norm.parameters("final_norm", &mut to);
        to
    }

    pub(crate) fn parameters_mut(&mut self) -> NamedMut<'_> {
        let mut to: NamedMut = vec![("embeddings.tok_embeddings.weight".into(), &mut self.words)];
        self.norm.parameters_mut("embeddings.norm", &mut to);
        for (i, layer) in self.layers.iter_mut().enumerate() {
            layer.parameters_mut(i, &mut to);
        }
        self.final_norm.parameters_mut("final_norm", &mut to);
        to
    }
}
