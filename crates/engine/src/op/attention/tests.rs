use super::*;
use crate::check::{gradients_match, random};
use crate::{Gradients, Isa, no_grad, with_isa};

#[test]
fn gradients_plain_windowed_and_with_dropout() {
    let packed = Packed::new([3, 1, 6], 0);
    let inputs = [random(1, &[10, 12])];
    for (window, dropout) in
        [(None, None), (Some(1), None), (None, Some((0.3, Key::new(4)))), (Some(2), Some((0.2, Key::new(5))))]
    {
        gradients_match(&inputs, |x| {
            attention(&x[0], &packed, Attention { heads: 2, window, dropout, ..Default::default() })
        });
    }
}

#[test]
fn a_long_windowed_sequence_equals_the_definition() {
    let (length, width, window) = (200, 4, 9);
    let qkv = random(6, &[length, 3 * width]);
    let packed = Packed::new([length], 0);
    let out = attention(&qkv, &packed, Attention { heads: 1, window: Some(window), ..Default::default() });
    let at = |row: usize, part: usize, d: usize| f64::from(qkv.data()[row * 3 * width + part * width + d]);
    for row in [0, 63, 64, 100, 199] {
        let seen: Vec<usize> = (0..length).filter(|j| j.abs_diff(row) <= window).collect();
        let weight = |j: usize| ((0..width).map(|d| at(row, 0, d) * at(j, 1, d)).sum::<f64>() / 2.0).exp();
        let total: f64 = seen.iter().map(|&j| weight(j)).sum();
        for d in 0..width {
            let expected = seen.iter().map(|&j| weight(j) * at(j, 2, d)).sum::<f64>() / total;
            assert!((f64::from(out.data()[row * width + d]) - expected).abs() < 1e-5);
        }
    }
}

#[test]
fn gradients_of_causal_scaled_and_biased_attention() {
    let packed = Packed::new([3, 1, 6], 0);
    let inputs = [random(1, &[10, 12]), random(2, &[8, 2])];
    let dropout = Some((0.3, Key::new(4)));
    for (causal, scale, dropout) in [(true, Some(1.0), None), (false, None, dropout), (true, Some(0.7), dropout)] {
        let options = Attention { heads: 2, causal, scale, dropout, ..Default::default() };
        let positions = RelativePositions { buckets: 8, max_distance: 5, bidirectional: !causal };
        gradients_match(&inputs[..1], |x| attention(&x[0], &packed, options));
        gradients_match(&inputs, |x| biased_attention(&x[0], &packed, options, &x[1], positions));
    }
}

#[test]
fn gradients_of_cross_attention() {
    let (queries, keys) = (Packed::new([3, 1, 2], 0), Packed::new([2, 5, 1], 0));
    let inputs = [random(1, &[6, 8]), random(2, &[8, 16])];
    for dropout in [None, Some((0.2, Key::new(5)))] {
        let options = Attention { heads: 2, dropout, ..Default::default() };
        gradients_match(&inputs, |x| cross_attention(&x[0], &x[1], &queries, &keys, options));
    }
}

#[test]
fn a_long_causal_sequence_with_a_bias_equals_the_definition() {
    let (length, width) = (150, 4);
    let (qkv, table) = (random(6, &[length, 3 * width]), random(7, &[8, 1]));
    let positions = RelativePositions { buckets: 8, max_distance: 20, bidirectional: false };
    let options = Attention { heads: 1, causal: true, scale: Some(0.5), ..Default::default() };
    let out = biased_attention(&qkv, &Packed::new([length], 0), options, &table, positions);
    let at = |row: usize, part: usize, d: usize| f64::from(qkv.data()[row * 3 * width + part * width + d]);
    for row in [0, 1, 63, 64, 149] {
        let weight = |j: usize| {
            let bias = f64::from(table.data()[positions.bucket(j as i64 - row as i64)]);
            (0.5 * (0..width).map(|d| at(row, 0, d) * at(j, 1, d)).sum::<f64>() + bias).exp()
        };
        let total: f64 = (0..=row).map(weight).sum();
        for d in 0..width {
            let expected = (0..=row).map(|j| weight(j) * at(j, 2, d)).sum::<f64>() / total;
            assert!((f64::from(out.data()[row * width + d]) - expected).abs() < 1e-5);
        }
    }
}

/// Result and gradient at `qkv` of one head of one sequence by the definition, in f64, for the output's gradient `slope`.
fn by_definition(qkv: &[f32], slope: &[f32], (length, width): (usize, usize)) -> (Vec<f64>, Vec<f64>) {
    let at = |row: usize, part: usize, d: usize| f64::from(qkv[(row * 3 + part) * width + d]);
    let dot = |f: &dyn Fn(usize) -> f64| (0..width).map(f).sum::<f64>();
    let scale = 1.0 / (width as f64).sqrt();
    let (mut out, mut gradient) = (vec![0.0; length * width], vec![0.0; 3 * length * width]);
    for i in 0..length {
        let weights: Vec<f64> = (0..length).map(|j| (scale * dot(&|d| at(i, 0, d) * at(j, 1, d))).exp()).collect();
        let total: f64 = weights.iter().sum();
        let p: Vec<f64> = weights.iter().map(|w| w / total).collect();
        let dp: Vec<f64> = (0..length).map(|j| dot(&|d| f64::from(slope[i * width + d]) * at(j, 2, d))).collect();
        let mean: f64 = p.iter().zip(&dp).map(|(p, dp)| p * dp).sum();
        for j in 0..length {
            let ds = scale * p[j] * (dp[j] - mean);
            for d in 0..width {
                out[i * width + d] += p[j] * at(j, 2, d);
                gradient[3 * i * width + d] += ds * at(j, 1, d);
                gradient[(3 * j + 1) * width + d] += ds * at(i, 0, d);
                gradient[(3 * j + 2) * width + d] += p[j] * f64::from(slope[i * width + d]);
            }
        }
    }
    (out, gradient)
}

fn largest_error(got: &[f32], expected: &[f64]) -> f64 {
    let largest = expected.iter().fold(0f64, |a, x| a.max(x.abs()));
    got.iter().zip(expected).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max) / largest
}

#[test]
fn long_and_ragged_sequences_equal_the_definition_in_both_formats_and_directions() {
    for (length, width, isas) in [(1030, 6, vec![Isa::current()]), (67, 7, Isa::available()), (1, 4, Isa::available())]
    {
        let (qkv, slope) = (random(6, &[length, 3 * width]), random(7, &[length, width]).detach());
        let (out, gradient) = by_definition(qkv.data(), slope.data(), (length, width));
        for isa in isas {
            for (precision, tolerance) in [(Precision::F32, 2e-5), (Precision::Bf16, 2e-2)] {
                let leaf = qkv.leaf().with_computed_in(precision);
                let packed = Packed::new([length], 0);
                let options = Attention { heads: 1, ..Default::default() };
                let mut gradients = Gradients::default();
                let result = with_isa(isa, || {
                    let result = attention(&leaf, &packed, options);
                    result.backward_from(slope.clone(), &mut gradients);
                    result
                });
                let error = largest_error(result.data(), &out);
                assert!(error < tolerance, "{isa} {precision} {length}: result off by {error}");
                assert_eq!(error < 1e-5, precision == Precision::F32, "{isa} {precision} {length}: the format counts");
                let error = largest_error(gradients.get(&leaf).unwrap().data(), &gradient);
                assert!(error < tolerance, "{isa} {precision} {length}: gradient off by {error}");
            }
        }
    }
}

#[test]
fn a_single_key_gets_no_gradient_in_either_format() {
    for precision in [Precision::F32, Precision::Bf16] {
        let (qkv, slope) = (random(8, &[3, 3 * 64]), random(9, &[3, 64]).detach());
        let leaf = qkv.leaf().with_computed_in(precision);
        let mut gradients = Gradients::default();
        let options = Attention { heads: 1, ..Default::default() };
        attention(&leaf, &Packed::new([1, 1, 1], 0), options).backward_from(slope, &mut gradients);
        for row in gradients.get(&leaf).unwrap().data().chunks(3 * 64) {
            assert!(row[..128].iter().all(|x| x.abs() < 1e-5), "{precision}");
            assert!(row[128..].iter().any(|x| x.abs() > 0.1));
        }
    }
}

#[test]
fn eight_thousand_tokens_need_no_matrix_of_all_pairs() {
    let length = 8192;
    let qkv = random(1, &[length, 3 * 2]);
    let out = no_grad(|| attention(&qkv, &Packed::new([length], 0), Attention { heads: 1, ..Default::default() }));
    assert_eq!(out.shape(), [length, 2]);
    let held = SCRATCH.with_borrow(|scratch| scratch.elements());
    assert!(held <= 100 * length, "{held} elements of scratch memory");
}
