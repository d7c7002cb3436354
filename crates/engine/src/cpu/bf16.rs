//! f32 rounded to bf16, in the pairs that [`super::dot`] multiplies: elements `2p` and `2p + 1` of `k`, the first in the lower half.

use super::gemm::View;
use super::{Isa, kernels};

/// The bf16 nearest to `x`, ties to even; NaN stays NaN.
#[inline(always)]
fn round(x: f32) -> u16 {
    let bits = x.to_bits();
    let nearest = (bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16) as u16;
    if x.is_nan() { (bits >> 16) as u16 | 0x40 } else { nearest }
}

/// Rounds `rows` rows of `k` elements, `stride` apart, to rows of ⌈k/2⌉ pairs; the odd one out is paired with 0.
///
/// # Safety
/// The pointers are valid for the stated extents and the machine has `isa`.
pub(crate) unsafe fn round_rows(isa: Isa, rows: usize, k: usize, from: *const f32, stride: usize, to: *mut f32) {
    // SAFETY: the contract; what is native was detected.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        if isa.has_native_bf16() {
            return native::round_rows(rows, k, from, stride, to);
        }
        each_row(isa, rows, k, from, stride, to);
    }
}

/// Rounds two rows of `n` elements to a row of their pairs; without a second row (null) all are paired with 0.
///
/// # Safety
/// As [`round_rows`].
unsafe fn round_row_pair(isa: Isa, n: usize, first: *const f32, second: *const f32, to: *mut f32) {
    // SAFETY: the contract; what is native was detected.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        if isa.has_native_bf16() && !second.is_null() {
            return native::round_row_pair(n, first, second, to.cast());
        }
        row_pair(isa, n, first, second, to.cast());
    }
}

/// Rounds a matrix of `k` rows and `n` columns, whose rows or columns are contiguous, to pairs of rows; `[⌈k/2⌉, n]` through the returned view.
///
/// # Safety
/// `from` addresses k × n elements, `to` holds ⌈k/2⌉ × n, and the machine has `isa`.
pub(crate) unsafe fn round_matrix(isa: Isa, (k, n): (usize, usize), from: View, to: *mut f32) -> View {
    let pairs = k.div_ceil(2);
    // SAFETY: the contract.
    unsafe {
        if from.row == 1 {
            round_rows(isa, n, k, from.ptr, from.col, to);
            return View { ptr: to, row: 1, col: pairs };
        }
        assert_eq!(from.col, 1, "rows or columns of a rounded matrix are contiguous");
        for p in 0..pairs {
            let first = from.ptr.add(2 * p * from.row);
            let second = if 2 * p + 1 < k { first.add(from.row) } else { std::ptr::null() };
            round_row_pair(isa, n, first, second, to.add(p * n));
        }
    }
    View { ptr: to, row: n, col: 1 }
}

/// Rounds one row, from element `i` on, and writes a 0 behind it if it is odd in length.
///
/// # Safety
/// As [`round_rows`].
#[inline(always)]
unsafe fn finish_row(i: usize, k: usize, from: *const f32, to: *mut u16) {
    // SAFETY: the contract.
    unsafe {
        for i in i..k {
            *to.add(i) = round(*from.add(i));
        }
        if k % 2 == 1 {
            *to.add(k) = 0;
        }
    }
}

/// # Safety
/// As [`round_row_pair`].
#[inline(always)]
unsafe fn finish_pair(i: usize, n: usize, first: *const f32, second: *const f32, to: *mut u32) {
    // SAFETY: the contract.
    unsafe {
        for i in i..n {
            let upper = if second.is_null() { 0 } else { u32::from(round(*second.add(i))) };
            *to.add(i) = u32::from(round(*first.add(i))) | upper << 16;
        }
    }
}

kernels! {
    fn each_row<S>(rows: usize, k: usize, from: *const f32, stride: usize, to: *mut f32) {
        for row in 0..rows {
            finish_row(0, k, from.add(row * stride), to.add(row * k.div_ceil(2)).cast());
        }
    }

    fn row_pair<S>(n: usize, first: *const f32, second: *const f32, to: *mut u32) {
        finish_pair(0, n, first, second, to);
    }
}

/// By the processor's own instructions (AVX512_BF16), which take subnormal numbers for 0.
#[cfg(target_arch = "x86_64")]
mod native {
    use std::arch::x86_64::*;

    use super::{finish_pair, finish_row};

    /// # Safety
    /// As [`super::round_rows`]; the processor has AVX512_BF16.
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(super) unsafe fn round_rows(rows: usize, k: usize, from: *const f32, stride: usize, to: *mut f32) {
        for row in 0..rows {
            // SAFETY: the function's contract.
            unsafe {
                let (from, to) = (from.add(row * stride), to.add(row * k.div_ceil(2)).cast::<u16>());
                let mut i = 0;
                while i + 32 <= k {
                    let pairs = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(from.add(i + 16)), _mm512_loadu_ps(from.add(i)));
                    to.add(i).cast::<__m512bh>().write_unaligned(pairs);
                    i += 32;
                }
                finish_row(i, k, from, to);
            }
        }
    }

    /// # Safety
    /// As [`super::round_row_pair`], with two rows; the processor has AVX512_BF16.
    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(super) unsafe fn round_row_pair(n: usize, first: *const f32, second: *const f32, to: *mut u32) {
        // SAFETY: the function's contract; registers of one size are cast.
        unsafe {
            let rounded = |p: *const f32| {
                let narrow = _mm512_cvtneps_pbh(_mm512_loadu_ps(p));
                _mm512_cvtepu16_epi32(std::mem::transmute::<__m256bh, __m256i>(narrow))
            };
            let mut i = 0;
            while i + 16 <= n {
                let pairs = _mm512_or_si512(rounded(first.add(i)), _mm512_slli_epi32::<16>(rounded(second.add(i))));
                _mm512_storeu_si512(to.add(i).cast(), pairs);
                i += 16;
            }
            finish_pair(i, n, first, second, to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Key;

    /// Rounding by comparing the distances to both neighbours.
    fn nearest(x: f32) -> u16 {
        let below = (x.to_bits() >> 16) as u16;
        let value = |bits: u16| f64::from(f32::from_bits(u32::from(bits) << 16));
        // Beyond the largest number the next one is as far as if there were one.
        let step =
            if below & 0x7fff == 0x7f7f { value(below) - value(below - 1) } else { value(below + 1) - value(below) };
        let (down, up) = ((f64::from(x) - value(below)).abs(), (value(below) + step - f64::from(x)).abs());
        below + u16::from(up < down || up == down && below % 2 == 1)
    }

    #[test]
    fn rounding_is_to_nearest_and_ties_go_to_even() {
        let random = (0..20_000).map(|i| Key::new(1).normal(i) * 10f32.powi((i % 60) as i32 - 30));
        let ties = (0..2000u32).map(|i| f32::from_bits(0x3f80_8000 + (i << 16)));
        for x in random.chain(ties).chain([f32::MAX, -f32::MAX, 1.0, -1.5]) {
            if x.abs() > f32::MIN_POSITIVE {
                assert_eq!(round(x), nearest(x), "{x:e}");
            }
        }
        assert_eq!([0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY].map(round), [0, 0x8000, 0x7f80, 0xff80]);
        for bits in [0x7f80_0001u32, 0x7fff_ffff, 0xff80_ffff, 0xffff_ffff] {
            assert!(f32::from_bits(u32::from(round(f32::from_bits(bits))) << 16).is_nan(), "{bits:x}");
        }
    }

    #[test]
    fn pairs_of_rows_are_rounded_the_same_on_every_instruction_set() {
        for (k, n) in [(0usize, 5usize), (3, 0), (1, 2), (2, 31), (5, 33), (4, 67)] {
            let from: Vec<f32> = (0..(k * n) as u64).map(|i| Key::new(3).normal(i)).collect();
            let element = |p: usize, j: usize| if p < k { u32::from(round(from[p * n + j])) } else { 0 };
            let wanted: Vec<u32> = (0..k.div_ceil(2))
                .flat_map(|p| (0..n).map(move |j| (p, j)))
                .map(|(p, j)| element(2 * p, j) | element(2 * p + 1, j) << 16)
                .collect();
            for isa in Isa::available() {
                let mut to = vec![7f32; k.div_ceil(2) * n];
                // SAFETY: the extents are those of the vectors.
                unsafe { round_matrix(isa, (k, n), View { ptr: from.as_ptr(), row: n, col: 1 }, to.as_mut_ptr()) };
                assert_eq!(to.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), wanted, "{isa} {k} x {n}");
            }
        }
    }

    #[test]
    fn every_instruction_set_rounds_the_same_and_pads_with_zero() {
        let odd = [f32::NAN, f32::INFINITY, f32::MAX, -0.0, 1.003_906_3, 1.011_718_8];
        for (rows, k) in [(0usize, 5usize), (3, 0), (1, 1), (2, 31), (3, 32), (2, 67), (1, 400)] {
            let mut from: Vec<f32> = (0..(rows * (k + 3)) as u64).map(|i| Key::new(2).normal(i)).collect();
            from.iter_mut().step_by(7).zip(odd.iter().cycle()).for_each(|(x, odd)| *x = *odd);
            let bits = |isa| {
                let mut to = vec![7f32; rows * k.div_ceil(2)];
                // SAFETY: the extents are those of the vectors.
                unsafe { round_rows(isa, rows, k, from.as_ptr(), k + 3, to.as_mut_ptr()) };
                to.iter().map(|x| x.to_bits()).collect::<Vec<_>>()
            };
            let expected = bits(Isa::Portable);
            for row in 0..rows {
                let pair =
                    |p: usize| [2 * p, 2 * p + 1].map(|i| if i < k { round(from[row * (k + 3) + i]) } else { 0 });
                let wanted: Vec<u32> =
                    (0..k.div_ceil(2)).map(pair).map(|[a, b]| u32::from(a) | u32::from(b) << 16).collect();
                assert_eq!(expected[row * wanted.len()..(row + 1) * wanted.len()], wanted);
            }
            for isa in Isa::available() {
                assert_eq!(bits(isa), expected, "{isa} {rows} x {k}");
            }
        }
    }
}
