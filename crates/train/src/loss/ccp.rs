//! Contrastive context prediction (Wu et al. 2022, arXiv 2206.03281): a sentence finds a sentence of its own context window among sentences
//! of the same language, and is found by it.

use isogloss_engine::op::{self, Activation};
use isogloss_engine::{Tensor, no_grad};

use super::Loss;

/// Options of [`ccp`]. Temperature 0.1 and the denominator are those of the authors' sibling code; both directions and the bank are published.
#[derive(Clone, Copy, Debug)]
pub struct Ccp<'a> {
    /// Cosines are divided by it.
    pub temperature: f32,
    /// Whether half of the loss is context → centre.
    pub bidirectional: bool,
    /// Whether the other rows of a row's own side are in its denominator.
    pub same_side: bool,
    /// Outputs of the head for earlier batches of the language, un-normalised, `[M, D]`, M may be 0. No gradient.
    pub bank: Option<&'a Tensor>,
    /// The window of every row: rows of one window are not each other's negatives (ours).
    pub windows: Option<&'a [usize]>,
}

/// Bidirectional contrastive loss of the two sides of context pairs, cosine over temperature:
///
/// `ℓ(u_i→v_i) = −log e^{u_i·v_i/τ} / [ Σ_j e^{u_i·v_j/τ} + Σ_{j≠i} e^{u_i·u_j/τ} + Σ_{m∈bank} e^{u_i·m/τ} ]`,
/// `L = (1/2N) Σ_i [ ℓ(u_i→v_i) + ℓ(v_i→u_i) ]`.
///
/// # Shapes
/// `centre`, `context`: `[N, D]`, un-normalised outputs of the projection head.
///
/// # Panics
/// If the shapes do not fit or there is no row.
pub fn ccp(centre: &Tensor, context: &Tensor, options: Ccp) -> Loss {
    let (u, v, bank) = normalized(centre, context, options);
    let forward = Loss::of("centre_to_context", Candidates::new(&u, &v, bank.as_ref(), options).loss());
    if !options.bidirectional {
        return forward;
    }
    let backward = Loss::of("context_to_centre", Candidates::new(&v, &u, bank.as_ref(), options).loss());
    Loss::sum([(0.5, forward), (0.5, backward)])
}

/// Share of the rows, over the directions in use, to which their partner is nearer than any other candidate of [`ccp`].
///
/// # Panics
/// As [`ccp`].
pub fn ccp_accuracy(centre: &Tensor, context: &Tensor, options: Ccp) -> f32 {
    no_grad(|| {
        let (u, v, bank) = normalized(centre, context, options);
        let forward = Candidates::new(&u, &v, bank.as_ref(), options).accuracy();
        if !options.bidirectional {
            return forward;
        }
        (forward + Candidates::new(&v, &u, bank.as_ref(), options).accuracy()) / 2.0
    })
}

fn normalized(centre: &Tensor, context: &Tensor, options: Ccp) -> (Tensor, Tensor, Option<Tensor>) {
    assert_eq!(centre.shape(), context.shape(), "ccp: the two sides of the pairs");
    let bank = options.bank.filter(|bank| bank.matrix().0 > 0).map(|bank| op::l2_normalize(&bank.detach()));
    (op::l2_normalize(centre), op::l2_normalize(context), bank)
}

/// What the rows of one side choose from: column i is row i's partner.
struct Candidates {
    logits: Tensor,
    /// Columns left out of a row's denominator.
    excluded: Vec<bool>,
}

impl Candidates {
    fn new(from: &Tensor, to: &Tensor, bank: Option<&Tensor>, options: Ccp) -> Candidates {
        let (n, _) = from.matrix();
        let mut parts = vec![to];
        parts.extend(options.same_side.then_some(from));
        parts.extend(bank);
        let columns = op::concat_rows(&parts);
        let logits = op::scale(&op::linear(from, &columns, None, Activation::Identity), 1.0 / options.temperature);
        let width = columns.matrix().0;
        let own_side = if options.same_side { n..2 * n } else { n..n };
        let one_window = |i: usize, j: usize| options.windows.is_some_and(|w| w[i] == w[j]);
        let excluded = |i: usize, column: usize| match column {
            j if j < n => i != j && one_window(i, j),
            column if own_side.contains(&column) => i == column - n || one_window(i, column - n),
            _ => false,
        };
        Candidates { logits, excluded: (0..n * width).map(|at| excluded(at / width, at % width)).collect() }
    }

    fn loss(&self) -> Tensor {
        let partners: Vec<usize> = (0..self.logits.matrix().0).collect();
        op::softmax_cross_entropy(&self.logits, &partners, Some(&self.excluded))
    }

    fn accuracy(&self) -> f32 {
        let (n, width) = self.logits.matrix();
        let found = |row: usize| {
            let logits = &self.logits.data()[row * width..(row + 1) * width];
            let rival = |j: usize| j != row && !self.excluded[row * width + j] && logits[j] >= logits[row];
            !(0..width).any(rival)
        };
        (0..n).filter(|row| found(*row)).count() as f32 / n as f32
    }
}
