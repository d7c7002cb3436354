//! What tells in the log whether contrastive context prediction goes wrong (the monitors are ours): a leak through batch statistics, a collapse of the
//! embeddings, a collapse into a detector of languages.

use std::borrow::Cow;
use std::collections::BTreeMap;

use isogloss_engine::Tensor;

use crate::error::Result;
use crate::language_probe::probe_accuracy;
use crate::loss::{Ccp as Options, ccp_accuracy};
use crate::memory_bank::{BankScope, MemoryBank};
use crate::projection_head::{ProjectionHead, Statistics};
use crate::recipe::RecipeState;

/// Embeddings that are kept of every language for the probe.
const KEPT: usize = 64;

/// Terms of the log by name.
type Terms = Vec<(Cow<'static, str>, Tensor)>;

/// What a part of the recipe keeps in a checkpoint.
type Kept = (BTreeMap<String, Tensor>, BTreeMap<String, u64>);

/// The monitors.
pub(super) struct Monitor {
    every: usize,
    batches: u64,
    recent: MemoryBank,
}

const BATCHES: &str = "batches";

impl Monitor {
    /// Monitors that look at every so many batches; never if 0.
    pub fn new(every: usize) -> Monitor {
        Monitor { every, batches: 0, recent: MemoryBank::new(KEPT, BankScope::Language) }
    }

    /// Looks at the embeddings of a batch, before the head has seen them:
    ///
    /// - `leak`: accuracy of the contrast when both sides are normalised by their own statistics, less that by the running ones
    /// - `deviation.<lang>`, `pairwise_cosine.<lang>`: mean standard deviation of a dimension, mean cosine of two centres
    /// - `language_probe`: accuracy with which a linear map tells the languages of recent embeddings apart
    pub fn look(&mut self, head: &ProjectionHead, lang: &str, sides: [&Tensor; 2], options: Options) -> Terms {
        if self.every == 0 {
            return Terms::new();
        }
        self.recent.push(lang, sides[0]);
        self.batches += 1;
        if !self.batches.is_multiple_of(self.every as u64) {
            return Terms::new();
        }
        let accuracy = |statistics| {
            let [u, v] = sides.map(|side| head.project(side, statistics));
            ccp_accuracy(&u, &v, options)
        };
        let mut terms = vec![
            ("leak".into(), accuracy(Statistics::Batch) - accuracy(Statistics::Running)),
            (format!("deviation.{lang}").into(), deviation(sides[0])),
            (format!("pairwise_cosine.{lang}").into(), pairwise_cosine(sides[0])),
        ];
        terms.extend(self.probe(sides[0].matrix().1).map(|accuracy| ("language_probe".into(), accuracy as f32)));
        terms.into_iter().map(|(name, value)| (name, Tensor::scalar(value))).collect()
    }

    fn probe(&self, dim: usize) -> Option<f64> {
        let (tensors, counts) = self.recent.state();
        let (mut rows, mut classes) = (Vec::new(), Vec::new());
        for (class, (slots, pushed)) in tensors.values().zip(counts.values()).enumerate() {
            let filled = KEPT.min(*pushed as usize);
            rows.extend_from_slice(&slots.data()[..filled * dim]);
            classes.extend(std::iter::repeat_n(class, filled));
        }
        probe_accuracy(&rows, dim, &classes)
    }

    /// What a checkpoint keeps.
    pub fn state(&self) -> Kept {
        let (tensors, mut counts) = self.recent.state();
        counts.insert(BATCHES.into(), self.batches);
        (tensors, counts)
    }

    /// Takes up what [`Monitor::state`] gave.
    ///
    /// # Errors
    /// Something is missing.
    pub fn restore(&mut self, tensors: &BTreeMap<String, Tensor>, counts: &BTreeMap<String, u64>) -> Result<()> {
        let mut counts = counts.clone();
        self.batches = counts.remove(BATCHES).unwrap_or(0);
        self.recent.restore(tensors, &counts)
    }
}

/// Mean over the dimensions of the standard deviation over the rows.
fn deviation(x: &Tensor) -> f32 {
    let (rows, dim) = x.matrix();
    let column = |i: usize| x.data().iter().skip(i).step_by(dim).map(|x| f64::from(*x));
    let deviation = |i: usize| {
        let mean = column(i).sum::<f64>() / rows as f64;
        (column(i).map(|x| (x - mean).powi(2)).sum::<f64>() / rows as f64).sqrt()
    };
    ((0..dim).map(deviation).sum::<f64>() / dim as f64) as f32
}

/// Mean cosine of two different rows: (‖Σ x/‖x‖‖² − n) / (n² − n).
fn pairwise_cosine(x: &Tensor) -> f32 {
    let (rows, dim) = x.matrix();
    let mut sum = vec![0f64; dim];
    for row in x.data().chunks_exact(dim) {
        let norm = row.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt().max(1e-12);
        sum.iter_mut().zip(row).for_each(|(sum, x)| *sum += f64::from(*x) / norm);
    }
    let n = rows as f64;
    ((sum.iter().map(|x| x * x).sum::<f64>() - n) / (n * n - n).max(1.0)) as f32
}

/// What several parts keep as one state, under their names.
pub(super) fn merge<const N: usize>(parts: [(&str, Kept); N]) -> RecipeState {
    let mut state = RecipeState::default();
    for (part, (tensors, counts)) in parts {
        state.tensors.extend(tensors.into_iter().map(|(name, tensor)| (format!("{part}.{name}"), tensor)));
        state.counts.extend(counts.into_iter().map(|(name, count)| (format!("{part}.{name}"), count)));
    }
    state
}

/// What one part kept of a merged state.
pub(super) fn split(state: &RecipeState, part: &str) -> Kept {
    fn under<T: Clone>(part: &str, all: &BTreeMap<String, T>) -> BTreeMap<String, T> {
        let own = |(name, value): (&String, &T)| {
            Some((name.strip_prefix(part)?.strip_prefix('.')?.to_string(), value.clone()))
        };
        all.iter().filter_map(own).collect()
    }
    (under(part, &state.tensors), under(part, &state.counts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collapsed_embeddings_have_cosine_one_and_no_deviation() {
        let collapsed = Tensor::new([[1.0f32, 2.0]; 5].concat(), &[5, 2]);
        assert!((pairwise_cosine(&collapsed) - 1.0).abs() < 1e-6 && deviation(&collapsed) == 0.0);
        let apart = Tensor::new(vec![1.0, 0.0, 0.0, 1.0], &[2, 2]);
        assert!(pairwise_cosine(&apart).abs() < 1e-6 && (deviation(&apart) - 0.5).abs() < 1e-6);
    }
}
