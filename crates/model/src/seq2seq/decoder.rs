//! The decoder of an encoder–decoder token by token, with the keys and values of what came before kept.

use isogloss_engine::op::{self, Activation, CachedAttention};
use isogloss_engine::{Packed, Tensor};

use crate::mt5::Mt5;

/// A text in the making.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Hypothesis {
    /// The source that it is made from.
    pub source: usize,
    /// Its tokens, the one that the decoder starts with first.
    pub ids: Vec<u32>,
    /// Sum of the log-probabilities of its tokens.
    pub log_p: f64,
    /// Where the keys and values of its tokens, all but the last, are kept. Hypotheses with a common beginning share them.
    rows: Vec<u32>,
}

impl Hypothesis {
    /// One that has its first token only.
    pub(super) fn new(source: usize, start: u32) -> Hypothesis {
        Hypothesis { source, ids: vec![start], log_p: 0.0, rows: Vec::new() }
    }

    /// The same with one more token.
    pub(super) fn with(mut self, id: u32, log_p: f64) -> Hypothesis {
        self.ids.push(id);
        self.log_p = log_p;
        self
    }

    /// Tokens generated.
    pub(super) fn len(&self) -> usize {
        self.ids.len() - 1
    }
}

/// The decoder for a group of sources.
pub(super) struct Decoder<'a> {
    model: &'a Mt5,
    /// Keys and values of the encoder's states, `[source tokens, 2·inner]`, for every layer.
    cross: Vec<Tensor>,
    /// The rows of `cross` that belong to a source.
    source_rows: Vec<Vec<u32>>,
    /// Keys and values of generated tokens, rows of `2·inner`, for every layer. Only ever added to: hypotheses name their rows.
    own: Vec<Vec<f32>>,
    /// Biases of what came before, `[heads, steps]`, the token itself last.
    bias: Vec<f32>,
    steps: usize,
}

impl<'a> Decoder<'a> {
    /// Encodes the sources; `steps` is the number of tokens to come at most, `width` that of hypotheses.
    pub(super) fn new(model: &'a Mt5, sources: &[&[u32]], steps: usize, width: usize) -> Decoder<'a> {
        let config = model.config();
        let packed = Packed::new(sources.iter().map(|ids| ids.len()), 0);
        let memory = model.encode(&sources.concat(), &packed);
        let cross = model.decoder.layers.iter().filter_map(|layer| layer.cross.as_ref());
        let rows = |s: usize| packed.range(s).map(|row| row as u32).collect();
        let relative = config.relative_positions(false);
        let (table, heads) = (model.decoder.positions.data(), config.heads);
        let bias = |h: usize, back: usize| table[relative.bucket(-(back as i64)) * heads + h];
        Decoder {
            cross: cross.map(|part| part.kv.forward(&memory, Activation::Identity)).collect(),
            source_rows: (0..sources.len()).map(rows).collect(),
            own: vec![Vec::with_capacity(steps * width * 2 * config.inner()); config.decoder_layers],
            bias: (0..heads).flat_map(|h| (0..steps).rev().map(move |back| bias(h, back))).collect(),
            model,
            steps,
        }
    }

    /// Logits of what follows every hypothesis, `[hypotheses, words]`. All have the same length.
    pub(super) fn step(&mut self, hypotheses: &mut [Hypothesis]) -> Tensor {
        let config = self.model.config();
        let inner = config.inner();
        let first = self.own[0].len() / (2 * inner);
        for (i, hypothesis) in hypotheses.iter_mut().enumerate() {
            hypothesis.rows.push((first + i) as u32);
        }
        let seen: Vec<&[u32]> = hypotheses.iter().map(|h| h.rows.as_slice()).collect();
        let sources: Vec<&[u32]> = hypotheses.iter().map(|h| self.source_rows[h.source].as_slice()).collect();
        let bias = (&self.bias[self.steps - hypotheses[0].rows.len()..], self.steps);
        let to_own = CachedAttention { heads: config.heads, scale: 1.0, bias: Some(bias) };
        let to_source = CachedAttention { bias: None, ..to_own };
        let last: Vec<u32> = hypotheses.iter().map(|h| h.ids[h.ids.len() - 1]).collect();
        let mut x = self.model.embed(&last);
        for ((layer, own), cross) in self.model.decoder.layers.iter().zip(&mut self.own).zip(&self.cross) {
            let part = &layer.attention;
            let qkv = part.qkv.forward(&part.norm.forward(&x), Activation::Identity);
            for row in qkv.data().chunks_exact(3 * inner) {
                own.extend_from_slice(&row[inner..]);
            }
            let attended = op::cached_attention(&qkv, inner, own, &seen, to_own);
            x = op::add(&x, &part.output.forward(&attended, Activation::Identity));
            if let Some(part) = &layer.cross {
                let q = part.q.forward(&part.norm.forward(&x), Activation::Identity);
                let attended = op::cached_attention(&q, inner, cross.data(), &sources, to_source);
                x = op::add(&x, &part.output.forward(&attended, Activation::Identity));
            }
            x = op::add(&x, &layer.feed_forward.forward(&x));
        }
        self.model.logits(&self.model.scaled(self.model.decoder.norm.forward(&x)))
    }
}
