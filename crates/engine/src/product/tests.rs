use super::*;
use crate::check::random;
use crate::{Isa, sequential};

/// Rows, columns and depth of products: single, odd, empty, more than a panel, a block of rows, a block of the sum.
const SIZES: [(usize, usize, usize); 11] = [
    (1, 1, 1),
    (3, 48, 5),
    (13, 49, 200),
    (70, 130, 33),
    (8, 16, 0),
    (0, 7, 9),
    (4, 0, 6),
    (129, 100, 401),
    (5, 97, 1603),
    (66, 385, 64),
    (131, 50, 3),
];

fn compute(isa: Isa, precision: Precision, (m, n, k): (usize, usize, usize), a: &[f32], w: &[f32]) -> Vec<f32> {
    let panels = Panels::new(isa, precision, (k, n), transposed(w, k));
    let mut c = vec![f32::NAN; m * n];
    product(&panels, m, row_major(a, k), &mut c, |_, _| {});
    c
}

/// `x` with the significant bits of bf16.
fn rounded(x: f32) -> f64 {
    let low = x.to_bits() & 0xffff;
    let up = low > 0x8000 || low == 0x8000 && x.to_bits() & 0x1_0000 != 0;
    f64::from(f32::from_bits((x.to_bits() >> 16 << 16).wrapping_add(u32::from(up) << 16)))
}

#[test]
fn bf16_products_equal_the_definition_on_every_instruction_set() {
    for isa in Isa::available() {
        for (m, n, k) in SIZES {
            let (a, w) = (random(1, &[m, k]), random(2, &[n, k]));
            let c = compute(isa, Precision::Bf16, (m, n, k), a.data(), w.data());
            for (i, x) in c.iter().enumerate() {
                let (r, s) = (i / n, i % n);
                let terms = (0..k).map(|p| rounded(a.data()[r * k + p]) * rounded(w.data()[s * k + p]));
                let (sum, size) = terms.fold((0.0, 0.0), |(sum, size), x| (sum + x, size + x.abs()));
                assert!((f64::from(*x) - sum).abs() <= 1e-6 * size, "{isa} {m}x{n}x{k} at {r},{s}: {x} {sum}");
            }
        }
    }
}

#[test]
fn bf16_products_have_the_same_bits_with_and_without_the_instruction() {
    for (m, n, k) in SIZES {
        let (a, w) = (random(1, &[m, k]), random(2, &[n, k]));
        let isa = Isa::current();
        let c = compute(isa, Precision::Bf16, (m, n, k), a.data(), w.data());
        let panels = Panels::new(isa, Precision::Bf16, (k, n), transposed(w.data(), k));
        let mut widened = vec![f32::NAN; m * n];
        // SAFETY: the extents are those of the matrices.
        unsafe {
            let left = Left::new(&panels, m, row_major(a.data(), k));
            let (a, b, c) = (left.view, panels.data.as_ptr(), widened.as_mut_ptr());
            multiply::multiply_widened(isa, Product { m, n, k: panels.groups(), a, b, c, ldc: n, add: false });
        }
        assert_eq!(c, widened, "{m}x{n}x{k}");
    }
}

/// The rule of int8 with plain loops: (scale, zero, bytes) of a row and (scale, bytes) of a channel.
fn row_of_bytes(x: &[f32]) -> (f32, i64, Vec<i64>) {
    let (low, high) = x.iter().fold((0f32, 0f32), |(low, high), x| (low.min(*x), high.max(*x)));
    let inverse = if high > low { 255.0 / (high - low) } else { 0.0 };
    let zero = (-low * inverse).round_ties_even();
    let byte = |x: &f32| ((x * inverse).round_ties_even() + zero).clamp(0.0, 255.0) as i64;
    ((high - low) / 255.0, zero as i64, x.iter().map(byte).collect())
}

fn channel_of_bytes(w: &[f32]) -> (f32, Vec<i64>) {
    let largest = w.iter().fold(0f32, |a, x| a.max(x.abs()));
    let inverse = if largest > 0.0 { 127.0 / largest } else { 0.0 };
    (largest / 127.0, w.iter().map(|w| (w * inverse).round_ties_even() as i64).collect())
}

#[test]
fn int8_products_equal_the_definition_bit_for_bit_on_every_instruction_set() {
    for (m, n, k) in SIZES {
        let (a, w) = (random(1, &[m, k]), random(2, &[n, k]));
        let rows: Vec<_> = (0..m).map(|i| row_of_bytes(&a.data()[i * k..(i + 1) * k])).collect();
        let channels: Vec<_> = (0..n).map(|j| channel_of_bytes(&w.data()[j * k..(j + 1) * k])).collect();
        let value = |i: usize| {
            let ((scale, zero, u), (of_channel, q)) = (&rows[i / n], &channels[i % n]);
            let sum: i64 = u.iter().zip(q).map(|(u, q)| (u - zero) * q).sum();
            sum as f32 * (scale * of_channel)
        };
        let expected: Vec<f32> = (0..m * n).map(value).collect();
        for isa in Isa::available() {
            assert_eq!(compute(isa, Precision::Int8, (m, n, k), a.data(), w.data()), expected, "{isa} {m}x{n}x{k}");
        }
    }
}

#[test]
fn extreme_bytes_do_not_saturate() {
    // 255 · ±127 in every place is the most that two, four and all products of a lane can add up to.
    let (m, n, k) = (2, 3, 1024);
    let a: Vec<f32> = (0..m * k).map(|i| if i < k { 1.0 } else { -1.0 }).collect();
    let w: Vec<f32> = (0..n * k).map(|i| if i / k == 1 { -2.0 } else { 2.0 }).collect();
    for isa in Isa::available() {
        let c = compute(isa, Precision::Int8, (m, n, k), &a, &w);
        for (x, sign) in c.iter().zip([1.0, -1.0, 1.0, -1.0, 1.0, -1.0]) {
            assert!((x - sign * 2048.0).abs() < 1e-2, "{isa} {c:?}");
        }
    }
}

#[test]
fn what_is_not_finite_stays_so_in_its_row_alone() {
    let (m, n, k) = (70, 20, 37);
    for precision in [Precision::Bf16, Precision::Int8] {
        for isa in Isa::available() {
            for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                let (mut a, w) = (random(1, &[m, k]).data().to_vec(), random(2, &[n, k]));
                a[3 * k + 36] = bad;
                let c = compute(isa, precision, (m, n, k), &a, w.data());
                for (i, x) in c.iter().enumerate() {
                    assert_eq!(x.is_finite(), i / n != 3, "{isa} {precision} {bad} at {i}: {x}");
                }
            }
        }
    }
}

#[test]
fn a_row_depends_on_neither_its_neighbours_nor_the_threads() {
    let (m, n, k) = (200, 130, 96);
    let (a, w) = (random(1, &[m, k]), random(2, &[n, k]));
    for precision in Precision::ALL {
        for isa in Isa::available() {
            let whole = compute(isa, precision, (m, n, k), a.data(), w.data());
            assert_eq!(sequential(|| compute(isa, precision, (m, n, k), a.data(), w.data())), whole);
            for rows in [0..1, 5..12, 60..130] {
                let part = &a.data()[rows.start * k..rows.end * k];
                let alone = compute(isa, precision, (rows.len(), n, k), part, w.data());
                assert_eq!(alone, whole[rows.start * n..rows.end * n], "{isa} {precision}");
            }
        }
    }
}
