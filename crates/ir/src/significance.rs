//! Whether one system is better than another on the same queries, or only luckier.
//!
//! Every test takes the differences query by query and is two-sided: its p is the chance, were there no difference,
//! of one at least as large in either direction. No result is ever NaN; each test says what it gives where
//! it has nothing to tell.

mod effect;
mod holm;
mod randomisation;
mod student;
mod t_test;

pub use effect::{detectable_difference, effect_size, standard_deviation};
pub use holm::holm;
pub use randomisation::{Randomisation, randomisation_test};
pub use student::{student_quantile, student_two_sided};
pub use t_test::{TTest, paired_t_test};

use crate::Bootstrap;
use serde::{Deserialize, Serialize};

/// How resampling tests and intervals draw; the same values give the same result on every machine.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Resampling {
    /// Of the generators.
    pub seed: u64,
    /// Draws of a randomisation test and of a bootstrap, at least 1.
    pub resamples: usize,
    /// The share of resampled means inside an interval, between 0 and 1.
    pub confidence: f64,
}

impl Default for Resampling {
    fn default() -> Self {
        Self { seed: 42, resamples: 10_000, confidence: 0.95 }
    }
}

impl Resampling {
    /// The same, for intervals.
    pub fn bootstrap(&self) -> Bootstrap {
        Bootstrap { seed: self.seed, resamples: self.resamples, confidence: self.confidence }
    }
}
