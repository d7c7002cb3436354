//! CLEAR (Lee et al. 2026, arXiv 2604.05821): English retrieval, a bridge from English passages to queries of the target language, and the
//! divergence between the two. The loss is the authors', taken over the whole batch.

use std::collections::HashMap;

use isogloss_engine::Tensor;
use isogloss_engine::op::{self, Activation};

use super::Loss;

/// Which way the divergence of CLEAR goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Divergence {
    /// `KL(T ‖ P)`, as published.
    #[default]
    ReverseToForward,
    /// `KL(P ‖ T)`, ours.
    ForwardToReverse,
}

/// Whose negative an embedding is: number `k` of a row of the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    /// The row.
    pub row: usize,
    /// Number among the row's negatives, from 0.
    pub k: usize,
}

impl Slot {
    /// The slots of rows with `counts[row]` negatives each, role-major: the first negatives of all rows, then the second ones of all rows that
    /// have two, and so on.
    pub fn role_major(counts: &[usize]) -> Vec<Slot> {
        let most = counts.iter().copied().max().unwrap_or(0);
        let of_role = |k: usize| (0..counts.len()).filter(move |row| counts[*row] > k).map(move |row| Slot { row, k });
        (0..most).flat_map(of_role).collect()
    }
}

/// Options of [`clear`]. Published: alpha 0.4, beta 0.2, scale 20, [`Divergence::ReverseToForward`].
#[derive(Clone, Copy, Debug)]
pub struct Clear<'a> {
    /// Weight of the reverse term.
    pub alpha: f32,
    /// Weight of the divergence.
    pub beta: f32,
    /// Cosines are multiplied by it.
    pub scale: f32,
    /// The divergence; left out, and its weight given back to the forward term, if `None`.
    pub divergence: Option<Divergence>,
    /// Whose negative every row of the negatives is.
    pub negatives: &'a [Slot],
    /// Whose negative every row of the negative queries is: query k of row i asks for negative k of row i.
    pub negative_queries: &'a [Slot],
}

/// With the candidates `D = [d⁺; d⁻]` and `X = [x⁺; x⁻]`, `P = softmax(scale·cos(q, D))`, `T = softmax(scale·cos(d⁺, X))`:
///
/// `L = (1−α−β)·L_fwd + α·L_rev + β·L_KL`, `L_fwd = −mean log P_ii`, `L_rev = −mean log T_ii`, `L_KL = mean_i KL(T_i ‖ P_i)`;
/// without divergence `L = (1−α)·L_fwd + α·L_rev`. The gradient flows through everything.
///
/// Rows may have any number of negatives and negative queries. The divergence then compares softmaxes over the matched columns alone, those of which
/// both D and X have one (ours); where all match, that is the published one.
///
/// # Shapes
/// In order: English query, positive, `negatives`, target-language query, `negative_queries`: `[B, D]`, `[B, D]`, `[N, D]`, `[B, D]`, `[N′, D]`.
///
/// # Panics
/// If the shapes do not fit or there is no row.
pub fn clear(embeddings: [&Tensor; 5], options: Clear) -> Loss {
    let [query, positive, negatives, target_query, negative_queries] = embeddings.map(op::l2_normalize);
    let (rows, _) = query.matrix();
    assert_eq!(negatives.matrix().0, options.negatives.len(), "clear: a slot for every negative");
    assert_eq!(negative_queries.matrix().0, options.negative_queries.len(), "clear: a slot for every negative query");
    let forward = logits(&query, [&positive, &negatives], options.scale);
    let reverse = logits(&positive, [&target_query, &negative_queries], options.scale);
    let gold: Vec<usize> = (0..rows).collect();
    let forward_loss = op::softmax_cross_entropy(&forward, &gold, None);
    let reverse_loss = op::softmax_cross_entropy(&reverse, &gold, None);
    let (forward_loss, reverse_loss) = (Loss::of("forward", forward_loss), Loss::of("reverse", reverse_loss));
    let (alpha, beta) = (options.alpha, options.beta);
    let Some(direction) = options.divergence else {
        return Loss::sum([(1.0 - alpha, forward_loss), (alpha, reverse_loss)]);
    };
    let (p, t) = matched(&forward, &reverse, rows, options);
    let divergence = match direction {
        Divergence::ReverseToForward => op::softmax_divergence(&t, &p),
        Divergence::ForwardToReverse => op::softmax_divergence(&p, &t),
    };
    Loss::sum([(1.0 - alpha - beta, forward_loss), (alpha, reverse_loss), (beta, Loss::of("kl", divergence))])
}

/// Scaled similarities to the positives of all rows, then to the negatives.
fn logits(from: &Tensor, [positives, negatives]: [&Tensor; 2], scale: f32) -> Tensor {
    let candidates = match negatives.matrix().0 {
        0 => positives.clone(),
        _ => op::concat_rows(&[positives, negatives]),
    };
    op::scale(&op::linear(from, &candidates, None, Activation::Identity), scale)
}

/// The columns that both sides have, in the order of the first.
fn matched(forward: &Tensor, reverse: &Tensor, rows: usize, options: Clear) -> (Tensor, Tensor) {
    if options.negatives == options.negative_queries {
        return (forward.clone(), reverse.clone());
    }
    let queries: HashMap<Slot, usize> = options.negative_queries.iter().copied().zip(rows..).collect();
    let both = options.negatives.iter().zip(rows..).filter_map(|(slot, column)| Some((column, *queries.get(slot)?)));
    let (p, t): (Vec<usize>, Vec<usize>) = (0..rows).map(|column| (column, column)).chain(both).unzip();
    (op::gather_columns(forward, &p), op::gather_columns(reverse, &t))
}
