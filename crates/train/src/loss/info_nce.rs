//! InfoNCE over in-batch and hard negatives.

use isogloss_engine::Tensor;
use isogloss_engine::op;

use super::{Loss, Similarity, scores};

/// Which hard negatives a query is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NegativeScope {
    /// Those of every row of the batch.
    Batch,
    /// Those of its own row.
    Own,
}

/// Options of [`info_nce`].
#[derive(Clone, Copy, Debug)]
pub struct InfoNce<'a> {
    /// Comparison of two embeddings.
    pub similarity: Similarity,
    /// Similarities are divided by it.
    pub temperature: f32,
    /// Whether half of the loss is the passage → query direction, over the positives only.
    pub symmetric: bool,
    /// Negatives of row i are `negative_rows[i]` rows of the negatives, in row order; ragged rows are fine.
    pub negative_rows: &'a [usize],
    /// Which of them row i sees.
    pub scope: NegativeScope,
    /// `same[i·B + j]`: candidate j of the positives is in truth a positive of row i too, and is left out of its
    /// denominator. The diagonal is ignored.
    pub same: Option<&'a [bool]>,
    /// `same_negative[i·N + j]`: negative j is in truth a positive of row i.
    pub same_negative: Option<&'a [bool]>,
}

/// Contrastive loss over in-batch and hard negatives (van den Oord et al. 2018; Karpukhin et al. 2020):
///
/// `−mean_i log [ e^{s(q_i,p_i)} / (Σ_j e^{s(q_i,p_j)} + Σ_jk e^{s(q_i,n_jk)}) ]`, `s` = similarity / temperature.
///
/// # Shapes
/// `queries`, `positives`: `[B, D]`, `negatives`: `[N, D]`, N = Σ `negative_rows`, or none.
///
/// # Panics
/// If the shapes do not fit.
pub fn info_nce(queries: &Tensor, positives: &Tensor, negatives: Option<&Tensor>, options: InfoNce) -> Loss {
    let (rows, _) = queries.matrix();
    let q = options.similarity.prepare(queries);
    let p = options.similarity.prepare(positives);
    let candidates = match negatives {
        Some(n) if n.matrix().0 > 0 => op::concat_rows(&[&p, &options.similarity.prepare(n)]),
        _ => p.clone(),
    };
    let targets: Vec<usize> = (0..rows).collect();
    let scores = scores(&q, &candidates, options.temperature);
    let forward =
        op::softmax_cross_entropy(&scores, &targets, exclusions(rows, candidates.matrix().0, &options).as_deref());
    if !options.symmetric {
        return Loss::of("info_nce", forward);
    }
    let transposed = self::scores(&p, &q, options.temperature);
    let excluded = options.same.map(|same| off_diagonal(rows, |i, j| same[j * rows + i]));
    let backward = op::softmax_cross_entropy(&transposed, &targets, excluded.as_deref());
    let terms = vec![("query_to_passage".into(), forward.detach()), ("passage_to_query".into(), backward.detach())];
    Loss { total: op::scale(&op::add(&forward, &backward), 0.5), terms }
}

fn off_diagonal(rows: usize, f: impl Fn(usize, usize) -> bool) -> Vec<bool> {
    (0..rows * rows).map(|at| at / rows != at % rows && f(at / rows, at % rows)).collect()
}

/// Which candidate is left out of which row; `None` if none is.
fn exclusions(rows: usize, candidates: usize, options: &InfoNce) -> Option<Vec<bool>> {
    let own_only = options.scope == NegativeScope::Own && candidates > rows;
    if options.same.is_none() && options.same_negative.is_none() && !own_only {
        return None;
    }
    let owners: Vec<usize> =
        options.negative_rows.iter().enumerate().flat_map(|(row, n)| std::iter::repeat_n(row, *n)).collect();
    let hidden = |i: usize, j: usize| match j.checked_sub(rows) {
        None => i != j && options.same.is_some_and(|same| same[i * rows + j]),
        Some(negative) => {
            (own_only && owners[negative] != i)
                || options.same_negative.is_some_and(|same| same[i * (candidates - rows) + negative])
        }
    };
    Some((0..rows * candidates).map(|at| hidden(at / candidates, at % candidates)).collect())
}
