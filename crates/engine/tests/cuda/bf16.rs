//! Operations between products in bf16, whose inputs, results and gradients are bf16 on a GPU, against those in f32 on the CPU.
//!
//! Inputs are rounded on both sides, so that what differs is the rounding of results and gradients on their way: a unit of 8 bits of every element, and
//! where a gradient is a sum over products of them, about that of the largest term. Attention rounds probabilities as well.

use isogloss_engine::op::{self, Activation, Attention, Pooling, RelativePositions};
use isogloss_engine::{DType, Device, Gradients, Key, Packed, Precision, Tensor, no_grad};

use super::ops::{WIDTHS, lengths};
use super::{on_gpu, random, same};

/// `x` as the result of a product in bf16: rounded to it, and held in it on a GPU.
fn rounded(x: &Tensor) -> Tensor {
    let (_, n) = x.matrix();
    let ones: Vec<f32> = (0..n * n).map(|i| if i % (n + 1) == 0 { 1.0 } else { 0.0 }).collect();
    op::linear(x, &in_bf16(Tensor::new(ones, &[n, n])), None, Activation::Identity)
}

/// The same; attention makes its own products in f32 of it on the CPU.
fn rounded_once(x: &Tensor) -> Tensor {
    let y = rounded(x);
    if y.device() == Device::Cpu { op::scale(&y, 1.0) } else { y }
}

/// A weight whose products are in bf16, or a norm's scale among such weights.
fn in_bf16(mut weight: Tensor) -> Tensor {
    weight.set_precision(Precision::Bf16);
    weight
}

/// A unit of 8 bits: a number is rounded when it comes and when it goes.
const ROUNDING: f32 = 8e-3;

#[test]
#[ignore = "in a process of its own"]
fn results_of_products_are_held_in_bf16() {
    let (x, weight) = (on_gpu(&random(1, &[3, 8])), in_bf16(random(2, &[8, 8])));
    let y = op::linear(&x, &weight, None, Activation::Gelu);
    assert_eq!((x.dtype(), y.dtype(), op::relu(&y).dtype()), (DType::F32, DType::Bf16, DType::Bf16));
    assert_eq!(op::add(&x, &y).dtype(), DType::F32);
    let gamma = in_bf16(Tensor::new(vec![1.0; 8], &[8]));
    assert_eq!(op::layer_norm(&y, Some(&x), &gamma, None, 1e-5).dtype(), DType::F32);
    assert_eq!(op::layer_norm_for_products(&x, &gamma, None, 1e-5).dtype(), DType::Bf16);
    assert_eq!(op::rms_norm_for_products(&x, &gamma, 1e-5).dtype(), DType::Bf16);
    // Gradients of leaves are f32, whatever they were on the way.
    let mut gradients = Gradients::default();
    op::mean(&y).backward(&mut gradients);
    assert_eq!(gradients.get(&x).unwrap().dtype(), DType::F32);
    // What is read is the nearest numbers of 8 bits.
    let y = rounded(&x);
    assert!(y.data().iter().zip(x.data()).all(|(y, x)| y.to_bits() & 0xffff == 0 && (y - x).abs() <= x.abs() / 256.0));
    let mut moved = y.detach();
    moved.data_mut().unwrap()[0] = 0.3;
    assert_eq!((moved.dtype(), moved.data()[0], &moved.data()[1..]), (DType::F32, 0.3, &y.data()[1..]));
}

#[test]
#[ignore = "in a process of its own"]
fn elements_in_bf16() {
    for shape in [[0, 3], [1, 1], [5, 33], [70, 128]] {
        let inputs = [random(1, &shape), random(2, &shape)];
        same("f32 + bf16", &inputs, ROUNDING, |x| op::add(&x[0], &rounded(&x[1])));
        same("bf16 + f32", &inputs, ROUNDING, |x| op::add(&rounded(&x[0]), &x[1]));
        same("bf16 + bf16", &inputs, ROUNDING, |x| op::add(&rounded(&x[0]), &rounded(&x[1])));
        same("gradients of both types", &inputs[..1], ROUNDING, |x| op::add(&op::relu(&rounded(&x[0])), &x[0]));
        same("used twice", &inputs[..1], ROUNDING, |x| {
            let x = rounded(&x[0]);
            op::add(&op::scale(&x, 0.5), &op::relu(&x))
        });
        same("relu", &inputs[..1], ROUNDING, |x| op::relu(&rounded(&x[0])));
    }
    for (t, n) in [(0, 3), (1, 1), (5, 33), (70, 128)] {
        for gelu in [Activation::Gelu, Activation::GeluTanh] {
            same("geglu", &[random(1, &[t, 2 * n])], ROUNDING, |x| op::geglu(&rounded(&x[0]), gelu));
        }
    }
    let packed = Packed::new([3, 0, 40, 1], 5);
    for n in WIDTHS {
        same("dropout", &[random(1, &[44, n])], ROUNDING, |x| op::dropout(&rounded(&x[0]), &packed, 0.3, Key::new(4)));
    }
    for (heads, width) in [(1, 2), (3, 8), (5, 6), (2, 64)] {
        let packed = Packed::new(lengths(1, 60), 0);
        let qkv = [random(1, &[packed.tokens(), 3 * heads * width])];
        same("rotary", &qkv, ROUNDING, |x| op::rotary(&rounded(&x[0]), &packed, heads, 10_000.0));
    }
}

#[test]
#[ignore = "in a process of its own"]
fn operations_that_know_f32_alone_take_bf16() {
    let packed = Packed::new([3, 0, 5, 1], 0);
    let x = [random(1, &[9, 33])];
    same("pool", &x, ROUNDING, |x| op::pool(&rounded(&x[0]), &packed, Pooling::Mean, &[]));
    same("normalise", &x, ROUNDING, |x| op::l2_normalize(&rounded(&x[0])));
    same("scale", &x, ROUNDING, |x| op::scale(&rounded(&x[0]), 3.0));
    same("gather rows", &x, ROUNDING, |x| op::gather_rows(&rounded(&x[0]), &[3, 3, 0]));
    same("concat", &x, ROUNDING, |x| op::concat_rows(&[&rounded(&x[0]), &x[0]]));
    same("mean", &x, ROUNDING, |x| op::mean(&rounded(&x[0])));
    same("f32 product", &[random(1, &[9, 33]), random(2, &[5, 33])], ROUNDING, |x| {
        op::linear(&rounded(&x[0]), &x[1], None, Activation::Gelu)
    });
    same("wide heads", &[random(6, &[9, 3 * 130])], ROUNDING, |x| {
        op::attention(&rounded(&x[0]), &packed, Attention { heads: 1, ..Default::default() })
    });
}

#[test]
#[ignore = "in a process of its own"]
fn norms_in_bf16() {
    for n in WIDTHS {
        for t in [0, 1, 5, 40] {
            let inputs = [random(1, &[t, n]), in_bf16(random(2, &[n])), random(3, &[t, n]), random(4, &[n])];
            // A row of one or few elements has next to no spread: its slopes are huge.
            let eps = if n < 30 { 1e-1 } else { 1e-5 };
            let what = |norm: &str| format!("{norm} of {t} × {n}");
            same(&what("norm of a sum"), &inputs, ROUNDING, |x| {
                op::layer_norm(&rounded(&x[0]), Some(&x[2]), &x[1], Some(&x[3]), eps)
            });
            same(&what("norm of a result"), &inputs[..2], ROUNDING, |x| {
                op::layer_norm(&rounded(&x[0]), None, &x[1], None, eps)
            });
            same(&what("norm of a residual in bf16"), &inputs, ROUNDING, |x| {
                op::layer_norm(&x[0], Some(&rounded(&x[2])), &x[1], Some(&x[3]), eps)
            });
            // A scale's gradient is a sum over rows, each term of which was rounded.
            same(&what("norm for products"), &inputs, 4.0 * ROUNDING, |x| {
                op::layer_norm_for_products(&x[0], &x[1], Some(&x[3]), eps)
            });
            same(&what("norm for a product and more"), &inputs, 4.0 * ROUNDING, |x| {
                let y = op::layer_norm(&x[0], None, &x[1], Some(&x[3]), eps);
                op::add(&rounded(&y), &y)
            });
            same(&what("rms norm for products"), &inputs[..2], 4.0 * ROUNDING, |x| {
                op::rms_norm_for_products(&x[0], &x[1], 1e-1)
            });
            same(&what("rms norm of a result"), &inputs[..2], ROUNDING, |x| op::rms_norm(&rounded(&x[0]), &x[1], 1e-1));
        }
    }
}

#[test]
#[ignore = "in a process of its own"]
fn linear_maps_in_bf16() {
    for (t, n, k) in [(1, 1, 1), (5, 9, 7), (0, 3, 4), (33, 64, 48), (130, 17, 100)] {
        let inputs = [random(1, &[t, k]), in_bf16(random(2, &[n, k])), random(3, &[n])];
        for activation in
            [Activation::Identity, Activation::Gelu, Activation::GeluTanh, Activation::Tanh, Activation::Relu]
        {
            let what = format!("linear {t}×{n}×{k} {activation:?}");
            let map = |x: &[Tensor]| op::linear(&x[0], &x[1], Some(&x[2]), activation);
            same(&what, &inputs, ROUNDING, map);
            same(&what, &inputs, ROUNDING, |x| no_grad(|| map(x)));
            // The gradient at the result is rounded before and after it is summed.
            same("of a result, without a bias", &inputs[..2], 2.0 * ROUNDING, |x| {
                op::linear(&rounded(&x[0]), &x[1], None, activation)
            });
        }
    }
}

#[test]
#[ignore = "in a process of its own"]
fn attention_in_bf16() {
    for (seed, heads, width, most) in [(1, 1, 1, 3), (2, 3, 8, 20), (3, 2, 32, 70), (4, 1, 64, 80), (5, 1, 33, 30)] {
        let packed = Packed::new(lengths(seed, most), 3);
        let hidden = heads * width;
        let qkv = [random(seed, &[packed.tokens(), 3 * hidden])];
        let options = Attention { heads, ..Default::default() };
        let of = [
            options,
            Attention { window: Some(4), ..options },
            Attention { causal: true, scale: Some(0.3), ..options },
            Attention { dropout: Some((0.2, Key::new(8))), ..options },
        ];
        for options in of {
            let what = format!("attention {heads}×{width} {options:?}");
            same(&what, &qkv, 1e-2, |x| op::attention(&rounded_once(&x[0]), &packed, options));
        }
        let keys = Packed::new(lengths(seed + 9, most).into_iter().map(|n| n + 1), 0);
        let inputs = [random(1, &[packed.tokens(), hidden]), random(2, &[keys.tokens(), 2 * hidden])];
        same(&format!("cross-attention {heads}×{width}"), &inputs, 1e-2, |x| {
            op::cross_attention(&rounded_once(&x[0]), &rounded_once(&x[1]), &packed, &keys, options)
        });
        for bidirectional in [true, false] {
            let positions = RelativePositions { buckets: 8, max_distance: 20, bidirectional };
            let options = Attention { causal: !bidirectional, scale: Some(0.3), ..options };
            let inputs = [random(seed, &[packed.tokens(), 3 * hidden]), random(7, &[8, heads])];
            same(&format!("biased attention {heads}×{width}"), &inputs, 1e-2, |x| {
                op::biased_attention(&rounded_once(&x[0]), &packed, options, &x[1], positions)
            });
        }
    }
}
