//! Products of attention: single-threaded, in either format, from factors that change with every block.

use super::super::gemm::{self, Product, View};
use super::super::{Isa, bf16, multiply};
use crate::buffer::Buffer;
use crate::precision::Precision;

/// Room for `n` elements.
pub(super) fn reserve(buffer: &mut Buffer, n: usize) -> *mut f32 {
    if buffer.len() < n {
        *buffer = Buffer::scratch(n);
    }
    buffer.as_mut_ptr()
}

/// How the products of a head are computed, and room for rounded factors.
pub(super) struct Products<'a> {
    pub isa: Isa,
    pub precision: Precision,
    pub rounded: &'a mut Buffer,
}

impl Products<'_> {
    /// `B[k, n]`, rows or columns of which are contiguous, in the format of the products, and the groups that `k` makes of it.
    ///
    /// # Safety
    /// `view` addresses k × n elements.
    unsafe fn narrowed(&mut self, (k, n): (usize, usize), view: View) -> (usize, View) {
        if self.precision == Precision::F32 {
            return (k, view);
        }
        let groups = k.div_ceil(self.precision.per_group());
        let to = reserve(self.rounded, groups * n);
        // SAFETY: the contract; the buffer holds every group.
        (groups, unsafe { bf16::round_matrix(self.isa, (k, n), view, to) })
    }

    /// Packs `B[k, n]`.
    ///
    /// # Safety
    /// As [`Products::narrowed`].
    pub(super) unsafe fn pack(&mut self, (k, n): (usize, usize), view: View, to: &mut Buffer) -> *const f32 {
        // SAFETY: the contract; the buffer has the packed length.
        unsafe {
            let (k, view) = self.narrowed((k, n), view);
            let lanes = self.isa.lanes();
            let packed = reserve(to, gemm::packed_len(lanes, k, n));
            gemm::pack_panels(self.isa, k, n, view, 0, gemm::panels(lanes, n), packed);
            packed
        }
    }

    /// `C[m, n] (+)= A[m, k] · B[k, n]`, `b` packed.
    ///
    /// # Safety
    /// The pointers are valid for these extents; `a` has contiguous rows or columns.
    pub(super) unsafe fn multiply(
        &mut self,
        (m, n, k): (usize, usize, usize),
        a: View,
        b: *const f32,
        to: (*mut f32, usize),
        add: bool,
    ) {
        let (c, ldc) = to;
        // SAFETY: the contract.
        unsafe {
            let (k, turned) = self.narrowed((k, m), View { row: a.col, col: a.row, ..a });
            let a = View { row: turned.col, col: turned.row, ..turned };
            multiply::multiply(self.isa, self.precision, Product { m, n, k, a, b, c, ldc, add });
        }
    }
}
