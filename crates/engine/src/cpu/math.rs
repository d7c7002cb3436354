//! Vector exponential, error function, GELU and tanh, accurate to a few units in the last place of f32.

use super::simd::Simd;

/// `e^x`; below −87.3 the result is the smallest normal number's neighbourhood, above 88.3 it saturates.
///
/// # Safety
/// The processor has the instruction set `S`.
#[inline(always)]
pub(crate) unsafe fn exp<S: Simd>(x: S::V) -> S::V {
    // SAFETY: register arithmetic only.
    unsafe {
        let x = S::min(S::max(x, S::splat(-87.3)), S::splat(88.3));
        let n = S::round(S::mul(x, S::splat(std::f32::consts::LOG2_E)));
        // ln 2 in two parts (Cody and Waite), so that the reduction loses no bits.
        let r = S::fma(n, S::splat(-0.693_359_4), x);
        let r = S::fma(n, S::splat(2.121_944_4e-4), r);
        let mut p = S::splat(1.987_569_1e-4);
        for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
            p = S::fma(p, r, S::splat(c));
        }
        let y = S::add(S::fma(p, S::mul(r, r), r), S::splat(1.0));
        S::mul(y, S::exp2i(n))
    }
}

/// `2^x` within 3 millionths of it; below −126 the result is the smallest normal number's neighbourhood. `x` is at most 127.
///
/// # Safety
/// The processor has the instruction set `S`.
#[inline(always)]
pub(crate) unsafe fn exp2_near<S: Simd>(x: S::V) -> S::V {
    // SAFETY: register arithmetic only.
    unsafe {
        let x = S::max(x, S::splat(-126.0));
        let n = S::round(x);
        let r = S::sub(x, n);
        let mut p = S::splat(9.566_517e-3);
        for c in [5.591_735_6e-2, 0.240_248_43, 0.693_121_97, 0.999_999_2] {
            p = S::fma(p, r, S::splat(c));
        }
        S::mul(p, S::exp2i(n))
    }
}

/// Lower-tail probability of the standard normal distribution and `e^{−x²/2}`.
///
/// `Φ(x) = (1 + erf(x/√2))/2` by Abramowitz and Stegun 7.1.26, absolute error below 1.5e-7.
///
/// # Safety
/// The processor has the instruction set `S`.
#[inline(always)]
unsafe fn normal<S: Simd>(x: S::V) -> (S::V, S::V) {
    // SAFETY: register arithmetic only.
    unsafe {
        let zero = S::splat(0.0);
        let z = S::mul(x, S::splat(std::f32::consts::FRAC_1_SQRT_2));
        let magnitude = S::max(z, S::sub(zero, z));
        let t = S::div(S::splat(1.0), S::fma(magnitude, S::splat(0.327_591_1), S::splat(1.0)));
        let mut p = S::splat(1.061_405_4);
        for c in [-1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6] {
            p = S::fma(p, t, S::splat(c));
        }
        let bell = exp::<S>(S::sub(zero, S::mul(z, z)));
        // Upper tail of |x|, reflected for positive x: keeps relative accuracy in the lower tail.
        let tail = S::mul(S::mul(S::mul(p, t), bell), S::splat(0.5));
        let positive = S::sub(S::splat(1.0), tail);
        // step = 1 where x ≥ 0, else 0, without a compare instruction.
        let huge = S::mul(x, S::splat(f32::MAX));
        let step = S::min(S::max(S::add(huge, S::splat(1.0)), zero), S::splat(1.0));
        (S::fma(step, S::sub(positive, tail), tail), bell)
    }
}

/// `x·Φ(x)`.
///
/// # Safety
/// The processor has the instruction set `S`.
#[inline(always)]
pub(crate) unsafe fn gelu<S: Simd>(x: S::V) -> S::V {
    // SAFETY: register arithmetic only.
    unsafe { S::mul(x, normal::<S>(x).0) }
}

/// `x·Φ(x)` within 6e-6, without division or exponential: for what is rounded to fewer bits anyway.
///
/// `Φ(x) − ½ = x·p(x²)` by the polynomial that is least wrong between ±4.8; beyond, and where it overshoots, ±½.
///
/// # Safety
/// The processor has the instruction set `S`.
#[inline(always)]
pub(crate) unsafe fn gelu_near<S: Simd>(x: S::V) -> S::V {
    // SAFETY: register arithmetic only.
    unsafe {
        let half = S::splat(0.5);
        let z = S::min(S::max(x, S::splat(-4.8)), S::splat(4.8));
        // From −1 to 1, where the powers stay small.
        let u = S::fma(S::mul(z, z), S::splat(2.0 / (4.8 * 4.8)), S::splat(-1.0));
        let mut p = S::splat(0.001_507_877);
        for c in [
            -0.004_277_634,
            0.005_305_667,
            -0.007_311_439,
            0.013_893_76,
            -0.022_254_45,
            0.030_721_18,
            -0.040_554_07,
            0.052_903_27,
            -0.072_980_29,
            0.147_212_8,
        ] {
            p = S::fma(p, u, S::splat(c));
        }
        let above = S::min(S::max(S::mul(z, p), S::splat(-0.5)), half);
        S::fma(x, above, S::mul(x, half))
    }
}

/// `x·Φ(x)` and its derivative `Φ(x) + x·φ(x)`.
///
/// # Safety
/// The processor has the instruction set `S`.
#[inline(always)]
pub(crate) unsafe fn gelu_with_slope<S: Simd>(x: S::V) -> (S::V, S::V) {
    // SAFETY: register arithmetic only.
    unsafe {
        let (cumulative, bell) = normal::<S>(x);
        let density = S::mul(bell, S::splat(0.398_942_3));
        (S::mul(x, cumulative), S::fma(x, density, cumulative))
    }
}

/// Hyperbolic tangent.
///
/// # Safety
/// The processor has the instruction set `S`.
#[inline(always)]
pub(crate) unsafe fn tanh<S: Simd>(x: S::V) -> S::V {
    // SAFETY: register arithmetic only.
    unsafe {
        let x = S::min(S::max(x, S::splat(-15.0)), S::splat(15.0));
        // Near zero (e^2x − 1)/(e^2x + 1) cancels: there the odd series is exact to f32.
        let e = exp::<S>(S::add(x, x));
        let one = S::splat(1.0);
        let ratio = S::div(S::sub(e, one), S::add(e, one));
        let x2 = S::mul(x, x);
        let mut p = S::splat(-17.0 / 315.0);
        for c in [2.0 / 15.0, -1.0 / 3.0, 1.0] {
            p = S::fma(p, x2, S::splat(c));
        }
        let series = S::mul(p, x);
        // weight = 1 where |x| < 0.1: clamp of a steep line between 0.1 and its neighbour.
        let steep = S::mul(S::sub(S::splat(0.01), x2), S::splat(1e30));
        let near = S::min(S::max(steep, S::splat(0.0)), one);
        S::fma(near, S::sub(series, ratio), ratio)
    }
}

/// `x·(1 + tanh(u))/2` with `u = √(2/π)(x + 0.044715 x³)`, and its derivative.
///
/// # Safety
/// The processor has the instruction set `S`.
#[inline(always)]
pub(crate) unsafe fn gelu_tanh_with_slope<S: Simd>(x: S::V) -> (S::V, S::V) {
    // SAFETY: register arithmetic only.
    unsafe {
        let (half, one) = (S::splat(0.5), S::splat(1.0));
        let x2 = S::mul(x, x);
        let u = S::mul(S::mul(x, S::splat(0.797_884_6)), S::fma(x2, S::splat(0.044_715), one));
        let t = tanh::<S>(u);
        let share = S::fma(t, half, half);
        let du = S::mul(S::splat(0.797_884_6), S::fma(x2, S::splat(3.0 * 0.044_715), one));
        let dt = S::mul(S::sub(one, S::mul(t, t)), du);
        (S::mul(x, share), S::fma(S::mul(half, x), dt, share))
    }
}
