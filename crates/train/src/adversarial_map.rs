//! A map from one set of vectors onto another that no pair was given for, learnt against a discriminator.
//!
//! The discriminator D is to tell mapped sources W x from targets y; W is trained to deceive it, and drawn back to an
//! orthogonal matrix after every step (Conneau, Lample, Ranzato, Denoyer and Jégou, ICLR 2018, arXiv 1710.04087):
//!
//! ```text
//! L_D = −mean [ ln D(W x) + ln (1 − D(y)) ]      L_W = −mean ln (1 − D(W x))      W ← (1 + β) W − β (W Wᵀ) W
//! ```
//!
//! with smoothed labels, 1 standing for a source. The map is rough; `isogloss_dense::calibration::refine` completes it.

mod discriminator;

use isogloss_dense::Vectors;
use isogloss_dense::calibration::{Csls, apply_rotation, orthogonalize};
use isogloss_engine::op::{Activation, linear};
use isogloss_engine::{Gradients, Key, Tensor, no_grad};

use crate::error::{Error, Result};
use discriminator::{Discriminator, loss};

/// How the map is learnt. The defaults are published, except where they are called ours.
#[derive(Clone, Debug)]
pub struct AdversarialOptions {
    /// Hidden layers of the discriminator.
    pub hidden_layers: usize,
    /// Width of a hidden layer.
    pub hidden_size: usize,
    /// Slope of the leaky rectifier below 0.
    pub leak: f32,
    /// Share of the discriminator's inputs set to 0 while it learns.
    pub input_dropout: f32,
    /// What labels lack of 1 and have above 0.
    pub smoothing: f32,
    /// Steps of the discriminator before each step of the map.
    pub discriminator_steps: usize,
    /// Vectors of each side in a batch.
    pub batch: usize,
    /// Learning rate of both at the beginning.
    pub learning_rate: f32,
    /// Factor of the map's learning rate after every epoch.
    pub decay: f32,
    /// β of the step towards an orthogonal matrix.
    pub beta: f64,
    /// Epochs; the best map of all is kept.
    pub epochs: usize,
    /// Steps of the map in an epoch (ours; the authors take 31,250).
    pub steps_per_epoch: usize,
    /// Sources, and targets, that maps are compared on, at most: the first ones.
    pub selection: usize,
    /// k of the comparison.
    pub neighbors: usize,
    /// What is random follows from it.
    pub seed: u64,
}

impl Default for AdversarialOptions {
    fn default() -> Self {
        Self {
            hidden_layers: 2,
            hidden_size: 2048,
            leak: 0.2,
            input_dropout: 0.1,
            smoothing: 0.1,
            discriminator_steps: 5,
            batch: 32,
            learning_rate: 0.1,
            decay: 0.98,
            beta: 0.001,
            epochs: 5,
            steps_per_epoch: 1000,
            selection: 10_000,
            neighbors: 10,
            seed: 0,
        }
    }
}

/// How an epoch ended.
#[derive(Clone, Copy, Debug)]
pub struct AdversarialEpoch {
    /// From 1.
    pub epoch: usize,
    /// Mean loss of the discriminator; 0.69 where it can only guess.
    pub discriminator_loss: f64,
    /// Mean cosine of every source with its CSLS neighbour: what maps are chosen by.
    pub mean_cosine: f64,
}

/// The best map of all epochs.
#[derive(Clone, Debug)]
pub struct AdversarialMap {
    /// W, row-major.
    pub rotation: Vec<f64>,
    /// What it was chosen by.
    pub mean_cosine: f64,
    /// The epoch it is from; 0 is the identity that learning starts with.
    pub epoch: usize,
}

/// Learns a map of `source` onto `target` from the identity on, and tells every epoch. The same seed gives the same map.
///
/// Both sets are divided by the mean length of all their vectors first (ours), which changes no rotation but makes the
/// learning rate fit vectors of any length.
///
/// # Errors
/// A set without vectors; an option that cannot be; a loss that is not finite.
///
/// # Panics
/// Where the two have vectors of different lengths.
pub fn adversarial_map(
    source: &Vectors,
    target: &Vectors,
    options: &AdversarialOptions,
    mut tell: impl FnMut(&AdversarialEpoch),
) -> Result<AdversarialMap> {
    assert_eq!(source.dim(), target.dim(), "vectors of different lengths");
    check(source, target, options)?;
    let selection = Selection::new(source, target, options);
    let (source, target) = scaled(source, target);
    let mut game = Game::new(&source, &target, options);
    let mut best = AdversarialMap { mean_cosine: selection.mean_cosine(&game.w)?, rotation: game.w.clone(), epoch: 0 };
    for epoch in 1..=options.epochs {
        let discriminator_loss = game.epoch(epoch)?;
        let mean_cosine = selection.mean_cosine(&game.w)?;
        tell(&AdversarialEpoch { epoch, discriminator_loss, mean_cosine });
        if mean_cosine > best.mean_cosine {
            best = AdversarialMap { rotation: game.w.clone(), mean_cosine, epoch };
        }
    }
    Ok(best)
}

fn check(source: &Vectors, target: &Vectors, options: &AdversarialOptions) -> Result<()> {
    let share = |x: f32| (0.0..1.0).contains(&x);
    let rules = [
        ("vectors", !source.is_empty() && !target.is_empty(), "both sides need some"),
        ("hidden_size", options.hidden_size > 0, "must be positive"),
        ("batch", options.batch > 0, "must be positive"),
        ("steps_per_epoch", options.steps_per_epoch > 0, "must be positive"),
        ("input_dropout", share(options.input_dropout), "must be from 0 to below 1"),
        ("smoothing", share(2.0 * options.smoothing), "must be from 0 to below 0.5"),
        ("learning_rate", options.learning_rate > 0.0, "must be positive"),
        ("decay", options.decay > 0.0, "must be positive"),
    ];
    match rules.iter().find(|(_, holds, _)| !holds) {
        Some((key, _, problem)) => Err(Error::value(&format!("adversarial.{key}"), *problem)),
        None => Ok(()),
    }
}

/// Both sets over the mean length of all vectors.
fn scaled(source: &Vectors, target: &Vectors) -> (Vectors, Vectors) {
    let dim = source.dim();
    let length = |x: &[f32]| x.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
    let rows = source.data().chunks_exact(dim).chain(target.data().chunks_exact(dim));
    let mean = rows.map(length).sum::<f64>() / (source.len() + target.len()) as f64;
    let factor = if mean > 0.0 { (1.0 / mean) as f32 } else { 1.0 };
    let scale = |vectors: &Vectors| {
        let mut vectors = vectors.clone();
        vectors.data_mut().iter_mut().for_each(|x| *x *= factor);
        vectors
    };
    (scale(source), scale(target))
}

/// What maps are compared on.
struct Selection {
    source: Vectors,
    target: Vectors,
    neighbors: usize,
}

impl Selection {
    fn new(source: &Vectors, target: &Vectors, options: &AdversarialOptions) -> Self {
        let first = |vectors: &Vectors| {
            let rows = vectors.view().rows(0, vectors.len().min(options.selection.max(1)));
            Vectors::new(vectors.dim(), rows.data().to_vec()).expect("whole rows")
        };
        Self { source: first(source), target: first(target), neighbors: options.neighbors }
    }

    fn mean_cosine(&self, w: &[f64]) -> Result<f64> {
        let w: Vec<f32> = narrow(w);
        let mut mapped = self.source.clone();
        for (i, to) in mapped.data_mut().chunks_exact_mut(self.source.dim()).enumerate() {
            apply_rotation(&w, self.source.row(i), to);
        }
        Ok(Csls::new(mapped, self.target.clone(), self.neighbors)?.mean_cosine()?)
    }
}

fn narrow(numbers: &[f64]) -> Vec<f32> {
    numbers.iter().map(|x| *x as f32).collect()
}

/// The map, its opponent, and where both stand.
struct Game<'a> {
    source: &'a Vectors,
    target: &'a Vectors,
    options: &'a AdversarialOptions,
    /// W, row-major.
    w: Vec<f64>,
    discriminator: Discriminator,
    key: Key,
    batches: u64,
}

impl<'a> Game<'a> {
    fn new(source: &'a Vectors, target: &'a Vectors, options: &'a AdversarialOptions) -> Self {
        let (dim, key) = (source.dim(), Key::new(options.seed));
        let w = (0..dim * dim).map(|at| f64::from(u8::from(at / dim == at % dim))).collect();
        let discriminator = Discriminator::new(dim, options, key.derive(0));
        Self { source, target, options, w, discriminator, key: key.derive(1), batches: 0 }
    }

    /// The mean loss of the discriminator over an epoch, from 1.
    fn epoch(&mut self, epoch: usize) -> Result<f64> {
        let options = self.options;
        let learning_rate = options.learning_rate * options.decay.powi(epoch as i32 - 1);
        let mut sum = 0.0;
        for step in 0..options.steps_per_epoch {
            for _ in 0..options.discriminator_steps {
                sum += self.discriminator_step();
            }
            self.map_step(learning_rate);
            if !sum.is_finite() || self.w.iter().any(|w| !w.is_finite()) {
                let problem = format!(
                    "epoch {epoch}, step {step}: the discriminator's loss or the map is no longer finite; lower learning_rate"
                );
                return Err(Error::value("adversarial", problem));
            }
        }
        Ok(sum / (options.steps_per_epoch * options.discriminator_steps).max(1) as f64)
    }

    /// Random sources `[batch, dim]` and targets, drawn with repetition.
    fn batch(&mut self) -> (Tensor, Vectors, Key) {
        let (dim, n) = (self.source.dim(), self.options.batch);
        let key = self.key.derive(self.batches);
        self.batches += 1;
        let draw = |vectors: &Vectors, key: Key| -> Vec<f32> {
            (0..n as u64).flat_map(|i| vectors.row(key.below(i, vectors.len())).to_vec()).collect()
        };
        let source = Tensor::new(draw(self.source, key.derive(0)), &[n, dim]);
        let target = Vectors::new(dim, draw(self.target, key.derive(1))).expect("whole rows");
        (source, target, key.derive(2))
    }

    /// The discriminator learns to tell mapped sources (first) from targets; its loss.
    fn discriminator_step(&mut self) -> f64 {
        let (source, target, key) = self.batch();
        let dim = target.dim();
        let w = Tensor::new(narrow(&self.w), &[dim, dim]);
        let mut input = no_grad(|| linear(&source, &w, None, Activation::Identity)).data().to_vec();
        input.extend_from_slice(target.data());
        drop_out(&mut input, self.options.input_dropout, key);
        let rows = input.len() / dim;
        let pass = self.discriminator.forward(Tensor::new(input, &[rows, dim]));
        let (loss, gradient) = loss(&pass.logits(), &self.labels(1.0 - self.options.smoothing));
        self.discriminator.learn(pass.backward(gradient, self.options.leak).1, self.options.learning_rate);
        loss
    }

    /// The map learns to make its results pass for targets.
    fn map_step(&mut self, learning_rate: f32) {
        let (source, target, _) = self.batch();
        let (n, dim) = (self.options.batch, target.dim());
        let w = Tensor::parameter(narrow(&self.w), &[dim, dim]);
        let mapped = linear(&source, &w, None, Activation::Identity);
        let mut input = mapped.data().to_vec();
        input.extend_from_slice(target.data());
        let pass = self.discriminator.forward(Tensor::parameter(input, &[2 * n, dim]));
        let (_, gradient) = loss(&pass.logits(), &self.labels(self.options.smoothing));
        let (at_input, _) = pass.backward(gradient, self.options.leak);
        let at_input = at_input.expect("the input is a leaf").data()[..n * dim].to_vec();
        let mut gradients = Gradients::default();
        mapped.backward_from(Tensor::new(at_input, &[n, dim]), &mut gradients);
        let gradient = gradients.take(&w).expect("the map is a leaf");
        for (w, g) in self.w.iter_mut().zip(gradient.data()) {
            *w -= f64::from(learning_rate * g);
        }
        self.w = orthogonalize(&self.w, dim, self.options.beta);
    }

    /// One label for the sources, its opposite for the targets.
    fn labels(&self, of_sources: f32) -> Vec<f32> {
        let n = self.options.batch;
        (0..2 * n).map(|i| if i < n { of_sources } else { 1.0 - of_sources }).collect()
    }
}

/// Sets a share of the numbers to 0 and makes up for it in the rest.
fn drop_out(numbers: &mut [f32], rate: f32, key: Key) {
    for (i, x) in numbers.iter_mut().enumerate() {
        *x *= if key.uniform(i as u64) < rate { 0.0 } else { 1.0 / (1.0 - rate) };
    }
}

#[cfg(test)]
#[path = "adversarial_map/tests.rs"]
mod tests;
