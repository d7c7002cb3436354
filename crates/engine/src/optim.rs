//! AdamW (Loshchilov and Hutter 2019) and clipping by the global norm.

use crate::buffer::Buffer;
use crate::cpu::{Isa, rows};
use crate::parallel::{self, Shared};
use crate::tensor::{Gradients, Tensor};

/// Elements of a parameter that one task updates.
const BLOCK: usize = 1 << 16;

/// Hyper-parameters of [`AdamW`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWConfig {
    /// Decay rate of the first moment.
    pub beta1: f32,
    /// Decay rate of the second moment.
    pub beta2: f32,
    /// Added to the root of the second moment.
    pub eps: f32,
    /// Decoupled weight decay, times the learning rate.
    pub weight_decay: f32,
}

impl Default for AdamWConfig {
    fn default() -> AdamWConfig {
        AdamWConfig { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.01 }
    }
}

/// First and second moment of one parameter.
#[derive(Debug)]
pub struct Moments {
    /// Running mean of the gradient.
    pub first: Buffer,
    /// Running mean of its square.
    pub second: Buffer,
}

/// The optimiser's state: moments in the order in which parameters are given to [`AdamW::step`].
pub struct AdamW {
    config: AdamWConfig,
    /// Updates made so far.
    pub updates: u64,
    /// One entry per parameter.
    pub moments: Vec<Moments>,
}

/// Whether weight decay applies to a parameter of this name: not to biases and norms.
pub fn decays(name: &str) -> bool {
    !(name.ends_with("bias") || name.to_ascii_lowercase().contains("norm"))
}

/// √(Σ g²) over the gradients of `parameters`, summed in f64.
pub fn global_norm<'a>(parameters: impl IntoIterator<Item = &'a Tensor>, gradients: &Gradients) -> f64 {
    let squares = |t: &Tensor| {
        let data = t.data();
        let mut sums = vec![0f64; data.len().div_ceil(BLOCK)];
        for (sum, chunk) in sums.iter_mut().zip(data.chunks(BLOCK)) {
            *sum = chunk.chunks(256).map(|c| f64::from(c.iter().map(|x| x * x).sum::<f32>())).sum();
        }
        sums.iter().sum::<f64>()
    };
    parameters.into_iter().filter_map(|p| gradients.get(p)).map(squares).sum::<f64>().sqrt()
}

impl AdamW {
    /// A fresh optimiser.
    pub fn new(config: AdamWConfig) -> AdamW {
        AdamW { config, updates: 0, moments: Vec::new() }
    }

    /// One update at learning rate `rate` of every named parameter that has a gradient, each gradient multiplied by `factor` first.
    /// Parameters must come in the same order at every step.
    ///
    /// # Panics
    /// If a parameter is still shared, by a recorded operation for example.
    pub fn step<'a>(
        &mut self,
        parameters: impl IntoIterator<Item = (String, &'a mut Tensor)>,
        gradients: &Gradients,
        rate: f32,
        factor: f32,
    ) {
        self.updates += 1;
        let config = self.config;
        let correction = |beta: f32| (1.0 / (1.0 - f64::from(beta).powf(self.updates as f64))) as f32;
        let (c1, c2) = (correction(config.beta1), correction(config.beta2));
        let isa = Isa::current();
        for (index, (name, parameter)) in parameters.into_iter().enumerate() {
            let n = parameter.data().len();
            if self.moments.len() == index {
                self.moments.push(Moments { first: Buffer::zeros(n), second: Buffer::zeros(n) });
            }
            let Some(grad) = gradients.get(parameter).cloned() else {
                continue;
            };
            let decay = if decays(&name) { rate * config.weight_decay } else { 0.0 };
            let moments = &mut self.moments[index];
            let (m, v) = (Shared::new(&mut moments.first), Shared::new(&mut moments.second));
            let w = Shared::new(parameter.data_mut().expect("the optimiser is the only user of a parameter"));
            let g = grad.data();
            parallel::blocks(n, BLOCK, |start, end| {
                // SAFETY: blocks are disjoint.
                unsafe {
                    rows::adamw(
                        isa,
                        end - start,
                        w.at(start),
                        m.at(start),
                        v.at(start),
                        g[start..].as_ptr(),
                        factor,
                        rate,
                        decay,
                        config.beta1,
                        config.beta2,
                        config.eps,
                        c1,
                        c2,
                    )
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_follows_the_published_update() {
        let mut w = Tensor::parameter(vec![1.0, -2.0, 0.5], &[3]);
        let mut gradients = Gradients::default();
        let g = [0.1f64, -0.2, 0.3];
        w.backward_from(Tensor::new(g.map(|x| x as f32).to_vec(), &[3]), &mut gradients);
        let before: Vec<f64> = w.data().iter().map(|x| f64::from(*x)).collect();
        AdamW::new(AdamWConfig::default()).step([("w".to_string(), &mut w)], &gradients, 0.01, 1.0);
        for i in 0..3 {
            let expected = before[i] * (1.0 - 0.01 * 0.01) - 0.01 * g[i] / (g[i].abs() + 1e-8);
            assert!((f64::from(w.data()[i]) - expected).abs() < 1e-6);
        }
    }

    #[test]
    fn biases_and_norms_do_not_decay() {
        for name in ["encoder.layer.0.output.dense.bias", "embeddings.LayerNorm.weight", "layers.3.mlp_norm.weight"] {
            assert!(!decays(name), "{name}");
        }
        assert!(decays("encoder.layer.0.output.dense.weight"));
    }
}
