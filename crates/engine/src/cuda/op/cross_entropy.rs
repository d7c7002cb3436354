//! Cross-entropy and divergence of rows of logits.

use super::launch;
use super::reduce::{Slopes, total};
use crate::cuda::{Geometry, Gpu, operand};
use crate::tensor::Tensor;

/// Mean cross-entropy of the rows with a label (−1: none); columns marked in `excluded: [m, n]` are left out of their row's softmax.
pub(crate) fn cross_entropy(gpu: &'static Gpu, logits: &Tensor, labels: &[i32], excluded: Option<&[bool]>) -> Tensor {
    let (m, n) = logits.matrix();
    let count = labels.iter().filter(|label| **label >= 0).count().max(1);
    let excluded: Option<Vec<u8>> = excluded.map(|marks| marks.iter().map(|mark| u8::from(*mark)).collect());
    let excluded = excluded.map(|marks| gpu.upload(&marks));
    let (slope, losses) = (gpu.scratch::<f32>(m * n), gpu.scratch::<f64>(m));
    let (from, labels) = (operand(gpu, logits), gpu.upload(labels));
    let (factor, smoothing) = (1.0 / count as f32, 0f32);
    // SAFETY: logits, slope and marks are [m, n]; labels below n and losses [m].
    unsafe {
        launch!(
            gpu,
            cross_entropy::cross_entropy,
            Geometry::blocks(m),
            &slope,
            &losses,
            &from,
            &labels,
            excluded.as_ref(),
            factor,
            smoothing,
            m,
            n,
        )
    }
    Tensor::result(total(gpu, &losses, m, 1.0 / count as f64), &[], &[logits], Slopes(vec![slope]))
}

/// Mean divergence between the softmaxes of rows.
pub(crate) fn divergence(gpu: &'static Gpu, p: &Tensor, q: &Tensor) -> Tensor {
    let (m, n) = p.matrix();
    let (at_p, at_q, losses) = (gpu.scratch::<f32>(m * n), gpu.scratch::<f32>(m * n), gpu.scratch::<f64>(m));
    let (from_p, from_q) = (operand(gpu, p), operand(gpu, q));
    // SAFETY: logits and slopes are [m, n], divergences [m].
    unsafe {
        launch!(
            gpu,
            cross_entropy::softmax_divergence,
            Geometry::blocks(m),
            &at_p,
            &at_q,
            &losses,
            &from_p,
            &from_q,
            m,
            n,
        )
    }
    Tensor::result(total(gpu, &losses, m, 1.0 / m as f64), &[], &[p, q], Slopes(vec![at_p, at_q]))
}
