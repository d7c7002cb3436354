//! The kernels for AVX-512 with VNNI: four rows at a time, so that one row's additions do not wait for another's.

use std::arch::x86_64::*;

use super::{LINE, Table};

/// Rows that pass over the query together.
const TOGETHER: usize = 4;

/// # Safety
/// The machine has the instructions named below; the table has `rows`, the query is as long as a row, `out` as `rows`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn dot_bytes(table: Table<'_>, query: &[i8], rows: &[u32], out: &mut [i32]) {
    let (groups, rest) = rows.as_chunks::<TOGETHER>();
    for (g, group) in groups.iter().enumerate() {
        // SAFETY: what the caller promised of rows and query.
        let sums = unsafe { bytes::<TOGETHER>(table, query, *group) };
        out[g * TOGETHER..][..TOGETHER].copy_from_slice(&sums);
    }
    for (&row, out) in rest.iter().zip(&mut out[groups.len() * TOGETHER..]) {
        // SAFETY: as above.
        *out = unsafe { bytes::<1>(table, query, [row]) }[0];
    }
}

/// # Safety
/// As [`dot_bytes`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn bytes<const N: usize>(table: Table<'_>, query: &[i8], rows: [u32; N]) -> [i32; N] {
    // SAFETY: every row lies within the table and is as long as the query, a multiple of 64 bytes: all loads are within both.
    unsafe {
        let starts = rows.map(|row| table.bytes.as_ptr().add(row as usize * table.stride));
        let mut sums = [_mm512_setzero_si512(); N];
        for at in (0..query.len()).step_by(LINE) {
            let q = _mm512_loadu_si512(query.as_ptr().add(at).cast());
            for (sum, start) in sums.iter_mut().zip(starts) {
                *sum = _mm512_dpbusd_epi32(*sum, _mm512_loadu_si512(start.add(at).cast()), q);
            }
        }
        sums.map(|sum| _mm512_reduce_add_epi32(sum))
    }
}

/// # Safety
/// As [`dot_bytes`]; the query has half as many numbers as a row has bytes.
#[target_feature(enable = "avx512f")]
pub(super) unsafe fn dot_f16(table: Table<'_>, query: &[f32], rows: &[u32], out: &mut [f32]) {
    let (groups, rest) = rows.as_chunks::<TOGETHER>();
    for (g, group) in groups.iter().enumerate() {
        // SAFETY: what the caller promised of rows and query.
        let sums = unsafe { halves::<TOGETHER>(table, query, *group) };
        out[g * TOGETHER..][..TOGETHER].copy_from_slice(&sums);
    }
    for (&row, out) in rest.iter().zip(&mut out[groups.len() * TOGETHER..]) {
        // SAFETY: as above.
        *out = unsafe { halves::<1>(table, query, [row]) }[0];
    }
}

/// # Safety
/// As [`dot_f16`].
#[inline]
#[target_feature(enable = "avx512f")]
unsafe fn halves<const N: usize>(table: Table<'_>, query: &[f32], rows: [u32; N]) -> [f32; N] {
    // SAFETY: every row lies within the table and holds as many halves as the query numbers, a multiple of 32.
    unsafe {
        let starts = rows.map(|row| table.bytes.as_ptr().add(row as usize * table.stride));
        let mut sums = [_mm512_setzero_ps(); N];
        for at in (0..query.len()).step_by(16) {
            let q = _mm512_loadu_ps(query.as_ptr().add(at));
            for (sum, start) in sums.iter_mut().zip(starts) {
                let x = _mm512_cvtph_ps(_mm256_loadu_si256(start.add(2 * at).cast()));
                *sum = _mm512_fmadd_ps(x, q, *sum);
            }
        }
        sums.map(|sum| _mm512_reduce_add_ps(sum))
    }
}

/// # Safety
/// As [`dot_bytes`]; the query has eight components for every byte of a row.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn dot_bits(table: Table<'_>, query: &[i8], rows: &[u32], out: &mut [i32]) {
    let ones = _mm512_set1_epi8(1);
    for (out, &row) in out.iter_mut().zip(rows) {
        let (words, _) = table.row(row).as_chunks::<8>();
        let mut sum = _mm512_setzero_si512();
        for (at, word) in words.iter().enumerate() {
            // SAFETY: 64 components of the query for each word of a row.
            let q = unsafe { _mm512_loadu_si512(query.as_ptr().add(at * LINE).cast()) };
            sum = _mm512_dpbusd_epi32(sum, ones, _mm512_maskz_mov_epi8(u64::from_le_bytes(*word), q));
        }
        *out = _mm512_reduce_add_epi32(sum);
    }
}
