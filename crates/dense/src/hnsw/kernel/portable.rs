//! The kernels in plain Rust: what the others are tested against, and what runs where there are no others.

use half::f16;
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};

use super::Table;

/// Halves widened at once.
const WIDENED: usize = 32;

pub(super) fn dot_bytes(table: Table<'_>, query: &[i8], rows: &[u32], out: &mut [i32]) {
    for (out, &row) in out.iter_mut().zip(rows) {
        *out = table.row(row).iter().zip(query).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum();
    }
}

pub(super) fn dot_f16(table: Table<'_>, query: &[f32], rows: &[u32], out: &mut [f32]) {
    for (out, &row) in out.iter_mut().zip(rows) {
        let mut sums = [0f32; WIDENED];
        for (bytes, query) in table.row(row).chunks_exact(2 * WIDENED).zip(query.chunks_exact(WIDENED)) {
            let mut bits = [0u16; WIDENED];
            bits.iter_mut().zip(bytes.chunks_exact(2)).for_each(|(h, b)| *h = u16::from_le_bytes([b[0], b[1]]));
            let mut widened = [0f32; WIDENED];
            bits.reinterpret_cast::<f16>().convert_to_f32_slice(&mut widened);
            sums.iter_mut().zip(widened.iter().zip(query)).for_each(|(sum, (x, q))| *sum += x * q);
        }
        *out = sums.iter().sum();
    }
}

pub(super) fn dot_bits(table: Table<'_>, query: &[i8], rows: &[u32], out: &mut [i32]) {
    for (out, &row) in out.iter_mut().zip(rows) {
        let eight = |(bits, query): (&u8, &[i8])| {
            query.iter().enumerate().map(|(j, q)| i32::from(*q) * i32::from(bits >> j & 1)).sum::<i32>()
        };
        *out = table.row(row).iter().zip(query.chunks_exact(8)).map(eight).sum();
    }
}
