//! Normalisers of rows of logits, as generation needs them: forward only.

use crate::buffer::Buffer;
use crate::cpu::{Isa, rows};
use crate::parallel::{self, Shared};
use crate::tensor::Tensor;

/// Rows that one task sums.
const BLOCK: usize = 4;

/// `log Σ_j e^x[i, j]` of every row. No gradient is recorded.
///
/// # Shapes
/// `x: [m, n]`, n at least 1 → `[m]`.
pub fn log_sum_exp(x: &Tensor) -> Tensor {
    let isa = Isa::current();
    let (m, n) = x.matrix();
    let mut out = Buffer::scratch(m);
    let to = Shared::new(&mut out);
    parallel::blocks(m, BLOCK, |start, end| {
        for r in start..end {
            // SAFETY: a task writes the sums of its own rows.
            unsafe { *to.at(r) = rows::log_sum_exp(isa, n, x.data()[r * n..(r + 1) * n].as_ptr()) }
        }
    });
    Tensor::new(out, &[m])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::random;
    use crate::with_isa;

    #[test]
    fn it_equals_the_definition_far_from_zero_too() {
        let near = random(1, &[3, 71]);
        let far: Vec<f32> = near.data().iter().map(|x| 500.0 + 30.0 * x).collect();
        for x in [near, Tensor::new(far, &[3, 71])] {
            for isa in Isa::available() {
                let got = with_isa(isa, || log_sum_exp(&x));
                for (row, got) in x.data().chunks(71).zip(got.data()) {
                    let top = row.iter().fold(f64::MIN, |a, b| a.max(f64::from(*b)));
                    let expected = top + row.iter().map(|x| (f64::from(*x) - top).exp()).sum::<f64>().ln();
                    assert!(
                        (f64::from(*got) - expected).abs() < 1e-5 * expected.abs().max(1.0),
                        "{isa}: {got} {expected}"
                    );
                }
            }
        }
    }
}
