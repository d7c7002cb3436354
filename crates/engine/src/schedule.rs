//! Learning-rate schedules: linear warm-up from zero, then decay to zero.

/// How the learning rate falls after the warm-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decay {
    /// Not at all.
    Constant,
    /// In a straight line.
    Linear,
    /// Along half a cosine.
    Cosine,
}

/// A learning rate per optimiser step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// The highest learning rate.
    pub peak: f32,
    /// Steps of warm-up; the first update of a warm-up has rate 0.
    pub warmup: usize,
    /// All steps, warm-up included.
    pub steps: usize,
    /// What follows the warm-up.
    pub decay: Decay,
}

impl Schedule {
    /// Learning rate of step `step`, counted from 0.
    pub fn rate(&self, step: usize) -> f32 {
        if step < self.warmup {
            return self.peak * (step as f64 / self.warmup as f64) as f32;
        }
        let span = self.steps.saturating_sub(self.warmup).max(1) as f64;
        let done = ((step - self.warmup) as f64 / span).min(1.0);
        let share = match self.decay {
            Decay::Constant => 1.0,
            Decay::Linear => 1.0 - done,
            Decay::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * done).cos()),
        };
        (f64::from(self.peak) * share) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rises_from_zero_and_falls_to_zero() {
        for decay in [Decay::Linear, Decay::Cosine] {
            let schedule = Schedule { peak: 2.0, warmup: 4, steps: 10, decay };
            assert_eq!(schedule.rate(0), 0.0);
            assert_eq!(schedule.rate(2), 1.0);
            assert_eq!(schedule.rate(4), 2.0);
            assert!(schedule.rate(7) > 0.9 && schedule.rate(7) < 1.1);
            assert!(schedule.rate(10).abs() < 1e-6);
        }
    }
}
