//! Training losses: pure functions of embeddings, exact in value and gradient, one family a file.

use std::borrow::Cow;

mod ccp;
mod clear;
mod distill;
mod info_nce;
mod la_mir;
mod masked_lm;
mod matryoshka;

pub use ccp::{Ccp, ccp, ccp_accuracy};
pub use clear::{Clear, Divergence, Slot, clear};
pub use distill::{embedding_cosine, embedding_mse, margin_mse, own_scores, score_kl};
pub use info_nce::{InfoNce, NegativeScope, info_nce};
use isogloss_engine::Tensor;
use isogloss_engine::op::{self, Activation};
pub use la_mir::{Language, Reduction, Semantic, language, semantic};
pub use masked_lm::masked_lm;
pub use matryoshka::matryoshka;

/// How two embeddings are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Similarity {
    /// Inner product of the L2-normalised embeddings.
    Cosine,
    /// Inner product.
    Dot,
}

impl Similarity {
    /// The embeddings of which the inner product is the similarity.
    fn prepare(self, x: &Tensor) -> Tensor {
        match self {
            Similarity::Cosine => op::l2_normalize(x),
            Similarity::Dot => x.clone(),
        }
    }
}

/// A loss with its terms by name.
pub struct Loss {
    /// The scalar to differentiate.
    pub total: Tensor,
    /// What it is made of, for the log: constant scalars, where they were computed.
    pub terms: Vec<(Cow<'static, str>, Tensor)>,
}

impl Loss {
    /// A loss of one term.
    fn of(name: &'static str, total: Tensor) -> Loss {
        let terms = vec![(name.into(), total.detach())];
        Loss { total, terms }
    }

    /// `Σ weight · loss`, with the terms of all, unweighted.
    ///
    /// # Panics
    /// If there is none.
    pub fn sum(parts: impl IntoIterator<Item = (f32, Loss)>) -> Loss {
        let mut terms = Vec::new();
        let weighted = parts.into_iter().map(|(weight, loss)| {
            terms.extend(loss.terms);
            op::scale(&loss.total, weight)
        });
        let total = weighted.reduce(|a, b| op::add(&a, &b)).expect("a loss to sum");
        Loss { total, terms }
    }
}

/// `a · bᵀ / temperature`.
fn scores(a: &Tensor, b: &Tensor, temperature: f32) -> Tensor {
    op::scale(&op::linear(a, b, None, Activation::Identity), 1.0 / temperature)
}
