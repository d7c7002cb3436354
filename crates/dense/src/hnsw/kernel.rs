//! Inner products of a query with rows scattered over a table: one source of truth in plain Rust, and kernels of the processor's
//! own instructions, chosen when the program runs.
//!
//! A row takes whole cache lines, and a query has zeros behind its last component, so no kernel has a tail. Products of bytes are summed in integers:
//! their results are the same on every processor.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

/// Bytes of a cache line: rows begin at its multiples.
pub(crate) const LINE: usize = 64;

/// An instruction set with kernels here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Isa {
    /// AVX-512 with VNNI.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// AVX2 with FMA and F16C.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// Plain Rust.
    Portable,
}

impl Isa {
    /// All that this machine has, widest first.
    pub(crate) fn available() -> Vec<Self> {
        let mut found = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            let has512 = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw");
            if has512 && is_x86_feature_detected!("avx512vnni") && is_x86_feature_detected!("avx512vl") {
                found.push(Self::Avx512);
            }
            let has256 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            if has256 && is_x86_feature_detected!("f16c") {
                found.push(Self::Avx2);
            }
        }
        found.push(Self::Portable);
        found
    }

    /// The widest that this machine has.
    pub(crate) fn widest() -> Self {
        Self::available()[0]
    }
}

/// Rows of `stride` bytes, one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table<'a> {
    bytes: &'a [u8],
    stride: usize,
}

impl<'a> Table<'a> {
    /// # Panics
    /// Where a row is not of whole cache lines, or `bytes` not of whole rows.
    pub(crate) fn new(bytes: &'a [u8], stride: usize) -> Self {
        assert!(
            stride > 0 && stride.is_multiple_of(LINE) && bytes.len().is_multiple_of(stride),
            "whole lines and rows"
        );
        Self { bytes, stride }
    }

    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len() / self.stride
    }

    /// The bytes of `row`.
    pub(crate) fn row(&self, row: u32) -> &'a [u8] {
        &self.bytes[row as usize * self.stride..][..self.stride]
    }

    /// Asks for the first lines of `row` ahead of their use; nothing happens where there is no such row.
    #[inline(always)]
    pub(crate) fn prefetch(&self, row: u32) {
        #[cfg(target_arch = "x86_64")]
        if (row as usize) < self.len() {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            let start = row as usize * self.stride;
            for at in (start..start + self.stride).step_by(LINE) {
                // SAFETY: the address is within `bytes`; a prefetch reads nothing into the program.
                unsafe { _mm_prefetch::<_MM_HINT_T0>(self.bytes.as_ptr().add(at).cast()) };
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = row;
    }

    /// Holds what every kernel relies on: the rows are there and each has a place for its result.
    fn check<T>(&self, query: usize, rows: &[u32], out: &[T]) {
        assert_eq!(query, self.stride, "a query as long as a row");
        assert_eq!(rows.len(), out.len(), "a place for every row");
        let highest = rows.iter().max().map_or(0, |row| *row as usize + 1);
        assert!(highest <= self.len(), "row {highest} of {}", self.len());
    }
}

/// `out[i] = Σ row[j] · query[j]` for each of `rows`, the components of rows being bytes 0..=255, those of the query −128..=127.
///
/// # Panics
/// Where there is no such row, or the lengths differ.
pub(crate) fn dot_bytes(isa: Isa, table: Table<'_>, query: &[i8], rows: &[u32], out: &mut [i32]) {
    table.check(query.len(), rows, out);
    match isa {
        // SAFETY: the machine has the instructions, and `check` holds what is asked of table, query, rows and out.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { avx512::dot_bytes(table, query, rows, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2::dot_bytes(table, query, rows, out) },
        Isa::Portable => portable::dot_bytes(table, query, rows, out),
    }
}

/// `out[i] = Σ row[j] · query[j]` for each of `rows`, the components of rows being f16; the order of summation is the instruction set's.
///
/// # Panics
/// Where there is no such row, or the lengths differ.
pub(crate) fn dot_f16(isa: Isa, table: Table<'_>, query: &[f32], rows: &[u32], out: &mut [f32]) {
    table.check(2 * query.len(), rows, out);
    match isa {
        // SAFETY: the machine has the instructions, and `check` holds what is asked of table, query, rows and out.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { avx512::dot_f16(table, query, rows, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2::dot_f16(table, query, rows, out) },
        Isa::Portable => portable::dot_f16(table, query, rows, out),
    }
}

/// `out[i] = Σ query[j]` over the bits that are set in each of `rows`.
///
/// # Panics
/// Where there is no such row, or the lengths differ.
pub(crate) fn dot_bits(isa: Isa, table: Table<'_>, query: &[i8], rows: &[u32], out: &mut [i32]) {
    assert!(query.len().is_multiple_of(8), "eight components a byte");
    table.check(query.len() / 8, rows, out);
    match isa {
        // SAFETY: the machine has the instructions, and `check` holds what is asked of table, query, rows and out.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { avx512::dot_bits(table, query, rows, out) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2::dot_bits(table, query, rows, out) },
        Isa::Portable => portable::dot_bits(table, query, rows, out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use half::f16;
    use proptest::prelude::*;

    fn bytes(n: usize, mut state: u64) -> Vec<u8> {
        let mut next = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            // The extremes often: sums that overflow would show.
            match (state >> 60) & 7 {
                0 => 0,
                1 => 255,
                2 => 128,
                _ => (state >> 40) as u8,
            }
        };
        (0..n).map(|_| next()).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_instruction_set_gives_what_plain_rust_gives(
            lines in 1usize..14, rows in 1usize..40, picks in proptest::collection::vec(0u32..40, 0..40), seed: u64,
        ) {
            let stride = lines * LINE;
            let table = bytes(rows * stride, seed);
            let table = Table::new(&table, stride);
            let picks: Vec<u32> = picks.into_iter().map(|pick| pick % rows as u32).collect();
            let query: Vec<i8> = bytes(8 * stride, seed ^ 1).into_iter().map(|b| b as i8).collect();
            let exact = |row: u32| table.row(row).iter().zip(&query).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum::<i32>();
            let bit = |row: u32, j: usize| i32::from(table.row(row)[j / 8] >> (j % 8) & 1);
            let exact_bits = |row: u32| (0..8 * stride).map(|j| bit(row, j) * i32::from(query[j])).sum::<i32>();
            for isa in Isa::available() {
                let mut out = vec![7; picks.len()];
                dot_bytes(isa, table, &query[..stride], &picks, &mut out);
                prop_assert_eq!(&out, &picks.iter().map(|row| exact(*row)).collect::<Vec<_>>(), "{:?}", isa);
                dot_bits(isa, table, &query, &picks, &mut out);
                prop_assert_eq!(&out, &picks.iter().map(|row| exact_bits(*row)).collect::<Vec<_>>(), "{:?}", isa);
            }
        }

        #[test]
        fn halves_are_multiplied_to_the_rounding_of_f32(
            lines in 1usize..14, rows in 1usize..9, picks in proptest::collection::vec(0u32..9, 0..20), seed: u64,
        ) {
            let numbers = lines * LINE / 2;
            let values: Vec<f32> = bytes(rows * numbers, seed).into_iter().map(|b| (f32::from(b) - 128.0) / 64.0).collect();
            let table: Vec<u8> = values.iter().flat_map(|x| f16::from_f32(*x).to_le_bytes()).collect();
            let query: Vec<f32> = bytes(numbers, seed ^ 1).into_iter().map(|b| f32::from(b) / 99.0 - 1.0).collect();
            let picks: Vec<u32> = picks.into_iter().map(|pick| pick % rows as u32).collect();
            for isa in Isa::available() {
                let mut out = vec![0.0; picks.len()];
                dot_f16(isa, Table::new(&table, lines * LINE), &query, &picks, &mut out);
                for (row, got) in picks.iter().zip(out) {
                    let row = &values[*row as usize * numbers..][..numbers];
                    let want: f64 = row.iter().zip(&query).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                    prop_assert!((f64::from(got) - want).abs() <= 1e-6 * 4.0 * numbers as f64, "{:?}: {} {}", isa, got, want);
                }
            }
        }
    }

    #[test]
    fn no_rows_give_no_products() {
        for isa in Isa::available() {
            dot_bytes(isa, Table::new(&[], 64), &[1; 64], &[], &mut []);
            dot_f16(isa, Table::new(&[], 64), &[1.0; 32], &[], &mut []);
            dot_bits(isa, Table::new(&[], 64), &[1; 512], &[], &mut []);
        }
    }

    #[test]
    #[should_panic(expected = "row 3 of 2")]
    fn a_row_beyond_the_table_is_refused() {
        dot_bytes(Isa::widest(), Table::new(&[0; 128], 64), &[1; 64], &[0, 2], &mut [0; 2]);
    }
}
