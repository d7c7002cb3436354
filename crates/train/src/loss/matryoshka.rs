//! Matryoshka representation learning (Kusupati et al. 2022): a loss at several widths of the embedding at once.

use isogloss_engine::Tensor;
use isogloss_engine::op;

use super::Loss;

/// `Σ weight · loss(first dim columns)`: a weighted sum, not a mean. Where the loss normalises, it does so after the cut.
///
/// Terms: `dim<d>` is the loss at that width; a loss of several terms adds each as `dim<d>.<term>`.
///
/// # Shapes
/// `embeddings`: `[_, D]` each; `dims`: (width, weight), widths at most D.
///
/// # Panics
/// If there is no width or one is above D.
pub fn matryoshka<const N: usize>(
    embeddings: [&Tensor; N],
    dims: &[(usize, f32)],
    mut loss: impl FnMut([Tensor; N]) -> Loss,
) -> Loss {
    Loss::sum(dims.iter().map(|&(dim, weight)| {
        let whole = loss(embeddings.map(|x| first_columns(x, dim)));
        let mut terms = vec![(format!("dim{dim}").into(), whole.total.detach())];
        if whole.terms.len() > 1 {
            terms.extend(whole.terms.iter().map(|(name, value)| (format!("dim{dim}.{name}").into(), value.clone())));
        }
        (weight, Loss { terms, ..whole })
    }))
}

fn first_columns(x: &Tensor, dim: usize) -> Tensor {
    match x.matrix().1 {
        width if width == dim => x.clone(),
        _ => op::gather_columns(x, &(0..dim).collect::<Vec<usize>>()),
    }
}
