//! The matrix product of [`super::gemm`] for every format and instruction set.

#[cfg(target_arch = "x86_64")]
use super::dot::Native;
use super::dot::{Bytes, Single, Widened};
use super::gemm::{Product, run};
use super::simd::Portable;
use super::{Isa, kernels};
use crate::precision::Precision;

/// Computes a product of factors in this precision, as that instruction set computes it; of int8 the 32-bit integers.
///
/// # Safety
/// As [`run`]; the machine has `isa`, which for int8 is an [`Isa::for_bytes`].
pub(crate) unsafe fn multiply(isa: Isa, precision: Precision, product: Product) {
    // SAFETY: the function's contract.
    unsafe {
        match precision {
            Precision::F32 => multiply_f32(isa, product),
            Precision::Bf16 => multiply_bf16(isa, product),
            Precision::Int8 => multiply_bytes(isa, product),
        }
    }
}

/// # Safety
/// As [`multiply`].
unsafe fn multiply_bf16(isa: Isa, product: Product) {
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512bf16,fma")]
    unsafe fn native(product: Product) {
        // SAFETY: the features are enabled here.
        unsafe { run::<super::simd::Avx512, Native>(product) }
    }
    // SAFETY: the function's contract; what is native was detected.
    unsafe {
        #[cfg(target_arch = "x86_64")]
        if isa.has_native_bf16() {
            return native(product);
        }
        multiply_widened(isa, product);
    }
}

/// # Safety
/// As [`multiply`].
unsafe fn multiply_bytes(isa: Isa, product: Product) {
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512vnni")]
    unsafe fn vnni(product: Product) {
        // SAFETY: the features are enabled here.
        unsafe { run::<super::simd::Avx512, Bytes>(product) }
    }
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    unsafe fn avx2(product: Product) {
        // SAFETY: the features are enabled here.
        unsafe { run::<super::simd::Avx2, Bytes>(product) }
    }
    // SAFETY: the function's contract.
    unsafe {
        match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => vnni(product),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => avx2(product),
            _ => run::<Portable, Bytes>(product),
        }
    }
}

kernels! {
    /// A product of f32.
    fn multiply_f32<S>(product: Product) {
        run::<S, Single>(product)
    }

    /// A product of pairs of bf16 without an instruction for them.
    fn multiply_widened<S>(product: Product) {
        run::<S, Widened>(product)
    }
}
