//! Matrix product: `C[m,n] (+)= A[m,k] · B[k,n]` with `B` packed into panels.
//!
//! Elements are 32 bits: one f32, or what [`super::dot`] multiplies at once of a narrower format, of which `k` counts the groups.
//! A panel holds `3 × LANES` columns of `B` (the last one fewer, in whole vectors, padded with zeros),
//! row after row, so that the innermost loop reads it front to back. `A` is read where it lies and broadcast, or,
//! when it is the transpose of a row-major matrix, from a copy in tiles. The sum over `k` runs in blocks of [`K_BLOCK`], in order, whatever the number of
//! threads: results do not depend on it. While rows pass over a panel, the next panel is fetched to the second-level cache.

use super::dot::Dot;
use super::kernels;
use super::simd::Simd;

/// Vectors in a full panel.
const PANEL_VECTORS: usize = 3;
/// Rows of `B` in a block.
const K_BLOCK: usize = 384;
/// Rows of `A` that pass over a block of `B` together: with `C` they stay in the second-level cache.
pub(crate) const ROW_BLOCK: usize = 128;

/// Steps of the inner loop to one cache line fetched ahead.
const UNROLL: usize = 4;
/// Elements of a cache line.
const LINE: usize = 16;
/// Rows that a packing loop fetches ahead: they lie on pages of their own, which the processor does not guess.
const PACK_AHEAD: usize = 8;

/// A matrix in memory, addressed by strides: element (i, j) at `ptr + i·row + j·col`.
#[derive(Clone, Copy)]
pub(crate) struct View {
    pub ptr: *const f32,
    pub row: usize,
    pub col: usize,
}

/// Where a product goes: `cols` columns at `ptr`, rows `row` apart, added to what is there if `add`.
#[derive(Clone, Copy)]
struct Target {
    ptr: *mut f32,
    row: usize,
    cols: usize,
    add: bool,
}

/// Elements of a packed `B[k,n]`.
pub(crate) fn packed_len(lanes: usize, k: usize, n: usize) -> usize {
    n.div_ceil(lanes) * lanes * k
}

/// Columns of a full panel.
pub(crate) fn panel_width(lanes: usize) -> usize {
    PANEL_VECTORS * lanes
}

/// Panels of a packed `B` with `n` columns.
pub(crate) fn panels(lanes: usize, n: usize) -> usize {
    n.div_ceil(panel_width(lanes))
}

/// One block of a packed panel: `depth` rows at `ptr`, and what is to be fetched while rows pass over it: `len` elements at `next`.
#[derive(Clone, Copy)]
struct Block {
    ptr: *const f32,
    depth: usize,
    next: *const f32,
    len: usize,
}

/// `acc += a · b` for a column of R elements, `row` apart, and a row of NV vectors.
///
/// # Safety
/// The pointers hold as much.
#[inline(always)]
unsafe fn step<S: Simd, D: Dot<S>, const R: usize, const NV: usize>(
    acc: &mut [[S::V; NV]; R],
    a: *const f32,
    row: usize,
    b: *const f32,
) {
    // SAFETY: the function's contract.
    unsafe {
        let bv: [S::V; NV] = std::array::from_fn(|v| S::load(b.add(v * S::LANES)));
        for (i, acc) in acc.iter_mut().enumerate() {
            let x = S::splat(*a.add(i * row));
            for v in 0..NV {
                acc[v] = D::dot(x, bv[v], acc[v]);
            }
        }
    }
}

/// The accumulators of an R×NV tile: Σ_p A[i,p]·B[p, ..]; fetches from `ahead` on.
///
/// # Safety
/// `a` addresses R rows of `k` elements by its strides; `b` holds `k` rows of `NV × LANES`.
#[inline(always)]
unsafe fn tile<S: Simd, D: Dot<S>, const R: usize, const NV: usize>(
    k: usize,
    a: View,
    b: *const f32,
    ahead: *const f32,
) -> [[S::V; NV]; R] {
    // SAFETY: the function's contract.
    unsafe {
        let mut acc = [[S::splat(0.0); NV]; R];
        let whole = k / UNROLL;
        for block in 0..whole {
            for p in block * UNROLL..(block + 1) * UNROLL {
                step::<S, D, R, NV>(&mut acc, a.ptr.add(p * a.col), a.row, b.add(p * NV * S::LANES));
            }
            S::prefetch_far(ahead.wrapping_add(block * LINE));
        }
        for p in whole * UNROLL..k {
            step::<S, D, R, NV>(&mut acc, a.ptr.add(p * a.col), a.row, b.add(p * NV * S::LANES));
        }
        acc
    }
}

/// Computes the tile of rows `first..first + R` and writes (or adds) its first columns to `c`.
///
/// # Safety
/// As [`tile`]; `c` addresses R rows.
#[inline(always)]
unsafe fn tile_to<S: Simd, D: Dot<S>, const R: usize, const NV: usize>(first: usize, a: View, b: Block, c: Target) {
    // SAFETY: the function's contract.
    unsafe {
        // By the time the sums are done, their place has come from memory.
        for i in 0..R {
            for v in 0..NV {
                S::prefetch(c.ptr.wrapping_add(i * c.row + v * S::LANES));
            }
        }
        let fetched = first / R * (b.depth / UNROLL) * LINE;
        let ahead = if fetched < b.len { b.next.wrapping_add(fetched) } else { b.ptr };
        let acc = tile::<S, D, R, NV>(b.depth, a, b.ptr, ahead);
        for (i, row) in acc.iter().enumerate() {
            for (v, &value) in row.iter().enumerate() {
                let p = c.ptr.add(i * c.row + v * S::LANES);
                let width = c.cols - (v * S::LANES).min(c.cols);
                if width >= S::LANES {
                    S::store(p, if c.add { D::add(value, S::load(p)) } else { value });
                } else if width > 0 {
                    S::store_part(p, width, if c.add { D::add(value, S::load_part(p, width)) } else { value });
                }
            }
        }
    }
}

/// Copies columns `0..rows` of `depth` rows at `a` into tiles of `TILE_ROWS` columns, each tile contiguous.
///
/// # Safety
/// `a` addresses `depth` rows (stride `a.col`) of `rows` contiguous elements; `to` holds them, rounded up to whole tiles.
#[inline(always)]
unsafe fn pack_tiles<S: Simd>(rows: usize, depth: usize, a: View, to: *mut f32) {
    // SAFETY: the function's contract.
    unsafe {
        // Row by row of the source, which is contiguous, into all tiles at once.
        for p in 0..depth {
            let from = a.ptr.add(p * a.col);
            let mut first = 0;
            while first + S::TILE_ROWS <= rows {
                let tile = to.add(first * depth + p * S::TILE_ROWS);
                S::prefetch(from.wrapping_add(first + PACK_AHEAD * a.col));
                std::ptr::copy_nonoverlapping(from.add(first), tile, S::TILE_ROWS);
                first += S::TILE_ROWS;
            }
            for i in first..rows {
                *to.add(first * depth + p * S::TILE_ROWS + i - first) = *from.add(i);
            }
        }
    }
}

/// One panel against `m` rows.
///
/// # Safety
/// As [`tile_to`] for `m` rows; with `tiles`, `a` was written by [`pack_tiles`].
#[inline(always)]
unsafe fn panel<S: Simd, D: Dot<S>, const NV: usize>(m: usize, a: View, tiles: bool, b: Block, c: Target) {
    // SAFETY: the function's contract.
    unsafe {
        let mut i = 0;
        while i < m {
            let offset = if tiles { i / S::TILE_ROWS * S::TILE_ROWS * b.depth + i % S::TILE_ROWS } else { i * a.row };
            let at = View { ptr: a.ptr.add(offset), ..a };
            let to = Target { ptr: c.ptr.add(i * c.row), ..c };
            let left = m - i;
            if left >= 8 && S::TILE_ROWS >= 8 {
                tile_to::<S, D, 8, NV>(i, at, b, to);
                i += 8;
            } else if left >= 4 {
                tile_to::<S, D, 4, NV>(i, at, b, to);
                i += 4;
            } else if left >= 2 {
                tile_to::<S, D, 2, NV>(i, at, b, to);
                i += 2;
            } else {
                tile_to::<S, D, 1, NV>(i, at, b, to);
                i += 1;
            }
        }
    }
}

/// A product to compute: `c` has rows of `ldc`, `b` is packed by [`pack_panels`]. Without `add`, `C` is overwritten; `k = 0` gives zeros.
#[derive(Clone, Copy)]
pub(crate) struct Product {
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub a: View,
    pub b: *const f32,
    pub c: *mut f32,
    pub ldc: usize,
    pub add: bool,
}

/// Computes a product.
///
/// # Safety
/// The pointers are valid for the stated extents, and the processor has the instructions of `S` and `D`.
#[inline(always)]
pub(super) unsafe fn run<S: Simd, D: Dot<S>>(product: Product) {
    let Product { m, n, k, a, b, c, ldc, add } = product;
    // SAFETY: the function's contract.
    unsafe {
        let width = PANEL_VECTORS * S::LANES;
        if k == 0 && !add {
            for i in 0..m {
                std::slice::from_raw_parts_mut(c.add(i * ldc), n).fill(0.0);
            }
        }
        let blocks = k.div_ceil(K_BLOCK).max(1);
        let block = k.div_ceil(blocks);
        let tiles = a.row == 1 && a.col != 1;
        let padded = |cols: usize| cols.div_ceil(S::LANES) * S::LANES;
        let mut copy = [std::mem::MaybeUninit::<f32>::uninit(); ROW_BLOCK * K_BLOCK];
        let copy = copy.as_mut_ptr().cast::<f32>();
        let mut first = 0;
        while first < m {
            let rows = ROW_BLOCK.min(m - first);
            let mut start = 0;
            while start < k {
                let depth = block.min(k - start);
                let mut at = View { ptr: a.ptr.add(first * a.row + start * a.col), ..a };
                if tiles {
                    pack_tiles::<S>(rows, depth, at, copy);
                    at = View { ptr: copy, row: 1, col: S::TILE_ROWS };
                }
                let mut column = 0;
                while column < n {
                    let cols = width.min(n - column);
                    let after = width.min(n - column - cols);
                    let (ptr, len) = (b.add(column * k + start * padded(cols)), depth * padded(after));
                    let next = b.wrapping_add((column + cols) * k + start * padded(after));
                    let bp = Block { ptr, depth, next, len };
                    let to = Target { ptr: c.add(first * ldc + column), row: ldc, cols, add: add || start > 0 };
                    match cols.div_ceil(S::LANES) {
                        3 => panel::<S, D, 3>(rows, at, tiles, bp, to),
                        2 => panel::<S, D, 2>(rows, at, tiles, bp, to),
                        _ => panel::<S, D, 1>(rows, at, tiles, bp, to),
                    }
                    column += cols;
                }
                start += depth;
            }
            first += rows;
        }
    }
}

kernels! {
    /// Packs panels `first..last` of `B[k,n]` (any strides) into `to`, the start of the whole packed matrix.
    fn pack_panels<S>(k: usize, n: usize, b: View, first: usize, last: usize, to: *mut f32) {
        let width = PANEL_VECTORS * S::LANES;
        // Sixteen rows of B at a time, so that both sides stay in cache, whichever of them is contiguous.
        let mut p = 0;
        while p < k {
            let depth = 16.min(k - p);
            for index in first..last {
                let column = index * width;
                let cols = width.min(n - column);
                let padded = cols.div_ceil(S::LANES) * S::LANES;
                let (src, dst) = (b.ptr.add(column * b.col + p * b.row), to.add(column * k + p * padded));
                if b.col == 1 {
                    for d in 0..depth {
                        let (from, row) = (src.add(d * b.row), dst.add(d * padded));
                        let mut x = 0;
                        while x < padded {
                            let left = cols - x.min(cols);
                            S::prefetch(from.wrapping_add(x + PACK_AHEAD * b.row));
                            let v = if left >= S::LANES { S::load(from.add(x)) } else { S::load_part(from.add(x), left) };
                            S::store(row.add(x), v);
                            x += S::LANES;
                        }
                    }
                } else {
                    for x in 0..padded {
                        for d in 0..depth {
                            *dst.add(d * padded + x) = if x < cols { *src.add(x * b.col + d * b.row) } else { 0.0 };
                        }
                    }
                }
            }
            p += depth;
        }
    }
}
