//! The layers that encoders are made of: parameters by name, and the operation on them.

use isogloss_engine::op::{self, Activation};
use isogloss_engine::{Buffer, Device, Key, Precision, Tensor};

use crate::error::{Error, Result};
use crate::weights::Checkpoint;

/// Standard deviation of fresh weights, as BERT's.
pub(crate) const INITIAL_DEVIATION: f32 = 0.02;

/// Where parameters come from: a checkpoint, or fresh random values.
pub(crate) enum Source<'a> {
    /// Tensors by name.
    Checkpoint(&'a Checkpoint),
    /// Normal values of this standard deviation.
    Fresh(Key, f32),
}

impl Source<'_> {
    /// A weight: from the checkpoint, or normal values keyed by its name.
    pub(crate) fn weight(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        match self {
            Source::Checkpoint(c) => c.parameter(name, shape),
            Source::Fresh(key, deviation) => {
                let key = name.bytes().fold(*key, |key, byte| key.derive(u64::from(byte)));
                let n = shape.iter().product::<usize>() as u64;
                let values: Vec<f32> = (0..n).map(|i| deviation * key.normal(i)).collect();
                Ok(Tensor::parameter(Buffer::from(values), shape))
            }
        }
    }

    /// The same, but with fresh values of another standard deviation.
    pub(crate) fn with_deviation(&self, deviation: f32) -> Source<'_> {
        match self {
            Source::Checkpoint(c) => Source::Checkpoint(c),
            Source::Fresh(key, _) => Source::Fresh(*key, deviation),
        }
    }

    /// A vector: from the checkpoint, or all of one value.
    pub(crate) fn constant(&self, name: &str, n: usize, value: f32) -> Result<Tensor> {
        match self {
            Source::Checkpoint(c) => c.parameter(name, &[n]),
            Source::Fresh(..) => Ok(Tensor::parameter(vec![value; n], &[n])),
        }
    }
}

/// Part of the name of a stacked parameter, and what stands there in the names of the parameters that it is made of.
pub(crate) type Stack<'a> = (&'a str, &'a [&'a str]);

/// Parameters under their names in Hugging Face checkpoints: what was stacked comes apart.
pub(crate) fn unstacked<'a>(parameters: Named<'a>, stacks: &[Stack]) -> Vec<(String, Vec<usize>, &'a [f32])> {
    let mut tensors = Vec::new();
    for (name, tensor) in parameters {
        let (data, mut shape) = (tensor.data(), tensor.shape().to_vec());
        match stacks.iter().find(|(stack, _)| name.contains(stack)) {
            None => tensors.push((name, shape, data)),
            Some((stack, parts)) => {
                shape[0] /= parts.len();
                let values = data.chunks_exact(data.len() / parts.len());
                tensors.extend(parts.iter().zip(values).map(|(part, v)| (name.replace(stack, part), shape.clone(), v)));
            }
        }
    }
    tensors
}

/// Named parameters, in the order in which the optimiser sees them.
pub type Named<'a> = Vec<(String, &'a Tensor)>;
/// The same, to change.
pub type NamedMut<'a> = Vec<(String, &'a mut Tensor)>;

/// The precision that a model's parameters were given, all the same.
pub(crate) fn precision_of(parameters: &Named) -> Precision {
    parameters.first().map_or_else(Precision::default, |(_, parameter)| parameter.precision())
}

/// Where a model's parameters are, all in the same place.
pub(crate) fn device_of(parameters: &Named) -> Device {
    parameters.first().map_or_else(Device::default, |(_, parameter)| parameter.device())
}

/// Moves a model's parameters.
pub(crate) fn move_to(parameters: NamedMut, device: Device) -> Result<()> {
    for (_, parameter) in parameters {
        if device == Device::Cuda && parameter.precision() == Precision::Int8 {
            return Err(Error::Int8OnGpu);
        }
        parameter.set_device(device)?;
    }
    Ok(())
}

/// An affine map.
pub(crate) struct Linear {
    pub weight: Tensor,
    pub bias: Option<Tensor>,
}

impl Linear {
    pub(crate) fn load(source: &Source, name: &str, (n, k): (usize, usize), bias: bool) -> Result<Linear> {
        let weight = source.weight(&format!("{name}.weight"), &[n, k])?;
        let bias = bias.then(|| source.constant(&format!("{name}.bias"), n, 0.0)).transpose()?;
        Ok(Linear { weight, bias })
    }

    /// One map of the outputs of several of `n` rows each, stored apart under `names`.
    pub(crate) fn load_stacked(
        source: &Source,
        names: &[String],
        (n, k): (usize, usize),
        bias: bool,
    ) -> Result<Linear> {
        let (mut weights, mut biases) = (Vec::new(), Vec::new());
        for name in names {
            let part = Linear::load(source, name, (n, k), bias)?;
            weights.extend_from_slice(part.weight.data());
            biases.extend(part.bias.iter().flat_map(|bias| bias.data()));
        }
        let rows = names.len() * n;
        let bias = bias.then(|| Tensor::parameter(biases, &[rows]));
        Ok(Linear { weight: Tensor::parameter(weights, &[rows, k]), bias })
    }

    pub(crate) fn forward(&self, x: &Tensor, activation: Activation) -> Tensor {
        op::linear(x, &self.weight, self.bias.as_ref(), activation)
    }

    /// `outer` of what this gives.
    pub(crate) fn forward_into(&self, outer: &Linear, x: &Tensor, activation: Activation) -> Tensor {
        let [inner, outer] = [self, outer].map(|map| (&map.weight, map.bias.as_ref()));
        op::feed_forward(x, inner, activation, outer)
    }

    pub(crate) fn parameters<'a>(&'a self, name: &str, to: &mut Named<'a>) {
        to.push((format!("{name}.weight"), &self.weight));
        to.extend(self.bias.as_ref().map(|b| (format!("{name}.bias"), b)));
    }

    pub(crate) fn parameters_mut<'a>(&'a mut self, name: &str, to: &mut NamedMut<'a>) {
        to.push((format!("{name}.weight"), &mut self.weight));
        to.extend(self.bias.as_mut().map(|b| (format!("{name}.bias"), b)));
    }
}

/// Layer normalisation with learned scale.
pub(crate) struct LayerNorm {
    pub weight: Tensor,
    pub bias: Option<Tensor>,
    pub eps: f32,
}

impl LayerNorm {
    pub(crate) fn load(source: &Source, name: &str, n: usize, eps: f32, bias: bool) -> Result<LayerNorm> {
        let weight = source.constant(&format!("{name}.weight"), n, 1.0)?;
        let bias = bias.then(|| source.constant(&format!("{name}.bias"), n, 0.0)).transpose()?;
        Ok(LayerNorm { weight, bias, eps })
    }

    pub(crate) fn forward(&self, x: &Tensor, residual: Option<&Tensor>) -> Tensor {
        op::layer_norm(x, residual, &self.weight, self.bias.as_ref(), self.eps)
    }

    /// What nothing but affine maps read.
    pub(crate) fn for_products(&self, x: &Tensor) -> Tensor {
        op::layer_norm_for_products(x, &self.weight, self.bias.as_ref(), self.eps)
    }

    pub(crate) fn parameters<'a>(&'a self, name: &str, to: &mut Named<'a>) {
        to.push((format!("{name}.weight"), &self.weight));
        to.extend(self.bias.as_ref().map(|b| (format!("{name}.bias"), b)));
    }

    pub(crate) fn parameters_mut<'a>(&'a mut self, name: &str, to: &mut NamedMut<'a>) {
        to.push((format!("{name}.weight"), &mut self.weight));
        to.extend(self.bias.as_mut().map(|b| (format!("{name}.bias"), b)));
    }
}

/// Root-mean-square normalisation with learned scale.
pub(crate) struct RmsNorm {
    pub weight: Tensor,
    pub eps: f32,
}

impl RmsNorm {
    pub(crate) fn load(source: &Source, name: &str, n: usize, eps: f32) -> Result<RmsNorm> {
        Ok(RmsNorm { weight: source.constant(&format!("{name}.weight"), n, 1.0)?, eps })
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Tensor {
        op::rms_norm(x, &self.weight, self.eps)
    }

    /// What nothing but affine maps read.
    pub(crate) fn for_products(&self, x: &Tensor) -> Tensor {
        op::rms_norm_for_products(x, &self.weight, self.eps)
    }

    pub(crate) fn parameters<'a>(&'a self, name: &str, to: &mut Named<'a>) {
        to.push((format!("{name}.weight"), &self.weight));
    }

    pub(crate) fn parameters_mut<'a>(&'a mut self, name: &str, to: &mut NamedMut<'a>) {
        to.push((format!("{name}.weight"), &mut self.weight));
    }
}

/// Dropout sites of one forward pass: each site has its own key, in the order in which they are met.
pub(crate) struct DropoutSites {
    key: Option<Key>,
    next: u64,
}

impl DropoutSites {
    /// No dropout if there is no key.
    pub(crate) fn new(key: Option<Key>) -> DropoutSites {
        DropoutSites { key, next: 0 }
    }

    /// The key of the next site, unless its rate is 0 or there is no dropout.
    pub(crate) fn next(&mut self, rate: f32) -> Option<(f32, Key)> {
        self.next += 1;
        self.key.filter(|_| rate > 0.0).map(|key| (rate, key.derive(self.next)))
    }

    /// Dropout of `x` at the next site.
    pub(crate) fn apply(&mut self, x: Tensor, packed: &isogloss_engine::Packed, rate: f32) -> Tensor {
        match self.next(rate) {
            Some((rate, key)) => op::dropout(&x, packed, rate, key),
            None => x,
        }
    }
}
