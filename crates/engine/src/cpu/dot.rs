//! The innermost step of a matrix product, by format: every lane holds 32 bits of `k`, which are one f32, two bf16 or
//! four bytes, and adds their products to its sum. Registers are passed as vectors of f32 whatever they hold.

#[cfg(target_arch = "x86_64")]
use super::simd::{Avx2, Avx512};
use super::simd::{Portable, Simd};

/// How a lane of `x` and one of `b` are multiplied and added up.
///
/// # Safety
/// Every method requires that the processor has the instructions of the implementation.
pub(crate) unsafe trait Dot<S: Simd> {
    /// `acc + x · b`, lane by lane.
    unsafe fn dot(x: S::V, b: S::V, acc: S::V) -> S::V;
    /// The sum of two accumulators.
    unsafe fn add(a: S::V, b: S::V) -> S::V;
}

/// One f32 a lane.
pub(crate) struct Single;

// SAFETY: the arithmetic of S alone.
unsafe impl<S: Simd> Dot<S> for Single {
    #[inline(always)]
    unsafe fn dot(x: S::V, b: S::V, acc: S::V) -> S::V {
        // SAFETY: the contract of S.
        unsafe { S::fma(x, b, acc) }
    }
    #[inline(always)]
    unsafe fn add(a: S::V, b: S::V) -> S::V {
        // SAFETY: the contract of S.
        unsafe { S::add(a, b) }
    }
}

/// Two bf16 a lane, widened to f32: the product of the second elements is added before that of the first, each in one rounding,
/// which is what the instruction of [`Native`] does. (It takes subnormal numbers for 0, and [`Portable`] rounds twice.)
pub(crate) struct Widened;

// SAFETY: the arithmetic of S alone.
unsafe impl<S: Simd> Dot<S> for Widened {
    #[inline(always)]
    unsafe fn dot(x: S::V, b: S::V, acc: S::V) -> S::V {
        // SAFETY: the contract of S.
        unsafe {
            let ((x0, x1), (b0, b1)) = (S::bf16_pair(x), S::bf16_pair(b));
            S::fma(x0, b0, S::fma(x1, b1, acc))
        }
    }
    #[inline(always)]
    unsafe fn add(a: S::V, b: S::V) -> S::V {
        // SAFETY: the contract of S.
        unsafe { S::add(a, b) }
    }
}

/// Two bf16 a lane, by the processor's own instruction (AVX512_BF16).
#[cfg(target_arch = "x86_64")]
pub(crate) struct Native;

#[cfg(target_arch = "x86_64")]
// SAFETY: used only in functions that enable AVX512_BF16, after it was detected.
unsafe impl Dot<Avx512> for Native {
    #[inline(always)]
    unsafe fn dot(x: V512, b: V512, acc: V512) -> V512 {
        use std::arch::x86_64::{__m512bh, _mm512_dpbf16_ps};
        // SAFETY: registers of one size; the instruction is there.
        unsafe {
            _mm512_dpbf16_ps(acc, std::mem::transmute::<V512, __m512bh>(x), std::mem::transmute::<V512, __m512bh>(b))
        }
    }
    #[inline(always)]
    unsafe fn add(a: V512, b: V512) -> V512 {
        // SAFETY: AVX-512F is part of what was detected.
        unsafe { Avx512::add(a, b) }
    }
}

#[cfg(target_arch = "x86_64")]
type V512 = <Avx512 as Simd>::V;
#[cfg(target_arch = "x86_64")]
type V256 = <Avx2 as Simd>::V;

/// Four bytes a lane, those of `x` without sign, those of `b` with it; sums are 32-bit integers and exact, so every implementation gives
/// the same. (They wrap beyond 65,536 elements.)
pub(crate) struct Bytes;

#[cfg(target_arch = "x86_64")]
// SAFETY: used only in functions that enable AVX512_VNNI, after it was detected.
unsafe impl Dot<Avx512> for Bytes {
    #[inline(always)]
    unsafe fn dot(x: V512, b: V512, acc: V512) -> V512 {
        use std::arch::x86_64::*;
        // SAFETY: casts of registers; the instruction is there.
        unsafe {
            let [x, b, acc] = [x, b, acc].map(|v| _mm512_castps_si512(v));
            _mm512_castsi512_ps(_mm512_dpbusd_epi32(acc, x, b))
        }
    }
    #[inline(always)]
    unsafe fn add(a: V512, b: V512) -> V512 {
        use std::arch::x86_64::*;
        // SAFETY: AVX-512F is part of what was detected.
        unsafe { _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(a), _mm512_castps_si512(b))) }
    }
}

#[cfg(target_arch = "x86_64")]
// SAFETY: used only in functions that enable AVX2, after it was detected.
unsafe impl Dot<Avx2> for Bytes {
    #[inline(always)]
    unsafe fn dot(x: V256, b: V256, acc: V256) -> V256 {
        use std::arch::x86_64::*;
        // SAFETY: AVX2 arithmetic on registers. Even and odd bytes are widened to 16 bits: the instruction that multiplies bytes saturates.
        unsafe {
            let [x, b, acc] = [x, b, acc].map(|v| _mm256_castps_si256(v));
            let (x0, x1) = (_mm256_and_si256(x, _mm256_set1_epi16(0xff)), _mm256_srli_epi16::<8>(x));
            let (b0, b1) = (_mm256_srai_epi16::<8>(_mm256_slli_epi16::<8>(b)), _mm256_srai_epi16::<8>(b));
            let products = _mm256_add_epi32(_mm256_madd_epi16(x0, b0), _mm256_madd_epi16(x1, b1));
            _mm256_castsi256_ps(_mm256_add_epi32(acc, products))
        }
    }
    #[inline(always)]
    unsafe fn add(a: V256, b: V256) -> V256 {
        use std::arch::x86_64::*;
        // SAFETY: AVX2 arithmetic on registers.
        unsafe { _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(a), _mm256_castps_si256(b))) }
    }
}

// SAFETY: uses no processor feature beyond the target's baseline.
unsafe impl Dot<Portable> for Bytes {
    #[inline(always)]
    unsafe fn dot(
        x: <Portable as Simd>::V,
        b: <Portable as Simd>::V,
        acc: <Portable as Simd>::V,
    ) -> <Portable as Simd>::V {
        std::array::from_fn(|lane| {
            let (x, b) = (x[lane].to_bits().to_le_bytes(), b[lane].to_bits().to_le_bytes());
            let sum: i32 = x.iter().zip(b).map(|(x, b)| i32::from(*x) * i32::from(b as i8)).sum();
            f32::from_bits((acc[lane].to_bits() as i32).wrapping_add(sum) as u32)
        })
    }
    #[inline(always)]
    unsafe fn add(a: <Portable as Simd>::V, b: <Portable as Simd>::V) -> <Portable as Simd>::V {
        std::array::from_fn(|i| f32::from_bits(a[i].to_bits().wrapping_add(b[i].to_bits())))
    }
}
