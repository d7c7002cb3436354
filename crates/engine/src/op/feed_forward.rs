//! Two affine maps with an activation between them.

use std::ptr;

use super::linear::{finish, kept_panels, linear};
use crate::activation::Activation;
use crate::buffer::Buffer;
use crate::cpu::Isa;
use crate::cuda;
use crate::parallel::{self, Shared};
use crate::product::{FEW_ROWS, row_major};
use crate::tensor::Tensor;

/// A weight `[n, k]` and its bias `[n]`.
type Map<'a> = (&'a Tensor, Option<&'a Tensor>);

/// Rows that pass through both maps together: what is between them stays in the second-level cache.
const ROWS: usize = 64;

/// `outer(activation(inner(x)))`, the same bits as two [`linear`]s. Where no gradient is recorded, what is between them never goes to memory.
///
/// # Shapes
/// `x: [t, k]`, `inner: [m, k]`, `outer: [n, m]` → `[t, n]`.
///
/// # Panics
/// If the shapes do not fit.
pub fn feed_forward(x: &Tensor, inner: Map, activation: Activation, outer: Map) -> Tensor {
    let isa = Isa::current();
    let inputs: Vec<&Tensor> = [x, inner.0, outer.0].into_iter().chain(inner.1).chain(outer.1).collect();
    let (t, k) = x.matrix();
    let apart = cuda::of(&inputs).is_some() || Tensor::recording(&inputs) || t <= FEW_ROWS;
    let panels = || Some((kept_panels(isa, inner.0)?, kept_panels(isa, outer.0)?));
    let Some((first, second)) = (!apart).then(panels).flatten() else {
        return linear(&linear(x, inner.0, inner.1, activation), outer.0, outer.1, Activation::Identity);
    };
    let ((m, width), (n, depth)) = (inner.0.matrix(), outer.0.matrix());
    assert_eq!(
        (k, m),
        (width, depth),
        "feed_forward: input {:?}, maps {:?} and {:?}",
        x.shape(),
        (m, width),
        (n, depth)
    );
    let mut out = Buffer::scratch(t * n);
    let (data, to) = (x.data(), Shared::new(&mut out));
    let precisions = (inner.0.precision(), outer.0.precision());
    parallel::blocks(t, ROWS, |start, end| {
        let rows = end - start;
        let mut between = Buffer::scratch(rows * m);
        // SAFETY: blocks of rows are disjoint; the views cover them.
        unsafe {
            first.times_rows(rows, row_major(&data[start * k..], k), between.as_mut_ptr());
            finish(isa, precisions.0, m, &mut between, inner.1, ptr::null_mut(), activation);
            let out = std::slice::from_raw_parts_mut(to.at(start * n), rows * n);
            second.times_rows(rows, row_major(&between, m), out.as_mut_ptr());
            finish(isa, precisions.1, n, out, outer.1, ptr::null_mut(), Activation::Identity);
        }
    });
    Tensor::constant(out, &[t, n]).with_computed_in(precisions.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{gradients_match, random};
    use crate::precision::Precision;
    use crate::{no_grad, with_isa};

    #[test]
    fn gradients() {
        let inputs = [random(1, &[5, 7]), random(2, &[9, 7]), random(3, &[9]), random(4, &[6, 9]), random(5, &[6])];
        gradients_match(&inputs, |x| feed_forward(&x[0], (&x[1], Some(&x[2])), Activation::Gelu, (&x[3], Some(&x[4]))));
    }

    #[test]
    fn the_bits_are_those_of_two_maps_in_every_precision() {
        for (t, k, m, n) in [(0, 3, 4, 5), (64, 8, 12, 8), (65, 33, 100, 17), (200, 48, 190, 49), (130, 5, 0, 7)] {
            let x = random(1, &[t, k]).detach();
            for precision in Precision::ALL {
                let [mut inner, mut outer] = [random(2, &[m, k]), random(3, &[n, m])];
                inner.set_precision(precision);
                outer.set_precision(precision);
                let (bias, last) = (random(4, &[m]), random(5, &[n]));
                for isa in Isa::available() {
                    let (one, two) = with_isa(isa, || {
                        no_grad(|| {
                            let one = feed_forward(&x, (&inner, Some(&bias)), Activation::Gelu, (&outer, Some(&last)));
                            let between = linear(&x, &inner, Some(&bias), Activation::Gelu);
                            (one, linear(&between, &outer, Some(&last), Activation::Identity))
                        })
                    });
                    assert_eq!(one.data(), two.data(), "{isa} {precision} {t} x {k} x {m} x {n}");
                    assert_eq!((one.shape(), one.computed_in()), (two.shape(), two.computed_in()));
                }
            }
        }
    }
}
