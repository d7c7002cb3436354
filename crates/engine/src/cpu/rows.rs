//! Kernels over rows: normalisation, activations, softmax, sums and the optimiser's update.

use super::kernels;
use super::math;
use super::simd::Simd;
use crate::activation::Activation;

/// Runs `body` for every vector of a row of `n`: `full` on whole vectors, `part` on the rest.
macro_rules! each {
    ($S:ident, $n:expr, |$i:ident, $left:ident| $part:expr, $full:expr) => {{
        let mut $i = 0usize;
        while $i + $S::LANES <= $n {
            $full;
            $i += $S::LANES;
        }
        if $i < $n {
            let $left = $n - $i;
            $part;
        }
    }};
}

/// An activation as the inner loop of [`finish`] sees it: a closure would not be compiled for its instruction set.
trait Function<S: Simd> {
    /// # Safety
    /// The processor has the instruction set `S`.
    unsafe fn of(x: S::V) -> S::V;
}

macro_rules! functions {
    ($($name:ident: |$S:ident, $x:ident| $value:expr;)*) => {$(
        struct $name;

        impl<$S: Simd> Function<$S> for $name {
            #[inline(always)]
            unsafe fn of($x: $S::V) -> $S::V {
                #[allow(unused_unsafe)]
                // SAFETY: the contract.
                unsafe { $value }
            }
        }
    )*};
}

functions! {
    Identity: |S, x| x;
    Gelu: |S, x| math::gelu::<S>(x);
    GeluNear: |S, x| math::gelu_near::<S>(x);
    GeluTanh: |S, x| math::gelu_tanh_with_slope::<S>(x).0;
    Tanh: |S, x| math::tanh::<S>(x);
    Relu: |S, x| S::max(x, S::splat(0.0));
}

/// `y = F(y + bias)` for `rows` rows of `n`, and `y + bias` to `kept`.
///
/// # Safety
/// As [`finish`].
#[inline(always)]
unsafe fn finish_by<S: Simd, F: Function<S>>(rows: usize, n: usize, y: *mut f32, bias: *const f32, kept: *mut f32) {
    // SAFETY: the contract.
    unsafe {
        let keeps = !kept.is_null();
        for r in 0..rows {
            let (y, kept) = (y.add(r * n), kept.wrapping_add(r * n));
            each!(
                S,
                n,
                |i, left| {
                    let mut v = S::load_part(y.add(i), left);
                    if !bias.is_null() {
                        v = S::add(v, S::load_part(bias.add(i), left));
                    }
                    if keeps {
                        S::store_part(kept.add(i), left, v);
                    }
                    S::store_part(y.add(i), left, F::of(v));
                },
                {
                    let mut v = S::load(y.add(i));
                    if !bias.is_null() {
                        v = S::add(v, S::load(bias.add(i)));
                    }
                    if keeps {
                        S::store(kept.add(i), v);
                    }
                    S::store(y.add(i), F::of(v));
                }
            );
        }
    }
}

/// Turns a row of `n` into `exp(scale·x − top)`, `top` being the largest `scale·x`; returns the logarithm of the sum of all `exp(scale·x)` and
/// the inverse of the sum of the row.
///
/// # Safety
/// The row is valid and the processor has the instruction set `S`.
#[inline(always)]
unsafe fn exponentiate<S: Simd, const NEAR: bool>(n: usize, x: *mut f32, scale: f32) -> (f32, f32) {
    // SAFETY: the contract.
    unsafe {
        let factor = S::splat(scale);
        let mut top = S::splat(f32::NEG_INFINITY);
        let mut top_rest = f32::NEG_INFINITY;
        each!(
            S,
            n,
            |i, left| for j in 0..left {
                top_rest = top_rest.max(*x.add(i + j) * scale);
            },
            top = S::max(top, S::mul(S::load(x.add(i)), factor))
        );
        let highest = S::max_lane(top).max(top_rest);
        let base = if NEAR { std::f32::consts::LOG2_E } else { 1.0 };
        let (factor, shift) = (S::splat(scale * base), S::splat(-highest * base));
        let (mut total, mut total_rest) = (S::splat(0.0), 0f32);
        each!(
            S,
            n,
            |i, left| {
                let power = S::fma(S::load_part(x.add(i), left), factor, shift);
                S::store_part(x.add(i), left, if NEAR { math::exp2_near::<S>(power) } else { math::exp::<S>(power) });
                for j in 0..left {
                    total_rest += *x.add(i + j);
                }
            },
            {
                let power = S::fma(S::load(x.add(i)), factor, shift);
                let e = if NEAR { math::exp2_near::<S>(power) } else { math::exp::<S>(power) };
                total = S::add(total, e);
                S::store(x.add(i), e);
            }
        );
        let sum = S::sum(total) + total_rest;
        (highest + sum.ln(), 1.0 / sum)
    }
}

kernels! {
    /// `y[i] += x[i]`, n elements.
    fn add_assign<S>(n: usize, y: *mut f32, x: *const f32) {
        each!(S, n, |i, left| S::store_part(y.add(i), left, S::add(S::load_part(y.add(i), left), S::load_part(x.add(i), left))),
            S::store(y.add(i), S::add(S::load(y.add(i)), S::load(x.add(i)))));
    }

    /// `y[i] += a·x[i]`, n elements.
    fn axpy<S>(n: usize, y: *mut f32, a: f32, x: *const f32) {
        let a = S::splat(a);
        each!(S, n, |i, left| S::store_part(y.add(i), left, S::fma(a, S::load_part(x.add(i), left), S::load_part(y.add(i), left))),
            S::store(y.add(i), S::fma(a, S::load(x.add(i)), S::load(y.add(i)))));
    }

    /// `y[i] *= a`, n elements.
    fn scale<S>(n: usize, y: *mut f32, a: f32) {
        let a = S::splat(a);
        each!(S, n, |i, left| S::store_part(y.add(i), left, S::mul(a, S::load_part(y.add(i), left))),
            S::store(y.add(i), S::mul(a, S::load(y.add(i)))));
    }

    /// `Σ x[i]·y[i]`, n elements.
    fn dot<S>(n: usize, x: *const f32, y: *const f32) -> f32 {
        let (mut s, mut t) = (S::splat(0.0), S::splat(0.0));
        let mut i = 0;
        while i + 2 * S::LANES <= n {
            s = S::fma(S::load(x.add(i)), S::load(y.add(i)), s);
            t = S::fma(S::load(x.add(i + S::LANES)), S::load(y.add(i + S::LANES)), t);
            i += 2 * S::LANES;
        }
        while i < n {
            let left = S::LANES.min(n - i);
            s = S::fma(S::load_part(x.add(i), left), S::load_part(y.add(i), left), s);
            i += left;
        }
        S::sum(S::add(s, t))
    }

    /// `y = activation(y + bias)` for `rows` rows of `n`, and `y + bias` to as many at `kept`; `bias` and `kept` may be null. With `near` the
    /// exact GELU is [`math::gelu_near`].
    fn finish<S>(rows: usize, n: usize, y: *mut f32, bias: *const f32, kept: *mut f32, activation: Activation, near: bool) {
        match activation {
            Activation::Identity if bias.is_null() && kept.is_null() => {}
            Activation::Identity => finish_by::<S, Identity>(rows, n, y, bias, kept),
            Activation::Gelu if near => finish_by::<S, GeluNear>(rows, n, y, bias, kept),
            Activation::Gelu => finish_by::<S, Gelu>(rows, n, y, bias, kept),
            Activation::GeluTanh => finish_by::<S, GeluTanh>(rows, n, y, bias, kept),
            Activation::Tanh => finish_by::<S, Tanh>(rows, n, y, bias, kept),
            Activation::Relu => finish_by::<S, Relu>(rows, n, y, bias, kept),
        }
    }

    /// `sum[i] += Σ_rows x[r, i]` for the columns at `x`, `n` of a row of `stride`, four vectors side by side.
    fn column_sums<S>(rows: usize, n: usize, stride: usize, x: *const f32, sum: *mut f32) {
        let mut first = 0;
        while first < n {
            let width = |v: usize| (n - first).saturating_sub(v * S::LANES).min(S::LANES);
            let widths: [usize; 4] = std::array::from_fn(width);
            let mut sums: [S::V; 4] = std::array::from_fn(|v| S::load_part(sum.wrapping_add(first + v * S::LANES), widths[v]));
            if widths[3] == S::LANES {
                for r in 0..rows {
                    let row = x.add(r * stride + first);
                    for (v, s) in sums.iter_mut().enumerate() { *s = S::add(*s, S::load(row.add(v * S::LANES))); }
                }
            } else {
                for r in 0..rows {
                    let row = x.add(r * stride + first);
                    for (v, s) in sums.iter_mut().enumerate() { *s = S::add(*s, S::load_part(row.wrapping_add(v * S::LANES), widths[v])); }
                }
            }
            for (v, s) in sums.iter().enumerate() { S::store_part(sum.wrapping_add(first + v * S::LANES), widths[v], *s); }
            first += 4 * S::LANES;
        }
    }

    /// `dx[i] = dy[i]·gelu′(x[i])`, n elements.
    fn gelu_backward<S>(n: usize, x: *const f32, dy: *const f32, dx: *mut f32) {
        each!(S, n, |i, left| S::store_part(dx.add(i), left, S::mul(S::load_part(dy.add(i), left), math::gelu_with_slope::<S>(S::load_part(x.add(i), left)).1)),
            S::store(dx.add(i), S::mul(S::load(dy.add(i)), math::gelu_with_slope::<S>(S::load(x.add(i))).1)));
    }

    /// `dx[i] = dy[i]·(1 − tanh²(x[i]))`, n elements.
    fn tanh_backward<S>(n: usize, x: *const f32, dy: *const f32, dx: *mut f32) {
        let one = S::splat(1.0);
        each!(S, n, |i, left| {
            let t = math::tanh::<S>(S::load_part(x.add(i), left));
            S::store_part(dx.add(i), left, S::mul(S::load_part(dy.add(i), left), S::sub(one, S::mul(t, t))));
        }, {
            let t = math::tanh::<S>(S::load(x.add(i)));
            S::store(dx.add(i), S::mul(S::load(dy.add(i)), S::sub(one, S::mul(t, t))));
        });
    }

    /// `dx[i] = dy[i]·gelu_tanh′(x[i])`, n elements.
    fn gelu_tanh_backward<S>(n: usize, x: *const f32, dy: *const f32, dx: *mut f32) {
        each!(S, n, |i, left| S::store_part(dx.add(i), left, S::mul(S::load_part(dy.add(i), left), math::gelu_tanh_with_slope::<S>(S::load_part(x.add(i), left)).1)),
            S::store(dx.add(i), S::mul(S::load(dy.add(i)), math::gelu_tanh_with_slope::<S>(S::load(x.add(i))).1)));
    }

    /// One row of GeGLU: `y[i] = gelu(x[i])·x[n + i]`, the GELU by its tanh approximation if `tanh`.
    fn geglu<S>(n: usize, tanh: bool, x: *const f32, y: *mut f32) {
        if tanh {
            each!(S, n, |i, left| S::store_part(y.add(i), left, S::mul(math::gelu_tanh_with_slope::<S>(S::load_part(x.add(i), left)).0, S::load_part(x.add(n + i), left))),
                S::store(y.add(i), S::mul(math::gelu_tanh_with_slope::<S>(S::load(x.add(i))).0, S::load(x.add(n + i)))));
        } else {
            each!(S, n, |i, left| S::store_part(y.add(i), left, S::mul(math::gelu::<S>(S::load_part(x.add(i), left)), S::load_part(x.add(n + i), left))),
                S::store(y.add(i), S::mul(math::gelu::<S>(S::load(x.add(i))), S::load(x.add(n + i)))));
        }
    }

    /// Gradient of [`geglu`] of one row with respect to both halves of `x`.
    fn geglu_backward<S>(n: usize, tanh: bool, x: *const f32, dy: *const f32, dx: *mut f32) {
        let mut i = 0;
        while i < n {
            let left = S::LANES.min(n - i);
            let gate = S::load_part(x.add(i), left);
            let (g, slope) = if tanh { math::gelu_tanh_with_slope::<S>(gate) } else { math::gelu_with_slope::<S>(gate) };
            let d = S::load_part(dy.add(i), left);
            S::store_part(dx.add(i), left, S::mul(S::mul(d, S::load_part(x.add(n + i), left)), slope));
            S::store_part(dx.add(n + i), left, S::mul(d, g));
            i += left;
        }
    }

    /// `y = x·r·gamma` of one row with `r = 1/√(mean(x²) + eps)`, which is returned.
    fn rms_norm<S>(n: usize, x: *const f32, gamma: *const f32, eps: f32, y: *mut f32) -> f32 {
        let mut squares = S::splat(0.0);
        each!(S, n, |i, left| { let v = S::load_part(x.add(i), left); squares = S::fma(v, v, squares); },
            { let v = S::load(x.add(i)); squares = S::fma(v, v, squares); });
        let inverse = 1.0 / (S::sum(squares) / n as f32 + eps).sqrt();
        let r = S::splat(inverse);
        each!(S, n, |i, left| S::store_part(y.add(i), left, S::mul(S::mul(S::load_part(x.add(i), left), r), S::load_part(gamma.add(i), left))),
            S::store(y.add(i), S::mul(S::mul(S::load(x.add(i)), r), S::load(gamma.add(i)))));
        inverse
    }

    /// Backward of [`rms_norm`] for one row: writes `dx`, adds to `dgamma`.
    fn rms_norm_backward<S>(n: usize, x: *const f32, gamma: *const f32, inverse: f32, dy: *const f32, dx: *mut f32, dgamma: *mut f32) {
        let r = S::splat(inverse);
        let mut inner = S::splat(0.0);
        each!(S, n, |i, left| {
            let (h, d) = (S::mul(S::load_part(x.add(i), left), r), S::load_part(dy.add(i), left));
            inner = S::fma(S::mul(d, S::load_part(gamma.add(i), left)), h, inner);
            S::store_part(dgamma.add(i), left, S::fma(d, h, S::load_part(dgamma.add(i), left)));
        }, {
            let (h, d) = (S::mul(S::load(x.add(i)), r), S::load(dy.add(i)));
            inner = S::fma(S::mul(d, S::load(gamma.add(i))), h, inner);
            S::store(dgamma.add(i), S::fma(d, h, S::load(dgamma.add(i))));
        });
        let b = S::splat(-S::sum(inner) / n as f32);
        each!(S, n, |i, left| {
            let g = S::mul(S::load_part(dy.add(i), left), S::load_part(gamma.add(i), left));
            S::store_part(dx.add(i), left, S::mul(r, S::fma(S::mul(S::load_part(x.add(i), left), r), b, g)));
        }, {
            let g = S::mul(S::load(dy.add(i)), S::load(gamma.add(i)));
            S::store(dx.add(i), S::mul(r, S::fma(S::mul(S::load(x.add(i)), r), b, g)));
        });
    }

    /// Softmax of `scale·x` over one row of `n`, in place; returns the logarithm of the sum of exponentials.
    fn softmax<S>(n: usize, x: *mut f32, scale: f32) -> f32 {
        let (log_sum, inverse) = exponentiate::<S, false>(n, x, scale);
        let inverse = S::splat(inverse);
        each!(S, n, |i, left| S::store_part(x.add(i), left, S::mul(inverse, S::load_part(x.add(i), left))),
            S::store(x.add(i), S::mul(inverse, S::load(x.add(i)))));
        log_sum
    }

    /// As [`softmax`], but not divided by the sum of exponentials: returns its logarithm and what to multiply by. With `near`, exponentials
    /// are [`math::exp2_near`].
    fn softmax_numerators<S>(n: usize, x: *mut f32, scale: f32, near: bool) -> (f32, f32) {
        if near { exponentiate::<S, true>(n, x, scale) } else { exponentiate::<S, false>(n, x, scale) }
    }

    /// Logarithm of the sum of exponentials of a row of `n`, at least one.
    fn log_sum_exp<S>(n: usize, x: *const f32) -> f32 {
        let mut top = S::splat(f32::NEG_INFINITY);
        let mut highest = f32::NEG_INFINITY;
        each!(S, n, |i, left| for j in 0..left { highest = highest.max(*x.add(i + j)); }, top = S::max(top, S::load(x.add(i))));
        highest = highest.max(S::max_lane(top));
        let shift = S::splat(highest);
        let (mut total, mut rest) = (S::splat(0.0), 0f32);
        each!(S, n, |i, left| for j in 0..left { rest += (*x.add(i + j) - highest).exp(); },
            total = S::add(total, math::exp::<S>(S::sub(S::load(x.add(i)), shift))));
        highest + (S::sum(total) + rest).ln()
    }

    /// `x[i] = exp(scale·x[i] − log_sum)`: the probabilities of a row whose normaliser is known.
    fn softmax_replay<S>(n: usize, x: *mut f32, scale: f32, log_sum: f32) {
        let (factor, shift) = (S::splat(scale), S::splat(-log_sum));
        each!(S, n, |i, left| S::store_part(x.add(i), left, math::exp::<S>(S::fma(S::load_part(x.add(i), left), factor, shift))),
            S::store(x.add(i), math::exp::<S>(S::fma(S::load(x.add(i)), factor, shift))));
    }

    /// Softmax's backward for one row: `d[i] = scale·p[i]·(d[i] − Σ p·d)`.
    fn softmax_backward<S>(n: usize, p: *const f32, d: *mut f32, scale: f32, inner: f32) {
        let (factor, inner) = (S::splat(scale), S::splat(inner));
        each!(S, n, |i, left| S::store_part(d.add(i), left, S::mul(S::mul(factor, S::load_part(p.add(i), left)), S::sub(S::load_part(d.add(i), left), inner))),
            S::store(d.add(i), S::mul(S::mul(factor, S::load(p.add(i))), S::sub(S::load(d.add(i)), inner))));
    }

    /// Layer normalisation of one row: `y = (x − mean)·rstd·gamma (+ beta)`; `beta` may be null. Returns (mean, rstd).
    /// Unless `residual` is null, `x + residual` is normalised, and written to `sum`, which may be `y`.
    fn layer_norm<S>(
        n: usize, x: *const f32, residual: *const f32, sum: *mut f32, gamma: *const f32, beta: *const f32, eps: f32, y: *mut f32,
    ) -> (f32, f32) {
        let mut s = S::splat(0.0);
        if residual.is_null() {
            each!(S, n, |i, left| s = S::add(s, S::load_part(x.add(i), left)), s = S::add(s, S::load(x.add(i))));
        } else {
            each!(S, n, |i, left| {
                let v = S::add(S::load_part(x.add(i), left), S::load_part(residual.add(i), left));
                S::store_part(sum.add(i), left, v);
                s = S::add(s, v);
            }, {
                let v = S::add(S::load(x.add(i)), S::load(residual.add(i)));
                S::store(sum.add(i), v);
                s = S::add(s, v);
            });
        }
        let x = if residual.is_null() { x } else { sum.cast_const() };
        let mean = S::sum(s) / n as f32;
        let m = S::splat(mean);
        let (mut q, mut q_rest) = (S::splat(0.0), 0f32);
        each!(S, n, |i, left| for j in 0..left { q_rest += (*x.add(i + j) - mean) * (*x.add(i + j) - mean); }, {
            let d = S::sub(S::load(x.add(i)), m);
            q = S::fma(d, d, q);
        });
        let rstd = 1.0 / ((S::sum(q) + q_rest) / n as f32 + eps).sqrt();
        let k = S::splat(rstd);
        each!(S, n, |i, left| {
            let h = S::mul(S::sub(S::load_part(x.add(i), left), m), k);
            let b = if beta.is_null() { S::splat(0.0) } else { S::load_part(beta.add(i), left) };
            S::store_part(y.add(i), left, S::fma(h, S::load_part(gamma.add(i), left), b));
        }, {
            let h = S::mul(S::sub(S::load(x.add(i)), m), k);
            let b = if beta.is_null() { S::splat(0.0) } else { S::load(beta.add(i)) };
            S::store(y.add(i), S::fma(h, S::load(gamma.add(i)), b));
        });
        (mean, rstd)
    }

    /// Backward of [`layer_norm`] for one row: writes `dx`, adds to `dgamma` and (unless null) `dbeta`.
    fn layer_norm_backward<S>(
        n: usize, x: *const f32, gamma: *const f32, mean: f32, rstd: f32, dy: *const f32,
        dx: *mut f32, dgamma: *mut f32, dbeta: *mut f32,
    ) {
        let (m, k) = (S::splat(mean), S::splat(rstd));
        let (mut sum, mut inner) = (S::splat(0.0), S::splat(0.0));
        each!(S, n, |i, left| {
            // Beyond the row gamma and dy load as zero, so the padding adds nothing.
            let h = S::mul(S::sub(S::load_part(x.add(i), left), m), k);
            let d = S::load_part(dy.add(i), left);
            let g = S::mul(d, S::load_part(gamma.add(i), left));
            sum = S::add(sum, g);
            inner = S::fma(g, h, inner);
            S::store_part(dgamma.add(i), left, S::fma(d, h, S::load_part(dgamma.add(i), left)));
            if !dbeta.is_null() { S::store_part(dbeta.add(i), left, S::add(d, S::load_part(dbeta.add(i), left))); }
        }, {
            let h = S::mul(S::sub(S::load(x.add(i)), m), k);
            let d = S::load(dy.add(i));
            let g = S::mul(d, S::load(gamma.add(i)));
            sum = S::add(sum, g);
            inner = S::fma(g, h, inner);
            S::store(dgamma.add(i), S::fma(d, h, S::load(dgamma.add(i))));
            if !dbeta.is_null() { S::store(dbeta.add(i), S::add(d, S::load(dbeta.add(i)))); }
        });
        let a = S::splat(S::sum(sum) / n as f32);
        let b = S::splat(-S::sum(inner) / n as f32);
        each!(S, n, |i, left| {
            let h = S::mul(S::sub(S::load_part(x.add(i), left), m), k);
            let g = S::mul(S::load_part(dy.add(i), left), S::load_part(gamma.add(i), left));
            S::store_part(dx.add(i), left, S::mul(k, S::fma(h, b, S::sub(g, a))));
        }, {
            let h = S::mul(S::sub(S::load(x.add(i)), m), k);
            let g = S::mul(S::load(dy.add(i)), S::load(gamma.add(i)));
            S::store(dx.add(i), S::mul(k, S::fma(h, b, S::sub(g, a))));
        });
    }

    /// One AdamW update of `n` parameters `w` with moments `m`, `v` and gradient `g` times `clip`. `decay` = lr·weight decay,
    /// `c1`, `c2` are the bias corrections 1/(1 − βᵗ).
    fn adamw<S>(
        n: usize, w: *mut f32, m: *mut f32, v: *mut f32, g: *const f32,
        clip: f32, lr: f32, decay: f32, beta1: f32, beta2: f32, eps: f32, c1: f32, c2: f32,
    ) {
        let s = |x| S::splat(x);
        let (b1, b2, n1, n2) = (s(beta1), s(beta2), s(1.0 - beta1), s(1.0 - beta2));
        let (clip, lr, keep, eps, c1, c2) = (s(clip), s(lr), s(1.0 - decay), s(eps), s(c1), s(c2));
        let mut i = 0;
        while i < n {
            let left = S::LANES.min(n - i);
            let grad = S::mul(clip, S::load_part(g.add(i), left));
            let first = S::fma(b1, S::load_part(m.add(i), left), S::mul(n1, grad));
            let second = S::fma(b2, S::load_part(v.add(i), left), S::mul(n2, S::mul(grad, grad)));
            S::store_part(m.add(i), left, first);
            S::store_part(v.add(i), left, second);
            let step = S::div(S::mul(first, c1), S::add(S::sqrt(S::mul(second, c2)), eps));
            let x = S::mul(S::load_part(w.add(i), left), keep);
            S::store_part(w.add(i), left, S::sub(x, S::mul(lr, step)));
            i += left;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Isa;
    use crate::random::Key;

    /// `Φ(x)`, by Simpson's rule.
    fn cumulative(x: f64) -> f64 {
        let density = |x: f64| (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let (low, steps) = (-12.0, 4000);
        let h = (x.max(low) - low) / f64::from(steps);
        let weight = |i| if i == 0 || i == steps { 1.0 } else { 2.0 + f64::from(i % 2) * 2.0 };
        (0..=steps).map(|i| weight(i) * density(low + f64::from(i) * h)).sum::<f64>() * h / 3.0
    }

    #[test]
    fn activations_equal_their_definitions() {
        let x: Vec<f32> = (-199..=199).map(|i| i as f32 / 16.0).chain([-40.0, 40.0, 1e-3, -1e-5]).collect();
        let (rows, n) = (13, 31);
        assert_eq!(x.len(), rows * n);
        let gelu_tanh = |x: f64| 0.5 * x * (1.0 + (0.797_884_560_802_865 * (x + 0.044715 * x * x * x)).tanh());
        let bias: Vec<f32> = (0..n).map(|i| i as f32 / 64.0).collect();
        type Definition = fn(f64) -> f64;
        let cases: [(_, _, Definition, _); 6] = [
            (Activation::Identity, false, |x| x, 0.0),
            (Activation::Gelu, false, |x| x * cumulative(x), 1e-6),
            (Activation::Gelu, true, |x| x * cumulative(x), 6e-6),
            (Activation::GeluTanh, true, gelu_tanh, 2e-6),
            (Activation::Tanh, true, f64::tanh, 1e-6),
            (Activation::Relu, false, |x| x.max(0.0), 0.0),
        ];
        for isa in Isa::available() {
            for (activation, near, expected, tolerance) in cases {
                for (bias, keeps) in [(Some(&bias), true), (Some(&bias), false), (None, true), (None, false)] {
                    let (mut y, mut kept) = (x.clone(), vec![0f32; x.len()]);
                    let bias_at = bias.map_or(std::ptr::null(), |bias| bias.as_ptr());
                    let kept_at = if keeps { kept.as_mut_ptr() } else { std::ptr::null_mut() };
                    // SAFETY: the extents are those of the vectors.
                    unsafe { finish(isa, rows, n, y.as_mut_ptr(), bias_at, kept_at, activation, near) };
                    for (i, x) in x.iter().enumerate() {
                        let sum = x + bias.map_or(0.0, |bias| bias[i % n]);
                        assert_eq!(kept[i], if keeps { sum } else { 0.0 });
                        let error = (f64::from(y[i]) - expected(f64::from(sum))).abs();
                        assert!(
                            error <= tolerance * f64::from(sum.abs().max(1.0)),
                            "{isa} {activation:?} at {sum}: {error:e}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn softmax_near_the_exact_one() {
        for isa in Isa::available() {
            for n in [1usize, 7, 16, 129] {
                let mut x: Vec<f32> = (0..n as u64).map(|i| Key::new(n as u64).normal(i) * 9.0).collect();
                x[n / 2] = f32::NEG_INFINITY;
                x[0] = 1.0;
                let (mut exact, mut near) = (x.clone(), x);
                // SAFETY: the extents are those of the vectors.
                let (log_sum, (log_sum_near, inverse)) = unsafe {
                    (softmax(isa, n, exact.as_mut_ptr(), 0.7), softmax_numerators(isa, n, near.as_mut_ptr(), 0.7, true))
                };
                assert!((log_sum - log_sum_near).abs() < 1e-5, "{isa} {n}: {log_sum} {log_sum_near}");
                for (x, y) in exact.iter().zip(&near) {
                    assert!((x - y * inverse).abs() <= 1e-5 * x + 1e-30, "{isa} {n}: {x} {}", y * inverse);
                }
            }
        }
    }
}
