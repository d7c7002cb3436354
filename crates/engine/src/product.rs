//! Products of matrices over all cores, in any [`Precision`].

use crate::buffer::Buffer;
use crate::cpu::bytes::{self, Range};
use crate::cpu::gemm::{self, Product, View};
use crate::cpu::{Isa, bf16, multiply};
use crate::parallel::{self, Shared};
use crate::precision::Precision;

/// Rows of `A` up to which the cores share the columns of a product: one step of generation has few rows, and costs what reading `B` costs.
pub(crate) const FEW_ROWS: usize = gemm::ROW_BLOCK / 2;
/// Panels of `B` that a core takes at a time then.
const PANELS: usize = 8;

/// A view that tasks may read together.
#[derive(Clone, Copy)]
struct SharedView(View);

// SAFETY: only read.
unsafe impl Send for SharedView {}
// SAFETY: only read.
unsafe impl Sync for SharedView {}

impl SharedView {
    fn get(self) -> View {
        self.0
    }
}

/// Row-major view of a matrix with `cols` columns.
pub(crate) fn row_major(data: &[f32], cols: usize) -> View {
    View { ptr: data.as_ptr(), row: cols, col: 1 }
}

/// The transpose of a row-major matrix with `cols` columns.
pub(crate) fn transposed(data: &[f32], cols: usize) -> View {
    View { ptr: data.as_ptr(), row: 1, col: cols }
}

/// The right factor of a product, packed for an instruction set and a precision.
pub(crate) struct Panels {
    isa: Isa,
    precision: Precision,
    k: usize,
    n: usize,
    data: Buffer,
    /// Scale of every column, of int8 alone.
    scales: Vec<f32>,
    /// Sum of every column's integers, of int8 alone.
    sums: Vec<i32>,
}

impl Panels {
    /// Packs `B[k, n]`, over all cores.
    pub(crate) fn new(isa: Isa, precision: Precision, (k, n): (usize, usize), b: View) -> Panels {
        let (isa, mut scales, mut sums) = (kernels_of(isa, precision), Vec::new(), Vec::new());
        let data = match precision {
            Precision::F32 => pack(isa, k, n, b),
            Precision::Bf16 => {
                let (rounded, view) = round(isa, (k, n), b);
                let packed = pack(isa, k.div_ceil(2), n, view);
                drop(rounded);
                packed
            }
            Precision::Int8 => {
                let quantized;
                (quantized, scales, sums) = quantize_channels((k, n), b);
                pack(isa, k.div_ceil(4), n, transposed(&quantized, k.div_ceil(4)))
            }
        };
        Panels { isa, precision, k, n, data, scales, sums }
    }

    /// Whether these serve that instruction set and precision.
    pub(crate) fn are_for(&self, isa: Isa, precision: Precision) -> bool {
        (self.isa, self.precision) == (kernels_of(isa, precision), precision)
    }

    /// 32-bit groups of a row of `A`.
    fn groups(&self) -> usize {
        self.k.div_ceil(self.precision.per_group())
    }

    /// `C = A · B` for the columns `start..end` and the rows of `a`, `c` being the first of them.
    ///
    /// # Safety
    /// `start` begins a panel; `c` has room for as many rows as `a`, `n` apart.
    unsafe fn times(&self, a: &Left, (start, end): (usize, usize), c: *mut f32) {
        let (k, n) = (self.groups(), end - start);
        let b = self.data.as_ptr().wrapping_add(start * k);
        let product = Product { m: a.rows, n, k, a: a.view, b, c, ldc: self.n, add: false };
        // SAFETY: the contract; a and b were made for this precision and instruction set.
        unsafe {
            multiply::multiply(self.isa, self.precision, product);
            for (row, range) in a.ranges.iter().enumerate() {
                let (scales, sums) = (self.scales[start..].as_ptr(), self.sums[start..].as_ptr());
                bytes::dequantize_row(self.isa, n, c.add(row * self.n), *range, scales, sums);
            }
        }
    }
}

impl Panels {
    /// `C = A · B` for `rows` rows of `a`, on this thread.
    ///
    /// # Safety
    /// `a` addresses as many rows of `k` elements, contiguous unless `B` is f32; `c` has room for them.
    pub(crate) unsafe fn times_rows(&self, rows: usize, a: View, c: *mut f32) {
        // SAFETY: the contract.
        unsafe { self.times(&Left::new(self, rows, a), (0, self.n), c) }
    }
}

/// The instruction set whose kernels compute in this precision.
fn kernels_of(isa: Isa, precision: Precision) -> Isa {
    if precision == Precision::Int8 { isa.for_bytes() } else { isa }
}

/// Packs `B[k, n]`, whose elements are 32 bits, into panels.
fn pack(isa: Isa, k: usize, n: usize, b: View) -> Buffer {
    let mut packed = Buffer::scratch(gemm::packed_len(isa.lanes(), k, n));
    let to = Shared::new(&mut packed);
    let from = SharedView(b);
    parallel::for_each(gemm::panels(isa.lanes(), n), |panel| {
        // SAFETY: a task writes its own panel of the packed buffer; the view covers k × n elements.
        unsafe { gemm::pack_panels(isa, k, n, from.get(), panel, panel + 1, to.at(0)) }
    });
    packed
}

/// Rows, or pairs of rows, that a task rounds.
const ROUNDED: usize = 32;

/// `B[k, n]`, rows or columns of which are contiguous, as pairs of bf16: `[⌈k/2⌉, n]` through the view.
fn round(isa: Isa, (k, n): (usize, usize), b: View) -> (Buffer, View) {
    let pairs = k.div_ceil(2);
    let mut rounded = Buffer::scratch(pairs * n);
    let (from, to) = (SharedView(b), Shared::new(&mut rounded));
    if b.row == 1 {
        parallel::blocks(n, ROUNDED, |start, end| {
            let b = from.get();
            // SAFETY: tasks write columns of their own; the view covers k × n elements.
            unsafe {
                let columns = View { ptr: b.ptr.add(start * b.col), ..b };
                bf16::round_matrix(isa, (k, end - start), columns, to.at(start * pairs));
            }
        });
        let view = transposed(&rounded, pairs);
        return (rounded, view);
    }
    parallel::blocks(pairs, ROUNDED, |start, end| {
        let b = from.get();
        // SAFETY: tasks write pairs of rows of their own; the view covers k × n elements.
        unsafe {
            let rows = View { ptr: b.ptr.add(2 * start * b.row), ..b };
            bf16::round_matrix(isa, ((2 * end).min(k) - 2 * start, n), rows, to.at(start * n));
        }
    });
    let view = row_major(&rounded, n);
    (rounded, view)
}

/// A row-major factor of a product over its rows, in groups of the precision's: `[⌈rows/group⌉, cols]`.
pub(crate) enum Factor<'a> {
    Whole(&'a [f32]),
    Rounded(Buffer),
}

impl Factor<'_> {
    pub(crate) fn new(isa: Isa, precision: Precision, (rows, cols): (usize, usize), data: &[f32]) -> Factor<'_> {
        match precision {
            Precision::Bf16 => Factor::Rounded(round(isa, (rows, cols), row_major(data, cols)).0),
            _ => Factor::Whole(data),
        }
    }

    pub(crate) fn as_ptr(&self) -> *const f32 {
        match self {
            Factor::Whole(data) => data.as_ptr(),
            Factor::Rounded(pairs) => pairs.as_ptr(),
        }
    }
}

/// The columns of `B[k, n]` as bytes, one after the other, each `⌈k/4⌉` groups; their scales and sums.
fn quantize_channels((k, n): (usize, usize), b: View) -> (Buffer, Vec<f32>, Vec<i32>) {
    let groups = k.div_ceil(4);
    let mut quantized = Buffer::scratch(n * groups);
    let to = quantized.as_mut_ptr().cast::<i8>();
    let channel = |j: usize| {
        // SAFETY: the view covers k × n elements; column j is written to a place of its own.
        unsafe {
            let weights = (0..k).map(|p| *b.ptr.add(p * b.row + j * b.col));
            bytes::quantize_channel(weights, std::slice::from_raw_parts_mut(to.add(4 * j * groups), 4 * groups))
        }
    };
    let (scales, sums) = (0..n).map(channel).unzip();
    (quantized, scales, sums)
}

/// Rows of the left factor of a product, in the precision of the right one.
struct Left {
    rows: usize,
    view: View,
    /// What `view` shows, where it is not the matrix itself.
    _converted: Option<Buffer>,
    ranges: Vec<Range>,
}

impl Left {
    /// # Safety
    /// `a` addresses `rows` rows of `b.k` elements.
    unsafe fn new(b: &Panels, rows: usize, a: View) -> Left {
        if b.precision == Precision::F32 {
            return Left { rows, view: a, _converted: None, ranges: Vec::new() };
        }
        assert_eq!(a.col, 1, "rows of a left factor to convert are contiguous");
        let groups = b.groups();
        let mut converted = Buffer::scratch(rows * groups);
        let to = converted.as_mut_ptr();
        let mut ranges = Vec::new();
        // SAFETY: the contract; the buffer holds all groups.
        unsafe {
            match b.precision {
                Precision::Int8 => {
                    let row = |i: usize| bytes::quantize_row(b.isa, b.k, a.ptr.add(i * a.row), to.add(i * groups));
                    ranges = (0..rows).map(row).collect();
                }
                _ => bf16::round_rows(b.isa, rows, b.k, a.ptr, a.row, to),
            }
        }
        Left { rows, view: View { ptr: to, row: groups, col: 1 }, _converted: Some(converted), ranges }
    }
}

/// `C[m, n] = A[m, k] · B[k, n]` over all cores; `finish(rows, data of the rows)` runs on every block of rows as soon as it is done. Unless `B` is f32, rows
/// of `A` are contiguous.
pub(crate) fn product(b: &Panels, m: usize, a: View, c: &mut [f32], finish: impl Fn(usize, &mut [f32]) + Sync + Send) {
    let n = b.n;
    if m <= FEW_ROWS {
        by_columns(b, m, a, c);
        return finish(0, &mut c[..m * n]);
    }
    let c = Shared::new(c);
    let a = SharedView(a);
    parallel::blocks(m, gemm::ROW_BLOCK, |start, end| {
        let a = a.get();
        // SAFETY: blocks of rows are disjoint; a covers m × k elements.
        unsafe {
            let at = View { ptr: a.ptr.add(start * a.row), ..a };
            let to = c.at(start * n);
            b.times_rows(end - start, at, to);
            finish(start, std::slice::from_raw_parts_mut(to, (end - start) * n));
        }
    });
}

/// [`product`] of few rows: every core computes some of the columns.
fn by_columns(b: &Panels, m: usize, a: View, c: &mut [f32]) {
    // SAFETY: a covers m × k elements.
    let left = SharedLeft(unsafe { Left::new(b, m, a) });
    let c = Shared::new(c);
    parallel::blocks(b.n, gemm::panel_width(b.isa.lanes()) * PANELS, |start, end| {
        // SAFETY: blocks of columns are disjoint and begin with a panel of b.
        unsafe { b.times(left.get(), (start, end), c.at(start)) }
    });
}

/// Rows that tasks may read together.
struct SharedLeft(Left);

// SAFETY: only read.
unsafe impl Sync for SharedLeft {}

impl SharedLeft {
    fn get(&self) -> &Left {
        &self.0
    }
}

#[cfg(test)]
mod tests;
