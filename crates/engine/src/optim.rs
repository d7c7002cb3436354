//! AdamW (Loshchilov and Hutter 2019) and clipping by the global norm.

use crate::buffer::Buffer;
use crate::cpu::{Isa, rows};
use crate::cuda;
use crate::device::Device;
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
    /// Running mean of the gradient, of the parameter's shape and on its device.
    pub first: Tensor,
    /// Running mean of its square, likewise.
    pub second: Tensor,
}

impl Moments {
    fn of(parameter: &Tensor) -> Moments {
        let zeros = || match cuda::of(&[parameter]) {
            Some(gpu) => Tensor::constant(gpu.zeros::<f32>(parameter.elements()), parameter.shape()),
            None => Tensor::new(Buffer::zeros(parameter.elements()), parameter.shape()),
        };
        Moments { first: zeros(), second: zeros() }
    }
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

/// √(Σ g²) over the gradients of `parameters`, summed in f64; those on a GPU are summed there, and waited for.
pub fn global_norm<'a>(parameters: impl IntoIterator<Item = &'a Tensor>, gradients: &Gradients) -> f64 {
    let squares = |t: &Tensor| {
        let data = t.data();
        let mut sums = vec![0f64; data.len().div_ceil(BLOCK)];
        for (sum, chunk) in sums.iter_mut().zip(data.chunks(BLOCK)) {
            *sum = chunk.chunks(256).map(|c| f64::from(c.iter().map(|x| x * x).sum::<f32>())).sum();
        }
        sums.iter().sum::<f64>()
    };
    let gradients: Vec<&Tensor> = parameters.into_iter().filter_map(|p| gradients.get(p)).collect();
    let (on_gpu, here): (Vec<&Tensor>, Vec<&Tensor>) = gradients.iter().partition(|g| g.device() == Device::Cuda);
    let there = cuda::of(&on_gpu).map_or(0.0, |gpu| cuda::op::square_sum(gpu, &on_gpu));
    (here.into_iter().map(squares).sum::<f64>() + there).sqrt()
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
        let parameters: Vec<(String, &mut Tensor)> = parameters.into_iter().collect();
        for (_, parameter) in &parameters[self.moments.len().min(parameters.len())..] {
            self.moments.push(Moments::of(parameter));
        }
        let mut on_gpu = Vec::new();
        for ((name, parameter), moments) in parameters.into_iter().zip(&mut self.moments) {
            let n = parameter.elements();
            let Some(grad) = gradients.get(parameter).cloned() else {
                continue;
            };
            let decay = if decays(&name) { rate * config.weight_decay } else { 0.0 };
            let only = "the optimiser is the only user of a parameter";
            if parameter.device() == Device::Cuda {
                on_gpu.push(cuda::op::Update { weight: parameter, moments, gradient: grad, decay });
                continue;
            }
            let moment = |moment: &mut Tensor| Shared::new(moment.data_mut().expect(only));
            let (m, v) = (moment(&mut moments.first), moment(&mut moments.second));
            let w = Shared::new(parameter.data_mut().expect(only));
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
        let numbers = [factor, rate, config.beta1, config.beta2, config.eps, c1, c2];
        cuda::op::adamw(&mut on_gpu, numbers);
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
