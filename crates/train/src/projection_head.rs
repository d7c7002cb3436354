//! The projection head of contrastive context prediction (Wu et al. 2022): Linear → BatchNorm → ReLU → Linear, with an asymmetric batch norm, which
//! keeps the two sides of a pair from recognising each other by the batch's statistics. It is thrown away after training.

use std::collections::BTreeMap;

use isogloss_engine::op::{self, Activation, ColumnStatistics};
use isogloss_engine::{Key, Tensor};

use crate::error::{Error, Result};

/// Which statistics normalise which side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Asymmetry {
    /// One side by its own rows, the other by the running ones as they were before this step (the order is ours: nothing of the batch
    /// leaks).
    #[default]
    BeforeUpdate,
    /// The other side by the running ones as this step leaves them.
    AfterUpdate,
    /// Both sides by their own rows: what the published design is to be compared with.
    None,
}

/// Options of a [`ProjectionHead`]. The ReLU, like the absence of biases, is the authors' sibling code's.
#[derive(Clone, Copy, Debug, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProjectionHeadConfig {
    /// Whether there is a ReLU after the batch norm.
    pub relu: bool,
    /// Which statistics normalise which side.
    pub asymmetry: Asymmetry,
    /// Added to variances.
    pub eps: f32,
    /// Share of a batch in the running statistics.
    pub momentum: f32,
}

impl Default for ProjectionHeadConfig {
    fn default() -> ProjectionHeadConfig {
        ProjectionHeadConfig { relu: true, asymmetry: Asymmetry::default(), eps: 1e-5, momentum: 0.1 }
    }
}

/// What normalises a side in [`ProjectionHead::project`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistics {
    /// Those of its own rows.
    Batch,
    /// The running ones.
    Running,
}

/// Weights and running statistics of the head.
pub struct ProjectionHead {
    config: ProjectionHeadConfig,
    /// `[hidden, input]`
    first: Tensor,
    /// `[hidden]`
    gamma: Tensor,
    /// `[hidden]`
    beta: Tensor,
    /// `[output, hidden]`
    second: Tensor,
    running: ColumnStatistics,
    steps: u64,
}

impl ProjectionHead {
    /// A head of the given weights: first linear map `[hidden, input]`, gamma and beta `[hidden]`, second linear map `[output, hidden]`;
    /// running mean 0 and variance 1.
    ///
    /// # Panics
    /// If the shapes do not fit.
    pub fn new(config: ProjectionHeadConfig, [first, gamma, beta, second]: [Tensor; 4]) -> ProjectionHead {
        let (hidden, _) = first.matrix();
        let fits = gamma.elements() == hidden && beta.elements() == hidden && second.matrix().1 == hidden;
        assert!(fits, "projection head: {:?}, {:?}, {:?}", first.shape(), gamma.shape(), second.shape());
        ProjectionHead { config, first, gamma, beta, second, running: ColumnStatistics::standard(hidden), steps: 0 }
    }

    /// A head with normal weights of variance 1 / inputs (ours), gamma 1 and beta 0.
    pub fn fresh(config: ProjectionHeadConfig, [input, hidden, output]: [usize; 3], key: Key) -> ProjectionHead {
        let weight = |key: Key, rows: usize, columns: usize| {
            let deviation = 1.0 / (columns as f32).sqrt();
            let values: Vec<f32> = (0..(rows * columns) as u64).map(|i| deviation * key.normal(i)).collect();
            Tensor::parameter(values, &[rows, columns])
        };
        let constant = |value: f32| Tensor::parameter(vec![value; hidden], &[hidden]);
        let (first, second) = (weight(key.derive(0), hidden, input), weight(key.derive(1), output, hidden));
        ProjectionHead::new(config, [first, constant(1.0), constant(0.0), second])
    }

    /// Width of what it gives.
    pub fn width(&self) -> usize {
        self.second.matrix().0
    }

    /// Projects the two sides of a batch of pairs, updates the running statistics and swaps the sides' roles for the next call: at even ones
    /// the centre is normalised by its own rows, at odd ones the context. To warm up the running statistics, call it without
    /// gradient.
    ///
    /// # Shapes
    /// `centre`, `context`: `[N, input]` → twice `[N, output]`, un-normalised.
    ///
    /// # Panics
    /// If the shapes do not fit or there is no row.
    pub fn forward(&mut self, centre: &Tensor, context: &Tensor) -> (Tensor, Tensor) {
        let swapped = self.steps % 2 == 1;
        self.steps += 1;
        let (own, other) = if swapped { (context, centre) } else { (centre, context) };
        let (own, other) = match self.config.asymmetry {
            Asymmetry::BeforeUpdate => {
                let other = self.project(other, Statistics::Running);
                (self.train(own), other)
            }
            Asymmetry::AfterUpdate => {
                let own = self.train(own);
                (own, self.project(other, Statistics::Running))
            }
            Asymmetry::None => (self.train(own), self.train(other)),
        };
        if swapped { (other, own) } else { (own, other) }
    }

    /// Projects one side and changes nothing: to compare what batch statistics and running ones give.
    ///
    /// # Shapes
    /// `x: [N, input]` → `[N, output]`.
    ///
    /// # Panics
    /// If the shapes do not fit or there is no row.
    pub fn project(&self, x: &Tensor, statistics: Statistics) -> Tensor {
        let hidden = self.hidden(x);
        self.output(&match statistics {
            Statistics::Batch => op::batch_norm(&hidden, &self.gamma, &self.beta, self.config.eps).0,
            Statistics::Running => op::batch_norm_by(&hidden, &self.running, &self.gamma, &self.beta, self.config.eps),
        })
    }

    /// Projects a side by its own statistics and takes them into the running ones.
    fn train(&mut self, x: &Tensor) -> Tensor {
        let hidden = self.hidden(x);
        let (normalized, batch) = op::batch_norm(&hidden, &self.gamma, &self.beta, self.config.eps);
        self.update(&batch, x.matrix().0);
        self.output(&normalized)
    }

    fn hidden(&self, x: &Tensor) -> Tensor {
        op::linear(x, &self.first, None, Activation::Identity)
    }

    fn output(&self, normalized: &Tensor) -> Tensor {
        let activated = if self.config.relu { op::relu(normalized) } else { normalized.clone() };
        op::linear(&activated, &self.second, None, Activation::Identity)
    }

    /// Moves the running statistics towards those of a batch, its variance unbiased. A single row has no such variance and moves nothing.
    fn update(&mut self, batch: &ColumnStatistics, rows: usize) {
        if rows < 2 {
            return;
        }
        let momentum = self.config.momentum;
        let unbiased = rows as f32 / (rows - 1) as f32;
        let step =
            |running: &Tensor, new: &Tensor| op::add(&op::scale(running, 1.0 - momentum), &op::scale(new, momentum));
        self.running = ColumnStatistics {
            mean: step(&self.running.mean, &batch.mean),
            variance: step(&self.running.variance, &op::scale(&batch.variance, unbiased)),
        };
    }

    /// Mean and variance as accumulated over the batches so far.
    pub fn running(&self) -> &ColumnStatistics {
        &self.running
    }

    /// Named parameters in a fixed order.
    pub fn parameters(&self) -> Vec<(String, &Tensor)> {
        let tensors = [&self.first, &self.gamma, &self.beta, &self.second];
        NAMES.iter().map(|name| (*name).to_string()).zip(tensors).collect()
    }

    /// As [`ProjectionHead::parameters`], to change.
    pub fn parameters_mut(&mut self) -> Vec<(String, &mut Tensor)> {
        let tensors = [&mut self.first, &mut self.gamma, &mut self.beta, &mut self.second];
        NAMES.iter().map(|name| (*name).to_string()).zip(tensors).collect()
    }

    /// What a checkpoint keeps beside the parameters: the running statistics, and the number of steps, whose parity says whose turn it is.
    pub fn state(&self) -> (BTreeMap<String, Tensor>, BTreeMap<String, u64>) {
        let tensors = [(MEAN, &self.running.mean), (VARIANCE, &self.running.variance)];
        let tensors = tensors.map(|(name, values)| (name.to_string(), values.clone()));
        (BTreeMap::from(tensors), BTreeMap::from([(STEPS.to_string(), self.steps)]))
    }

    /// Takes up what [`ProjectionHead::state`] gave.
    ///
    /// # Errors
    /// Something is missing or of another width.
    pub fn restore(&mut self, tensors: &BTreeMap<String, Tensor>, counts: &BTreeMap<String, u64>) -> Result<()> {
        let width = self.running.mean.elements();
        let take = |name: &str| match tensors.get(name).filter(|t| t.shape() == [width]) {
            Some(found) => Ok(found.clone()),
            None => Err(Error::value(name, format!("is missing or not {width} wide; start the run over"))),
        };
        let running = ColumnStatistics { mean: take(MEAN)?, variance: take(VARIANCE)? };
        self.steps = *counts.get(STEPS).ok_or_else(|| Error::value(STEPS, "is missing; start the run over"))?;
        self.running = running;
        Ok(())
    }
}

const NAMES: [&str; 4] = ["first.weight", "norm.weight", "norm.bias", "second.weight"];
const MEAN: &str = "norm.running_mean";
const VARIANCE: &str = "norm.running_var";
const STEPS: &str = "norm.steps";

#[cfg(test)]
mod tests {
    use super::*;

    fn head(asymmetry: Asymmetry) -> ProjectionHead {
        let config = ProjectionHeadConfig { asymmetry, ..ProjectionHeadConfig::default() };
        ProjectionHead::fresh(config, [4, 6, 3], Key::new(1))
    }

    /// Running means and variances.
    fn values(head: &ProjectionHead) -> (&[f32], &[f32]) {
        (head.running().mean.data(), head.running().variance.data())
    }

    fn side(seed: u64, rows: usize) -> Tensor {
        Tensor::new((0..rows as u64 * 4).map(|i| Key::new(seed).normal(i) + 0.5).collect::<Vec<f32>>(), &[rows, 4])
    }

    #[test]
    fn a_restored_head_goes_on_as_the_first_would_have() {
        let mut head = head(Asymmetry::BeforeUpdate);
        head.forward(&side(2, 5), &side(3, 5));
        let (tensors, counts) = head.state();
        let mut other = super::tests::head(Asymmetry::BeforeUpdate);
        other.restore(&tensors, &counts).unwrap();
        let (a, b) = (head.forward(&side(4, 5), &side(5, 5)), other.forward(&side(4, 5), &side(5, 5)));
        assert_eq!((a.0.data(), a.1.data()), (b.0.data(), b.1.data()));
        assert_eq!(values(&head), values(&other));
        let error = other.restore(&BTreeMap::new(), &counts).unwrap_err();
        assert_eq!(error.to_string(), "norm.running_mean: is missing or not 6 wide; start the run over");
    }

    #[test]
    fn without_asymmetry_both_sides_are_normalised_by_their_own_rows() {
        let mut head = head(Asymmetry::None);
        let (centre, context) = (side(2, 5), side(3, 5));
        for _ in 0..2 {
            let (u, v) = head.forward(&centre, &context);
            assert_eq!(u.data(), head.project(&centre, Statistics::Batch).data());
            assert_eq!(v.data(), head.project(&context, Statistics::Batch).data());
        }
    }

    #[test]
    fn one_row_is_projected_and_moves_no_running_statistics() {
        let mut head = head(Asymmetry::AfterUpdate);
        let (u, v) = head.forward(&side(2, 1), &side(3, 1));
        assert!(u.data().iter().chain(v.data()).all(|x| x.is_finite()));
        assert_eq!(values(&head), (&[0.0; 6][..], &[1.0; 6][..]));
    }

    #[test]
    fn every_parameter_is_named_once() {
        let mut head = head(Asymmetry::default());
        let names: Vec<String> = head.parameters().into_iter().map(|(name, _)| name).collect();
        let to_change: Vec<String> = head.parameters_mut().into_iter().map(|(name, _)| name).collect();
        assert_eq!((names.len(), &names), (4, &to_change));
    }
}
