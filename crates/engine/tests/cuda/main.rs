//! Every operation with kernels against the same operation on the CPU: on random shapes, odd sizes and empty inputs.
//!
//! The comparisons are made in a process of its own, that finds the libraries of `tests/cuda_host`, which run the kernels on the CPU. On a machine
//! with a GPU, `cargo test -p isogloss-engine --test cuda -- --ignored` makes them there.

mod bf16;
#[path = "../cuda_host/mod.rs"]
mod cuda_host;
mod ops;
mod training;
mod world;

use std::ops::Range;

use isogloss_engine::{Device, Gradients, Key, Tensor};

#[test]
fn kernels_compute_what_the_cpu_does() {
    cuda_host::run_ignored();
}

/// A parameter of standard normal values.
fn random(seed: u64, shape: &[usize]) -> Tensor {
    let n = shape.iter().product::<usize>() as u64;
    Tensor::parameter((0..n).map(|i| Key::new(seed).normal(i)).collect::<Vec<f32>>(), shape)
}

/// The same values on a GPU, for products in the same precision.
fn on_gpu(t: &Tensor) -> Tensor {
    let mut copy = t.leaf();
    copy.set_precision(t.precision());
    copy.set_device(Device::Cuda).unwrap();
    copy
}

/// A length in `range` drawn from a key.
fn draw(key: Key, counter: u64, range: Range<usize>) -> usize {
    range.start + key.below(counter, range.len())
}

fn close(what: &str, got: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(1f32, |a, x| a.max(x.abs()));
    for (i, (got, expected)) in got.iter().zip(expected).enumerate() {
        let near = (got - expected).abs() <= tolerance * largest;
        assert!(near || got.is_nan() && expected.is_nan(), "{what} at {i}: {got}, expected {expected}");
    }
}

/// Compares result and gradients of `f` on a GPU with those in main memory; differences count against the largest value, and 1.
fn same(what: &str, inputs: &[Tensor], tolerance: f32, f: impl Fn(&[Tensor]) -> Tensor) {
    let run = |leaves: &[Tensor]| {
        let out = f(leaves);
        let mut gradients = Gradients::default();
        out.backward_from(random(99, out.shape()).detach(), &mut gradients);
        (out, gradients)
    };
    let there: Vec<Tensor> = inputs.iter().map(on_gpu).collect();
    let (expected, expected_gradients) = run(inputs);
    let (got, got_gradients) = run(&there);
    assert_eq!((got.device(), got.shape()), (Device::Cuda, expected.shape()), "{what}");
    close(what, got.data(), expected.data(), tolerance);
    for (i, (input, there)) in inputs.iter().zip(&there).enumerate() {
        let what = format!("{what}, gradient at input {i}");
        let (got, expected) = (got_gradients.get(there), expected_gradients.get(input));
        assert_eq!(got.is_some(), expected.is_some(), "{what}");
        if let (Some(got), Some(expected)) = (got, expected) {
            assert_eq!((got.device(), got.shape()), (Device::Cuda, expected.shape()), "{what}");
            close(&what, got.data(), expected.data(), tolerance);
        }
    }
}
