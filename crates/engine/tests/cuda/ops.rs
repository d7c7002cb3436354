//! Operation by operation.

use isogloss_engine::op::{self, Activation, Attention, Pooling, RelativePositions};
use isogloss_engine::{Key, Packed, Tensor, no_grad};

use super::{draw, on_gpu, random, same};

/// Sizes around those of warps, vectors and blocks.
pub(super) const WIDTHS: [usize; 8] = [1, 3, 32, 33, 100, 256, 384, 1030];

#[test]
#[ignore = "in a process of its own"]
fn elements() {
    for n in [0, 1, 5, 1023, 70_000] {
        let inputs = [random(1, &[n]), random(2, &[n])];
        same("add", &inputs, 1e-6, |x| op::add(&x[0], &x[1]));
        same("add to itself", &inputs[..1], 1e-6, |x| op::add(&x[0], &op::add(&x[0], &x[0])));
        same("scale", &inputs[..1], 1e-6, |x| op::scale(&x[0], -1.5));
        same("relu", &inputs[..1], 1e-6, |x| op::relu(&x[0]));
    }
    for (t, n) in [(0, 3), (1, 1), (5, 33), (70, 128)] {
        for gelu in [Activation::Gelu, Activation::GeluTanh] {
            same("geglu", &[random(1, &[t, 2 * n])], 3e-6, |x| op::geglu(&x[0], gelu));
        }
    }
}

#[test]
#[ignore = "in a process of its own"]
fn a_mixed_input_is_brought_up_and_its_gradient_comes_back() {
    let (a, b) = (random(1, &[4, 5]), random(2, &[4, 5]));
    let sum = op::add(&on_gpu(&a), &b);
    let mut gradients = isogloss_engine::Gradients::default();
    op::mean(&sum).backward(&mut gradients);
    assert_eq!(gradients.get(&b).unwrap().data(), &[1.0 / 20.0; 20]);
    let mut changed = on_gpu(&a);
    changed.data_mut().unwrap()[3] = 7.0;
    assert_eq!((changed.device(), changed.data()[3]), (isogloss_engine::Device::Cpu, 7.0));
}

#[test]
#[ignore = "in a process of its own"]
fn sums_to_a_scalar() {
    for shape in [[1, 1], [3, 7], [70, 131]] {
        let inputs = [random(1, &shape), random(2, &shape)];
        same("mean", &inputs[..1], 1e-6, |x| op::mean(&x[0]));
        same("mean squared error", &inputs, 1e-6, |x| op::mean_squared_error(&x[0], &x[1]));
        same("log cosh", &inputs[..1], 1e-6, |x| op::log_cosh(&x[0]));
        same("divergence", &inputs, 3e-6, |x| op::softmax_divergence(&x[0], &x[1]));
    }
}

#[test]
#[ignore = "in a process of its own"]
fn cross_entropies() {
    for (m, n) in [(1, 1), (3, 5), (40, 33), (5, 1300)] {
        let logits = [random(1, &[m, n])];
        let targets: Vec<usize> = (0..m).map(|i| i * 7 % n).collect();
        same("cross-entropy", &logits, 1e-6, |x| op::softmax_cross_entropy(&x[0], &targets, None));
        let excluded: Vec<bool> = (0..m * n).map(|i| i % 3 == 0 && i % n != targets[i / n]).collect();
        same("with exclusions", &logits, 1e-6, |x| op::softmax_cross_entropy(&x[0], &targets, Some(&excluded)));
        let labels: Vec<Option<usize>> = targets.iter().map(|t| (t % 2 == 0).then_some(*t)).collect();
        same("of labels", &logits, 1e-6, |x| op::cross_entropy(&op::scale(&x[0], 10.0), &labels));
        same("without a label", &logits, 1e-6, |x| op::cross_entropy(&x[0], &vec![None; m]));
    }
}

#[test]
#[ignore = "in a process of its own"]
fn projections_onto_a_vocabulary() {
    for (m, n, d) in [(1, 1, 1), (5, 7, 4), (0, 9, 3), (130, 500, 33)] {
        let inputs = [random(1, &[m, d]), random(2, &[n, d]), random(3, &[n])];
        let targets: Vec<usize> = (0..m).map(|i| i * 53 % n).collect();
        let loss = |x: &[Tensor], smoothing| {
            op::scale(&op::projected_cross_entropy(&x[0], &x[1], x.get(2), &targets, smoothing), 3.0)
        };
        same("projected cross-entropy", &inputs, 1e-5, |x| loss(x, 0.0));
        same("smoothed, without a bias", &inputs[..2], 1e-5, |x| loss(x, 0.2));
    }
}

#[test]
#[ignore = "in a process of its own"]
fn rows_and_columns() {
    for n in WIDTHS {
        let x = random(1, &[9, n]);
        same("gather rows", &[x.leaf()], 1e-6, |x| op::gather_rows(&x[0], &[3, 3, 0, 8, 3]));
        same("gather no rows", &[x.leaf()], 1e-6, |x| op::gather_rows(&x[0], &[]));
        same("gather one row", &[x.leaf()], 1e-5, |x| op::gather_rows(&x[0], &[2; 300]));
        same("gather columns", &[x.leaf()], 1e-6, |x| op::gather_columns(&x[0], &[n - 1, 0, n / 2, 0]));
        let parts = [x, random(2, &[0, n]), random(3, &[4, n])];
        same("concat", &parts, 1e-6, |x| op::concat_rows(&[&x[0], &x[1], &x[2], &x[0]]));
        same("dot rows", &[random(4, &[3, n]), random(5, &[6, n])], 3e-6, |x| op::dot_rows(&x[0], &x[1]));
        same("normalise", &[random(6, &[7, n])], 1e-6, |x| op::l2_normalize(&x[0]));
    }
    same("normalise zeros", &[Tensor::parameter(vec![0.0; 6], &[2, 3])], 1e-6, |x| op::l2_normalize(&x[0]));
}

#[test]
#[ignore = "in a process of its own"]
fn norms() {
    for n in WIDTHS {
        for t in [0, 1, 5, 130] {
            let inputs = [random(1, &[t, n]), random(2, &[n]), random(3, &[t, n]), random(4, &[n])];
            // A row of one or few elements has next to no spread: its slopes are huge.
            let eps = if n < 30 { 1e-2 } else { 1e-5 };
            same("norm of a sum", &inputs, 1e-5, |x| op::layer_norm(&x[0], Some(&x[2]), &x[1], Some(&x[3]), eps));
            same("norm", &inputs[..2], 1e-5, |x| op::layer_norm(&x[0], None, &x[1], None, eps));
            same("rms norm", &inputs[..2], 1e-5, |x| op::rms_norm(&x[0], &x[1], 1e-6));
        }
    }
}

#[test]
#[ignore = "in a process of its own"]
fn embeddings_and_pooling() {
    let packed = Packed::new([3, 0, 40, 1], 0);
    let ids: Vec<u32> = (0..44).map(|i| i * i % 9).collect();
    for d in WIDTHS {
        let tables = [random(1, &[9, d]), random(2, &[50, d]), random(3, &[2, d])];
        let positions: Vec<u32> = (0..44).collect();
        same("embedding", &tables, 1e-5, |x| op::embedding(&[(&x[0], &ids), (&x[1], &positions), (&x[2], &[1; 44])]));
        same("embedding of nothing", &tables[..1], 1e-6, |x| op::embedding(&[(&x[0], &[])]));
        same("bag", &tables[..1], 1e-5, |x| op::embedding_bag(&x[0], &ids, &packed));
        for pooling in [Pooling::Cls, Pooling::Mean, Pooling::Last] {
            same("pool", &[random(4, &[44, d])], 1e-6, |x| op::pool(&x[0], &packed, pooling, &[]));
        }
        same("pool a part", &[random(4, &[44, d])], 1e-6, |x| op::pool(&x[0], &packed, Pooling::Mean, &[1, 0, 7, 5]));
    }
}

#[test]
#[ignore = "in a process of its own"]
fn linear_maps() {
    for (t, n, k) in [(1, 1, 1), (5, 9, 7), (0, 3, 4), (33, 64, 48), (130, 17, 100)] {
        let inputs = [random(1, &[t, k]), random(2, &[n, k]), random(3, &[n])];
        for activation in
            [Activation::Identity, Activation::Gelu, Activation::GeluTanh, Activation::Tanh, Activation::Relu]
        {
            let what = format!("linear {t}×{n}×{k} {activation:?}");
            same(&what, &inputs, 1e-5, |x| op::linear(&x[0], &x[1], Some(&x[2]), activation));
            let (a, b): (Vec<Tensor>, Vec<Tensor>) = (inputs.to_vec(), inputs.iter().map(on_gpu).collect());
            let [a, b] = [a, b].map(|x| no_grad(|| op::linear(&x[0], &x[1], Some(&x[2]), activation)));
            super::close(&what, b.data(), a.data(), 1e-5);
        }
        same("without a bias", &inputs[..2], 1e-5, |x| op::linear(&x[0], &x[1], None, Activation::Identity));
    }
}

#[test]
#[ignore = "in a process of its own"]
fn dropout_has_the_mask_of_the_cpu() {
    let packed = Packed::new([3, 0, 40, 1], 5);
    for n in WIDTHS {
        same("dropout", &[random(1, &[44, n])], 1e-6, |x| op::dropout(&x[0], &packed, 0.3, Key::new(4)));
    }
}

/// Lengths of up to `most` tokens, empty ones among them.
pub(super) fn lengths(seed: u64, most: usize) -> Vec<usize> {
    (0..5).map(|i| if i == 2 { 0 } else { draw(Key::new(seed), i, 1..most + 1) }).collect()
}

#[test]
#[ignore = "in a process of its own"]
fn attention() {
    for (seed, heads, width, most) in [(1, 1, 1, 3), (2, 3, 8, 20), (3, 2, 32, 70), (4, 1, 64, 150), (5, 2, 33, 65)] {
        let packed = Packed::new(lengths(seed, most), 3);
        let qkv = [random(seed, &[packed.tokens(), 3 * heads * width])];
        let options = Attention { heads, ..Default::default() };
        let dropout = Some((0.2, Key::new(8)));
        let of = [
            options,
            Attention { window: Some(4), ..options },
            Attention { causal: true, scale: Some(0.3), ..options },
            Attention { dropout, ..options },
        ];
        for options in of {
            let what = format!("attention {heads}×{width} {options:?}");
            same(&what, &qkv, 1e-5, |x| op::attention(&x[0], &packed, options));
        }
        let keys = Packed::new(lengths(seed + 9, most).into_iter().map(|n| n + 1), 0);
        let hidden = heads * width;
        let inputs = [random(1, &[packed.tokens(), hidden]), random(2, &[keys.tokens(), 2 * hidden])];
        same("cross-attention", &inputs, 1e-5, |x| op::cross_attention(&x[0], &x[1], &packed, &keys, options));
    }
}

#[test]
#[ignore = "in a process of its own"]
fn batch_norms() {
    for (m, n) in [(1, 1), (6, 5), (70, 33), (300, 100)] {
        let inputs = [random(1, &[m, n]), random(2, &[n]), random(3, &[n])];
        same("batch norm", &inputs, 1e-5, |x| op::batch_norm(&op::scale(&x[0], 2.0), &x[1], &x[2], 1e-2).0);
        let (_, statistics) = op::batch_norm(&random(4, &[m + 1, n]), &inputs[1], &inputs[2], 1e-2);
        same("by others", &inputs, 1e-5, |x| op::batch_norm_by(&x[0], &statistics, &x[1], &x[2], 1e-2));
    }
}

#[test]
#[ignore = "in a process of its own"]
fn attention_with_biases() {
    for (seed, heads, width, most) in [(2, 3, 8, 20), (4, 2, 64, 150)] {
        let packed = Packed::new(lengths(seed, most), 3);
        let hidden = heads * width;
        for bidirectional in [true, false] {
            let positions = RelativePositions { buckets: 8, max_distance: 20, bidirectional };
            let options = Attention { heads, causal: !bidirectional, scale: Some(0.3), ..Default::default() };
            let attend = |qkv: &Tensor, table: &Tensor| op::biased_attention(qkv, &packed, options, table, positions);
            let inputs = [random(seed, &[packed.tokens(), 3 * hidden]), random(7, &[8, heads])];
            same("attention with biases", &inputs, 1e-5, |x| attend(&x[0], &x[1]));
        }
    }
}

#[test]
#[ignore = "in a process of its own"]
fn operations_without_kernels_go_through_main_memory_and_back() {
    let packed = Packed::new([3, 5], 0);
    let options = Attention { heads: 1, ..Default::default() };
    same("wide heads", &[random(6, &[8, 3 * 130])], 1e-6, |x| op::attention(&x[0], &packed, options));
}

#[test]
#[ignore = "in a process of its own"]
fn rotation() {
    for (heads, width) in [(1, 2), (3, 8), (2, 64)] {
        let packed = Packed::new(lengths(1, 60), 0);
        let qkv = [random(1, &[packed.tokens(), 3 * heads * width])];
        same("rotary", &qkv, 3e-6, |x| op::rotary(&x[0], &packed, heads, 10_000.0));
    }
}
