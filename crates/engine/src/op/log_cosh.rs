//! Logarithm of the hyperbolic cosine, summed.

use rayon::prelude::*;

use crate::buffer::Buffer;
use crate::cuda;
use crate::tensor::{Backward, Tensor};

/// Elements that one task sums; the partial sums are added in order.
const BLOCK: usize = 1 << 13;

struct LogCosh {
    /// `tanh x`.
    slope: Buffer,
}

impl Backward for LogCosh {
    fn backward(&self, inputs: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        let factor = grad.item();
        let data: Vec<f32> = self.slope.iter().map(|x| x * factor).collect();
        vec![Some(Tensor::new(data, inputs[0].shape()))]
    }
}

/// `ln cosh x` and its derivative `tanh x`, without overflow at any x.
fn with_slope(x: f32) -> (f64, f32) {
    let magnitude = f64::from(x).abs();
    let e = (-2.0 * magnitude).exp();
    let slope = (1.0 - e) / (1.0 + e);
    (magnitude + e.ln_1p() - std::f64::consts::LN_2, slope.copysign(f64::from(x)) as f32)
}

/// `Σ ln cosh x` over all elements → scalar. Since `softplus(x) + softplus(−x) = 2 ln 2 + 2 ln cosh(x/2)`, this is also what the
/// two-sided softplus has above its minimum.
pub fn log_cosh(x: &Tensor) -> Tensor {
    if let Some(gpu) = cuda::of(&[x]) {
        return cuda::op::log_cosh(gpu, x);
    }
    let mut slope = Buffer::scratch(x.data().len());
    let blocks = slope.par_chunks_mut(BLOCK).zip(x.data().par_chunks(BLOCK));
    let sums: Vec<f64> = blocks
        .map(|(slope, x)| {
            let each = slope.iter_mut().zip(x).map(|(slope, x)| {
                let (value, at) = with_slope(*x);
                *slope = at;
                value
            });
            each.sum()
        })
        .collect();
    let value = Buffer::from(vec![sums.iter().sum::<f64>() as f32]);
    Tensor::result(value, &[], &[x], LogCosh { slope })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Gradients;
    use crate::check::{gradients_match, random};

    #[test]
    fn gradient() {
        gradients_match(&[random(1, &[4, 5])], |x| log_cosh(&x[0]));
    }

    #[test]
    fn it_is_exact_at_the_smallest_and_finite_at_the_largest_arguments() {
        let x = Tensor::parameter(vec![0.0, 1e-3, -40.0, 1e30], &[4]);
        for (x, expected) in [(0.0, 0.0), (1e-3, 5e-7), (-40.0, 40.0 - std::f64::consts::LN_2), (1e30f32, 1e30)] {
            let (value, _) = with_slope(x);
            assert!((value - expected).abs() <= 1e-6 * expected, "{x}: {value} {expected}");
        }
        let mut gradients = Gradients::default();
        log_cosh(&x).backward(&mut gradients);
        let slope = gradients.get(&x).unwrap().data();
        assert_eq!((slope[0], slope[2], slope[3]), (0.0, -1.0, 1.0));
        assert!((slope[1] - 1e-3).abs() < 1e-9);
    }
}
