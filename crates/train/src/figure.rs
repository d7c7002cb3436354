//! Numbers of the log that are read later than the step goes on: on a GPU, waiting for them would leave it without work.

use isogloss_engine::cuda::World;
use isogloss_engine::{Tensor, op};
use serde_json::{Map, Value, json};

use crate::error::Result;
use crate::task::BatchLog;

/// `Σ weight · scalar`, the scalars wherever they were computed; 0 of none.
#[derive(Clone, Default)]
pub struct Figure(Vec<(f64, Tensor)>);

impl Figure {
    /// The scalar itself.
    ///
    /// # Panics
    /// If it is none.
    pub fn of(scalar: Tensor) -> Figure {
        let mut figure = Figure::default();
        figure.add(1.0, &scalar);
        figure
    }

    /// Adds `weight · scalar`, of which the value alone is kept.
    ///
    /// # Panics
    /// If it is no scalar.
    pub fn add(&mut self, weight: f64, scalar: &Tensor) {
        assert_eq!(scalar.elements(), 1, "a figure of a tensor of shape {:?}", scalar.shape());
        self.0.push((weight, scalar.detach()));
    }

    /// The sum of what the GPUs of a world each have. Nothing is waited for.
    ///
    /// # Errors
    /// They cannot exchange it.
    pub(crate) fn over(self, world: &World) -> Result<Figure> {
        if world.size() == 1 {
            return Ok(self);
        }
        let parts = self.0.iter().map(|(weight, scalar)| op::scale(scalar, *weight as f32));
        let own = parts.reduce(|sum, part| op::add(&sum, &part)).unwrap_or_else(|| Tensor::scalar(0.0));
        Ok(Figure::of(world.sum(own).map_err(isogloss_model::Error::from)?))
    }

    /// The scalars.
    pub(crate) fn scalars(&self) -> impl Iterator<Item = &Tensor> {
        self.0.iter().map(|(_, scalar)| scalar)
    }

    /// The number, from the values of [`Figure::scalars`], which it takes from the front of `values`.
    pub(crate) fn value(&self, values: &mut impl Iterator<Item = f64>) -> f64 {
        let parts = self.0.iter().zip(values).map(|((weight, _), value)| weight * value);
        parts.reduce(|sum, part| sum + part).unwrap_or(0.0)
    }
}

/// What the batches of a step add up to.
#[derive(Default)]
pub(crate) struct Sums {
    /// Weighted losses, to be summed.
    losses: Vec<(f64, Figure)>,
    /// What is meant over, by name, in the order in which names came.
    terms: Vec<(String, Vec<Figure>)>,
    /// Examples.
    pub rows: usize,
    /// Tokens.
    pub tokens: usize,
}

impl Sums {
    /// Adds a batch, whose terms' names begin with `prefix`.
    pub fn add(&mut self, prefix: &str, weight: f64, batch: BatchLog) {
        self.losses.push((weight, batch.loss));
        self.rows += batch.rows;
        self.tokens += batch.tokens;
        for (name, value) in batch.terms {
            let name = format!("{prefix}{name}");
            match self.terms.iter_mut().find(|(known, _)| *known == name) {
                Some((_, values)) => values.push(value),
                None => self.terms.push((name, vec![value])),
            }
        }
    }

    /// The scalars that the losses are made of.
    pub fn losses(&self) -> Vec<&Tensor> {
        self.losses.iter().flat_map(|(_, loss)| loss.scalars()).collect()
    }

    /// The scalars that the terms are made of.
    pub fn terms(&self) -> Vec<&Tensor> {
        self.terms.iter().flat_map(|(_, values)| values).flat_map(Figure::scalars).collect()
    }

    /// The loss, and every term as its mean over the batches that have it, from the values of [`Sums::losses`] and [`Sums::terms`].
    pub fn value(&self, values: &mut impl Iterator<Item = f64>) -> (f64, Map<String, Value>) {
        let loss = self.losses.iter().fold(0.0, |sum, (weight, loss)| sum + weight * loss.value(values));
        let mut mean = |figures: &[Figure]| {
            let sum = figures.iter().map(|figure| figure.value(values)).reduce(|sum, value| sum + value);
            sum.unwrap_or(0.0) / figures.len() as f64
        };
        (loss, self.terms.iter().map(|(name, figures)| (name.clone(), json!(mean(figures)))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_take_their_scalars_in_order() {
        let mut mean = Figure::default();
        mean.add(0.25, &Tensor::scalar(8.0));
        mean.add(0.75, &Tensor::scalar(4.0));
        let all = [Figure::of(Tensor::scalar(3.0)), mean, Figure::default(), Figure::of(Tensor::scalar(-0.0))];
        let mut values = all.iter().flat_map(Figure::scalars).map(|scalar| f64::from(scalar.item()));
        let got = all.each_ref().map(|figure| figure.value(&mut values));
        assert_eq!((got, values.next()), ([3.0, 5.0, 0.0, 0.0], None));
        assert!(got[3].is_sign_negative());
    }
}
