//! Rows of f32 as bytes, in the groups of four that [`super::dot`] multiplies, and their products back as f32.
//!
//! A channel of a weight is `w ≈ scale·q` with `q` in [−127, 127]; a row of activations is `x ≈ scale·(u − zero)` with `u` in [0, 255] and the
//! range that the row itself has. Then `Σ x·w ≈ scale·scale′·(Σ u·q − zero·Σ q)`, where the bracket is an exact integer: all
//! instruction sets give the same bits.

use super::kernels;

/// Numbers that a byte tells apart, less one.
const STEPS: f32 = 255.0;
/// Ranges below this are taken for 0: their steps would be subnormal.
const LEAST_RANGE: f32 = 1e-30;
/// Added to a number between −2^22 and 2^22 it leaves that number, rounded, in the lowest bits.
const SIGNED: f32 = 12_582_912.0;

/// What turns integers back: `value = scale·(u − zero)`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Range {
    /// NaN where a value of the row is not finite.
    pub scale: f32,
    pub zero: i32,
}

/// Writes a channel's weights as signed bytes, with zeros behind them up to a whole group; returns their scale and sum.
pub(crate) fn quantize_channel(weights: impl Iterator<Item = f32> + Clone, to: &mut [i8]) -> (f32, i32) {
    let largest = weights.clone().fold(0f32, |a, x| a.max(x.abs()));
    let finite = weights.clone().all(f32::is_finite);
    let inverse = if largest > LEAST_RANGE { 127.0 / largest } else { 0.0 };
    to.fill(0);
    let mut sum = 0;
    for (q, w) in to.iter_mut().zip(weights) {
        *q = (w * inverse + SIGNED).to_bits() as i8;
        sum += i32::from(*q);
    }
    (if finite { largest / 127.0 } else { f32::NAN }, sum)
}

kernels! {
    /// Writes `k` values as bytes, with zeros behind them up to a whole group.
    fn quantize_row<S>(k: usize, from: *const f32, to: *mut f32) -> Range {
        let zero = S::splat(0.0);
        let (mut low, mut high, mut bad) = (zero, zero, zero);
        let mut i = 0;
        while i < k {
            let x = S::load_part(from.add(i), S::LANES.min(k - i));
            (low, high) = (S::min(x, low), S::max(x, high));
            bad = S::fma(x, zero, bad);
            i += S::LANES;
        }
        let low = -S::max_lane(S::sub(zero, low));
        let range = S::max_lane(high) - low;
        let inverse = if range > LEAST_RANGE { STEPS / range } else { 0.0 };
        let offset = (-low * inverse).round_ties_even();
        // A whole number of at most 255, in the lowest bits.
        let factor = S::splat(inverse);
        let (shift, least, most) = (S::splat(SIGNED + offset), S::splat(SIGNED), S::splat(SIGNED + STEPS));
        let to = to.cast::<u8>();
        let mut i = 0;
        while i < k {
            let left = S::LANES.min(k - i);
            let u = S::add(S::mul(S::load_part(from.add(i), left), factor), shift);
            S::store_low_bytes(to.add(i), left, S::min(S::max(u, least), most));
            i += S::LANES;
        }
        for i in k..k.next_multiple_of(4) { *to.add(i) = 0; }
        Range { scale: range / STEPS + S::sum(bad), zero: offset as i32 }
    }

    /// Turns a row of `n` sums of products into f32, where they stand, given the scale and the sum of every channel.
    fn dequantize_row<S>(n: usize, row: *mut f32, range: Range, scales: *const f32, sums: *const i32) {
        for i in 0..n {
            let sum = (*row.add(i)).to_bits() as i32;
            let exact = sum.wrapping_sub(range.zero.wrapping_mul(*sums.add(i)));
            *row.add(i) = exact as f32 * (range.scale * *scales.add(i));
        }
    }
}
