//! LA-MIR (Hu et al. 2023, arXiv 2210.06633): two losses on text without relevance labels, on top of a retrieval loss.
//!
//! Published are the two losses' roles: semC is "regular contrastive learning" on parallel pairs, langC takes language-specific
//! information out of the sentences of non-parallel corpora by means of parallel pairs. The equations, weights and temperatures here are ours.

use std::f64::consts::LN_2;

use isogloss_engine::Tensor;
use isogloss_engine::op::{self, Activation};

use super::{InfoNce, Loss, NegativeScope, Similarity, info_nce, scores};

/// Which candidates a sentence's translation is told from, in [`semantic`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Semantic {
    /// The translations of the batch, from the first side to the second.
    OneWay,
    /// The mean of both directions.
    #[default]
    Symmetric,
    /// All 2N sentences but itself (SimCLR, Chen et al. 2020).
    Simclr,
}

/// semC: contrastive loss of parallel pairs. The symmetric variant is
///
/// `−(1/2N) Σ_i [ log softmax_j(s(e_i,l_j))_i + log softmax_j(s(e_j,l_i))_i ]`, `s` = similarity / temperature (ours).
///
/// # Shapes
/// `english`, `other`: `[N, D]`, row i of one is the translation of row i of the other. Which language stands first only matters to
/// [`Semantic::OneWay`].
///
/// # Panics
/// If the shapes do not fit or there is no pair.
pub fn semantic(english: &Tensor, other: &Tensor, variant: Semantic, similarity: Similarity, temperature: f32) -> Loss {
    let total = match variant {
        Semantic::Simclr => simclr(&similarity.prepare(english), &similarity.prepare(other), temperature),
        _ => {
            let options = InfoNce {
                similarity,
                temperature,
                symmetric: variant == Semantic::Symmetric,
                negative_rows: &[],
                scope: NegativeScope::Batch,
                same: None,
                same_negative: None,
            };
            info_nce(english, other, None, options).total
        }
    };
    Loss::of("semantic", total)
}

/// Every row of both sides against all others, its partner being the positive.
fn simclr(a: &Tensor, b: &Tensor, temperature: f32) -> Tensor {
    let views = op::concat_rows(&[a, b]);
    let (n, _) = a.matrix();
    let targets: Vec<usize> = (n..2 * n).chain(0..n).collect();
    let itself: Vec<bool> = (0..4 * n * n).map(|at| at / (2 * n) == at % (2 * n)).collect();
    op::softmax_cross_entropy(&scores(&views, &views, temperature), &targets, Some(&itself))
}

/// How the combinations of [`language`] become one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reduction {
    /// Their mean.
    #[default]
    Mean,
    /// Their sum.
    Sum,
}

/// Options of [`language`].
#[derive(Clone, Copy, Debug)]
pub struct Language<'a> {
    /// Comparison of two embeddings.
    pub similarity: Similarity,
    /// Similarities are divided by it.
    pub temperature: f32,
    /// (text k, pair i) to compare; every text with every pair if not given.
    pub combinations: Option<&'a [(usize, usize)]>,
    /// Mean or sum over the combinations.
    pub reduction: Reduction,
}

/// langC: a text of any language should be as near to a sentence as to the sentence's translation (ours):
///
/// `mean_ki [ softplus(x_ki) + softplus(−x_ki) ]`, `x_ki = s(d_k,e_i) − s(d_k,l_i)`, `s` = similarity / temperature.
///
/// Its minimum, where every text is language-neutral, is 2 ln 2 a combination; the term `language_excess` is what the loss has above it. Nothing in it
/// repels: alone it is minimised by collapse. Costs one matrix product, since `x_k = d_k · (e − l)ᵀ`, and O(N·M) memory.
///
/// # Shapes
/// `texts`: `[M, D]`, `english`, `other`: `[N, D]`, row i of one the translation of row i of the other.
///
/// # Panics
/// If the shapes do not fit or there is no combination.
pub fn language(texts: &Tensor, english: &Tensor, other: &Tensor, options: Language) -> Loss {
    let [d, e, l] = [texts, english, other].map(|x| options.similarity.prepare(x));
    let halved = op::scale(&d, 0.5 / options.temperature);
    let apart = op::add(&e, &op::scale(&l, -1.0));
    let x = match options.combinations {
        None => op::linear(&halved, &apart, None, Activation::Identity),
        Some(list) => {
            let (k, i): (Vec<usize>, Vec<usize>) = list.iter().copied().unzip();
            op::dot_rows(&op::gather_rows(&halved, &k), &op::gather_rows(&apart, &i))
        }
    };
    let count = x.elements();
    assert!(count > 0, "language: no combination of a text and a pair");
    // softplus(x) + softplus(−x) = 2 ln 2 + 2 ln cosh(x/2)
    let (weight, minimum) = match options.reduction {
        Reduction::Mean => (2.0 / count as f32, 2.0 * LN_2),
        Reduction::Sum => (2.0, 2.0 * LN_2 * count as f64),
    };
    let excess = op::scale(&op::log_cosh(&x), weight);
    let total = op::add(&excess, &Tensor::scalar(minimum as f32));
    let terms = vec![("language".into(), total.detach()), ("language_excess".into(), excess.detach())];
    Loss { total, terms }
}
