//! Masked language modelling (Devlin et al. 2019).

use isogloss_engine::Tensor;
use isogloss_engine::op;

use super::Loss;

/// `−mean log softmax(h · Eᵀ + bias)[label]` over the tokens that have a label, of the whole batch; 0 if none has. Logits are computed for
/// those tokens alone, a bounded number of rows at a time. A prediction head between the encoder and the vocabulary goes before: give it the rows
/// that have a label, and this function its outputs, all of them labelled.
///
/// # Shapes
/// `hidden: [tokens, D]`, `labels`: one per token, `embedding: [V, D]`, the tied decoder, `bias: [V]`.
///
/// # Panics
/// If the shapes do not fit or a label is not below V.
pub fn masked_lm(hidden: &Tensor, labels: &[Option<usize>], embedding: &Tensor, bias: Option<&Tensor>) -> Loss {
    assert_eq!(labels.len(), hidden.matrix().0, "masked_lm: a label or none for every token");
    let rows: Vec<usize> = (0..labels.len()).filter(|row| labels[*row].is_some()).collect();
    let targets: Vec<usize> = labels.iter().flatten().copied().collect();
    let selected = if rows.len() == labels.len() { hidden.clone() } else { op::gather_rows(hidden, &rows) };
    Loss::of("mlm", op::projected_cross_entropy(&selected, embedding, bias, &targets, 0.0))
}
