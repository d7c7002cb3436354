//! The kernels for AVX2 with FMA and F16C.

use std::arch::x86_64::*;

use super::Table;

/// # Safety
/// The machine has AVX2; the table has `rows`, the query is as long as a row, `out` as `rows`.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn dot_bytes(table: Table<'_>, query: &[i8], rows: &[u32], out: &mut [i32]) {
    for (out, &row) in out.iter_mut().zip(rows) {
        let row = table.row(row);
        let mut sums = [_mm256_setzero_si256(); 2];
        for at in (0..query.len()).step_by(32) {
            for (half, sum) in sums.iter_mut().enumerate() {
                let at = at + 16 * half;
                // Widened first: products of bytes added in pairs do not fit into 16 bits.
                // SAFETY: row and query are of equal length, a multiple of 64 bytes.
                let (x, q) = unsafe {
                    (_mm_loadu_si128(row.as_ptr().add(at).cast()), _mm_loadu_si128(query.as_ptr().add(at).cast()))
                };
                let products = _mm256_madd_epi16(_mm256_cvtepu8_epi16(x), _mm256_cvtepi8_epi16(q));
                *sum = _mm256_add_epi32(*sum, products);
            }
        }
        *out = sum_i32(_mm256_add_epi32(sums[0], sums[1]));
    }
}

/// # Safety
/// As [`dot_bytes`], with FMA and F16C; the query has half as many numbers as a row has bytes.
#[target_feature(enable = "avx2,fma,f16c")]
pub(super) unsafe fn dot_f16(table: Table<'_>, query: &[f32], rows: &[u32], out: &mut [f32]) {
    for (out, &row) in out.iter_mut().zip(rows) {
        let row = table.row(row);
        let mut sums = [_mm256_setzero_ps(); 4];
        for at in (0..query.len()).step_by(32) {
            for (part, sum) in sums.iter_mut().enumerate() {
                let at = at + 8 * part;
                // SAFETY: a row holds as many halves as the query numbers, a multiple of 32.
                let (x, q) = unsafe {
                    (_mm_loadu_si128(row.as_ptr().add(2 * at).cast()), _mm256_loadu_ps(query.as_ptr().add(at)))
                };
                *sum = _mm256_fmadd_ps(_mm256_cvtph_ps(x), q, *sum);
            }
        }
        let [a, b, c, d] = sums;
        *out = sum_f32(_mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d)));
    }
}

/// # Safety
/// As [`dot_bytes`]; the query has eight components for every byte of a row.
#[target_feature(enable = "avx2")]
pub(super) unsafe fn dot_bits(table: Table<'_>, query: &[i8], rows: &[u32], out: &mut [i32]) {
    // Byte j of the spread word is the one that holds bit j, and `bit` leaves that bit alone.
    let spread = _mm256_setr_epi8(
        0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3,
    );
    let bit = _mm256_set1_epi64x(0x8040_2010_0804_0201_u64 as i64);
    let (ones, pairs) = (_mm256_set1_epi8(1), _mm256_set1_epi16(1));
    for (out, &row) in out.iter_mut().zip(rows) {
        let (words, _) = table.row(row).as_chunks::<4>();
        let mut sum = _mm256_setzero_si256();
        for (at, word) in words.iter().enumerate() {
            // SAFETY: 32 components of the query for each word of a row.
            let q = unsafe { _mm256_loadu_si256(query.as_ptr().add(at * 32).cast()) };
            let word = _mm256_shuffle_epi8(_mm256_set1_epi32(i32::from_le_bytes(*word)), spread);
            let mask = _mm256_cmpeq_epi8(_mm256_and_si256(word, bit), bit);
            let products = _mm256_maddubs_epi16(ones, _mm256_and_si256(q, mask));
            sum = _mm256_add_epi32(sum, _mm256_madd_epi16(products, pairs));
        }
        *out = sum_i32(sum);
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn sum_i32(x: __m256i) -> i32 {
    let x = _mm_add_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256::<1>(x));
    let x = _mm_add_epi32(x, _mm_shuffle_epi32::<0b01_00_11_10>(x));
    _mm_cvtsi128_si32(_mm_add_epi32(x, _mm_shuffle_epi32::<0b10_11_00_01>(x)))
}

#[inline]
#[target_feature(enable = "avx2")]
fn sum_f32(x: __m256) -> f32 {
    let x = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
    let x = _mm_add_ps(x, _mm_movehl_ps(x, x));
    _mm_cvtss_f32(_mm_add_ss(x, _mm_shuffle_ps::<1>(x, x)))
}
