//! AdamW (Loshchilov and Hutter 2019) and clipping by the global norm.

use crate::buffer::Buffer;
use crate::cpu::{Isa, rows};
use crate::cuda;
use crate::deferred::Deferred;
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

/// What the gradients of a step are multiplied by before an update. On a GPU it may be one that the process does not know.
pub struct Factor(By);

enum By {
    /// Known; `None` for no update at all.
    Here(Option<f32>),
    /// One f32 on the GPU, negative for no update at all.
    There(cuda::Memory),
}

impl From<f32> for Factor {
    fn from(factor: f32) -> Factor {
        Factor(By::Here(Some(factor)))
    }
}

impl Factor {
    /// The factor in main memory, which a GPU is waited for; `None` for no update.
    fn here(&self) -> Option<f32> {
        match &self.0 {
            By::Here(factor) => *factor,
            By::There(memory) => {
                let mut factor = [0f32];
                memory.gpu().download(memory, &mut factor);
                Some(factor[0]).filter(|factor| *factor >= 0.0)
            }
        }
    }

    /// The factor on a GPU.
    fn there(&self, gpu: &'static cuda::Gpu) -> cuda::Operand<'_> {
        match &self.0 {
            By::Here(factor) => cuda::Operand::Brought(gpu.upload(&[factor.unwrap_or(-1.0)])),
            By::There(memory) => cuda::Operand::There(memory),
        }
    }
}

/// What [`clip`] gives.
pub struct Clipped {
    /// What keeps the gradients' norm within the limit; no update at all where the norm or a loss is not finite.
    pub factor: Factor,
    /// The losses, the other scalars, and behind them the norm √(Σ g²).
    pub told: Deferred<f64>,
}

/// Clips the gradients of `parameters` by their global norm as PyTorch does: times `limit / (norm + 1e-6)` where that is below 1; by nothing if the limit
/// is 0. The norm is summed in f64. Where gradients are on a GPU, all of it happens there and nothing is waited for; `losses` and `others`, scalars wherever
/// they are, come to main memory together with the norm.
///
/// # Panics
/// If a loss or another is no scalar.
pub fn clip<'a>(
    parameters: impl IntoIterator<Item = &'a Tensor>,
    gradients: &Gradients,
    limit: f64,
    losses: &[&Tensor],
    others: &[&Tensor],
) -> Clipped {
    let squares = |t: &Tensor| {
        let data = t.data();
        let mut sums = vec![0f64; data.len().div_ceil(BLOCK)];
        for (sum, chunk) in sums.iter_mut().zip(data.chunks(BLOCK)) {
            *sum = chunk.chunks(256).map(|c| f64::from(c.iter().map(|x| x * x).sum::<f32>())).sum();
        }
        sums.iter().sum::<f64>()
    };
    let gradients: Vec<&Tensor> = parameters.into_iter().filter_map(|p| gradients.get(p)).collect();
    let scalars = [losses, others].concat();
    assert!(scalars.iter().all(|t| t.elements() == 1), "clip: what is told are scalars");
    let (on_gpu, here): (Vec<&Tensor>, Vec<&Tensor>) = gradients.iter().partition(|g| g.device() == Device::Cuda);
    let squared = here.into_iter().map(squares).sum::<f64>();
    if let Some(gpu) = cuda::of(&on_gpu).or_else(|| cuda::of(&scalars)) {
        let step =
            cuda::op::Clip { gradients: &on_gpu, elsewhere: squared, limit, scalars: &scalars, losses: losses.len() };
        let (factor, landing) = cuda::op::clip(gpu, &step);
        return Clipped { factor: Factor(By::There(factor)), told: Deferred::landing(landing) };
    }
    let norm = squared.sqrt();
    let finite = norm.is_finite() && losses.iter().all(|loss| loss.item().is_finite());
    let factor = if limit == 0.0 { 1.0 } else { (limit / (norm + 1e-6)).min(1.0) as f32 };
    let told = scalars.iter().map(|t| f64::from(t.item())).chain([norm]).collect();
    Clipped { factor: Factor(By::Here(finite.then_some(factor))), told: Deferred::here(told) }
}

impl AdamW {
    /// A fresh optimiser.
    pub fn new(config: AdamWConfig) -> AdamW {
        AdamW { config, updates: 0, moments: Vec::new() }
    }

    /// One update at learning rate `rate` of every named parameter that has a gradient, each gradient multiplied by `factor` first; none, though
    /// counted, where that says so.
    /// Parameters must come in the same order at every step.
    ///
    /// # Panics
    /// If a parameter is still shared, by a recorded operation for example.
    pub fn step<'a>(
        &mut self,
        parameters: impl IntoIterator<Item = (String, &'a mut Tensor)>,
        gradients: &Gradients,
        rate: f32,
        factor: impl Into<Factor>,
    ) {
        self.updates += 1;
        let factor = factor.into();
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
            let Some(factor) = factor.here() else {
                continue;
            };
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
        let numbers = [rate, config.beta1, config.beta2, config.eps, c1, c2];
        if let Some(gpu) = on_gpu.first().and_then(|update| cuda::of(&[&*update.weight])) {
            cuda::op::adamw(gpu, &mut on_gpu, &factor.there(gpu), numbers);
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
