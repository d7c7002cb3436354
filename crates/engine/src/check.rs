//! Gradient checks for the tests: analytic gradients against central differences.

use crate::random::Key;
use crate::tensor::{Gradients, Tensor};
use crate::{Isa, with_isa};

/// A parameter of standard normal values.
pub(crate) fn random(seed: u64, shape: &[usize]) -> Tensor {
    let n = shape.iter().product::<usize>();
    let data: Vec<f32> = (0..n as u64).map(|i| Key::new(seed).normal(i)).collect();
    Tensor::parameter(data, shape)
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum()
}

/// Compares the gradient of a random projection of `f` at every element of every input with central differences,
/// for every instruction set of the machine.
pub(crate) fn gradients_match(inputs: &[Tensor], f: impl Fn(&[Tensor]) -> Tensor) {
    for isa in Isa::available() {
        with_isa(isa, || gradients_match_here(inputs, &f));
    }
}

fn gradients_match_here(inputs: &[Tensor], f: &impl Fn(&[Tensor]) -> Tensor) {
    let leaves: Vec<Tensor> = inputs.iter().map(Tensor::leaf).collect();
    let out = f(&leaves);
    let direction = random(99, out.shape()).detach();
    let mut gradients = Gradients::default();
    out.backward_from(direction.clone(), &mut gradients);
    let h = 1e-2f32;
    for (which, leaf) in leaves.iter().enumerate() {
        let grad = gradients.get(leaf).unwrap_or_else(|| panic!("input {which} has no gradient"));
        let largest = grad.data().iter().fold(1e-3f32, |a, x| a.max(x.abs()));
        for i in 0..leaf.data().len() {
            let at = |delta: f32| {
                let mut moved: Vec<Tensor> = leaves.clone();
                let mut data = leaf.data().to_vec();
                data[i] += delta;
                moved[which] = Tensor::new(data, leaf.shape());
                dot(f(&moved).data(), direction.data())
            };
            // Fourth-order differences: the error of the step stays below f32 rounding.
            let numeric = (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * f64::from(h));
            let error = (numeric - f64::from(grad.data()[i])).abs() / f64::from(largest);
            assert!(
                error < 2e-3,
                "{} input {which} element {i}: analytic {} numeric {numeric}",
                Isa::current(),
                grad.data()[i]
            );
        }
    }
}
