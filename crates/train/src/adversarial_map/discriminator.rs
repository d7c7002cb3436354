//! The opponent of the adversarial map: tells mapped sources from targets.

use isogloss_engine::op::{Activation, linear};
use isogloss_engine::{Gradients, Key, Tensor};

use super::AdversarialOptions;

/// Linear layers with leaky rectifiers between them, down to one logit: the larger, the more like a source.
pub(super) struct Discriminator {
    layers: Vec<(Tensor, Tensor)>,
    leak: f32,
}

/// A forward pass: every layer's input and output before the rectifier.
pub(super) struct Pass {
    layers: Vec<(Tensor, Tensor)>,
    weights: Vec<(Tensor, Tensor)>,
}

impl Discriminator {
    /// Weights and biases uniform in ±1/√inputs, as PyTorch draws them.
    pub(super) fn new(dim: usize, options: &AdversarialOptions, key: Key) -> Self {
        let mut widths = vec![dim];
        widths.extend(std::iter::repeat_n(options.hidden_size, options.hidden_layers));
        widths.push(1);
        let layer = |(i, pair): (usize, &[usize])| {
            let (inputs, outputs) = (pair[0], pair[1]);
            let bound = 1.0 / (inputs as f32).sqrt();
            let draw = |n: usize, key: Key| -> Vec<f32> {
                (0..n as u64).map(|at| bound * (2.0 * key.uniform(at) - 1.0)).collect()
            };
            let key = key.derive(i as u64);
            let weight = Tensor::parameter(draw(inputs * outputs, key.derive(0)), &[outputs, inputs]);
            (weight, Tensor::parameter(draw(outputs, key.derive(1)), &[outputs]))
        };
        Self { layers: widths.windows(2).enumerate().map(layer).collect(), leak: options.leak }
    }

    pub(super) fn forward(&self, input: Tensor) -> Pass {
        let mut pass = Pass { layers: Vec::new(), weights: self.layers.clone() };
        let mut x = input;
        for (weight, bias) in &self.layers {
            let z = linear(&x, weight, Some(bias), Activation::Identity);
            let a: Vec<f32> = z.data().iter().map(|z| if *z > 0.0 { *z } else { self.leak * z }).collect();
            let next = Tensor::parameter(a, z.shape());
            pass.layers.push((x, z));
            x = next;
        }
        pass
    }

    /// One step of gradient descent.
    pub(super) fn learn(&mut self, gradients: Vec<(Tensor, Tensor)>, learning_rate: f32) {
        for ((weight, bias), (of_weight, of_bias)) in self.layers.iter_mut().zip(gradients) {
            for (parameter, gradient) in [(weight, of_weight), (bias, of_bias)] {
                let to = parameter.data_mut().expect("the pass is over");
                to.iter_mut().zip(gradient.data()).for_each(|(p, g)| *p -= learning_rate * g);
            }
        }
    }
}

impl Pass {
    pub(super) fn logits(&self) -> Vec<f32> {
        self.layers.last().map_or(Vec::new(), |(_, z)| z.data().to_vec())
    }

    /// Gradients at the input (where it is a leaf) and at every layer's weight and bias.
    pub(super) fn backward(self, at_logits: Vec<f32>, leak: f32) -> (Option<Tensor>, Vec<(Tensor, Tensor)>) {
        let mut found = Vec::new();
        let mut gradient = at_logits;
        let mut at_input = None;
        for ((x, z), (weight, bias)) in self.layers.into_iter().zip(self.weights).rev() {
            if at_input.is_some() {
                gradient.iter_mut().zip(z.data()).for_each(|(g, z)| *g *= if *z > 0.0 { 1.0 } else { leak });
            }
            let mut gradients = Gradients::default();
            z.backward_from(Tensor::new(gradient, z.shape()), &mut gradients);
            let mut take = |leaf: &Tensor| gradients.take(leaf);
            found.push((take(&weight).expect("a leaf"), take(&bias).expect("a leaf")));
            at_input = take(&x);
            gradient = at_input.as_ref().map_or(Vec::new(), |g| g.data().to_vec());
        }
        found.reverse();
        (at_input, found)
    }
}

/// Mean cross-entropy of logits against labels in 0..=1, and its gradient at the logits.
pub(super) fn loss(logits: &[f32], labels: &[f32]) -> (f64, Vec<f32>) {
    let n = logits.len() as f32;
    // ln(1 + e^z) − t z, without overflow for large |z|.
    let one = |(z, t): (&f32, &f32)| f64::from(z.max(0.0) - z * t) + f64::from((-z.abs()).exp()).ln_1p();
    let mean = logits.iter().zip(labels).map(one).sum::<f64>() / f64::from(n);
    let gradient = logits.iter().zip(labels).map(|(z, t)| (1.0 / (1.0 + (-z).exp()) - t) / n);
    (mean, gradient.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_of_the_discriminator_equal_finite_differences() {
        let options = AdversarialOptions { hidden_size: 5, hidden_layers: 2, ..AdversarialOptions::default() };
        let discriminator = Discriminator::new(3, &options, Key::new(4));
        let labels = [0.9, 0.1];
        let input: Vec<f32> = (0..6).map(|i| Key::new(8).normal(i)).collect();
        let value =
            |input: &[f32]| loss(&discriminator.forward(Tensor::new(input.to_vec(), &[2, 3])).logits(), &labels).0;
        let pass = discriminator.forward(Tensor::parameter(input.clone(), &[2, 3]));
        let (_, at_logits) = loss(&pass.logits(), &labels);
        let (gradient, layers) = pass.backward(at_logits, options.leak);
        assert_eq!(layers.len(), 3);
        for (i, got) in gradient.unwrap().data().iter().enumerate() {
            let (mut up, mut down) = (input.clone(), input.clone());
            (up[i], down[i]) = (up[i] + 1e-2, down[i] - 1e-2);
            let want = (value(&up) - value(&down)) / 2e-2;
            assert!((f64::from(*got) - want).abs() < 2e-4, "{got} {want}");
        }
    }
}
