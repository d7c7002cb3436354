//! The next token by its logits: the likeliest ones, or a drawn one.

use isogloss_engine::Key;

use super::generate::Sampling;

/// The token of the highest logit, the first of several.
pub(super) fn argmax(logits: &[f32]) -> u32 {
    let mut best = 0;
    for (id, x) in logits.iter().enumerate() {
        if *x > logits[best] {
            best = id;
        }
    }
    best as u32
}

/// The `k` highest logits and their tokens, highest first; of equal ones the first tokens.
pub(super) fn highest(logits: &[f32], k: usize) -> Vec<(f32, u32)> {
    let mut best: Vec<(f32, u32)> = Vec::with_capacity(k + 1);
    for (id, x) in logits.iter().enumerate() {
        if best.len() < k || *x > best[k - 1].0 {
            best.insert(best.partition_point(|(y, _)| y >= x), (*x, id as u32));
            best.truncate(k);
        }
    }
    best
}

impl Sampling {
    /// Draws a token: logits are divided by the temperature, cut to the `top_k` highest, then to the fewest that hold `top_p` of the probability.
    pub(super) fn draw(&self, logits: &[f32], key: Key, step: u64) -> u32 {
        let at = |x: f32, top: f32| (f64::from(x - top) / f64::from(self.temperature)).exp();
        let top = logits.iter().fold(f32::NEG_INFINITY, |a, b| a.max(*b));
        let mut kept: Vec<(f64, u32)> = match self.top_k {
            Some(k) => highest(logits, k).into_iter().map(|(x, id)| (at(x, top), id)).collect(),
            None => logits.iter().enumerate().map(|(id, x)| (at(*x, top), id as u32)).collect(),
        };
        if let Some(share) = self.top_p {
            self.cut_to(&mut kept, f64::from(share));
        }
        let total: f64 = kept.iter().map(|(p, _)| p).sum();
        let mut left = (key.bits(step) >> 11) as f64 / (1u64 << 53) as f64 * total;
        let drawn = kept.iter().find(|(p, _)| {
            left -= p;
            left < 0.0
        });
        // Rounding may leave nothing for the last one.
        drawn.or(kept.last()).map_or(0, |(_, id)| *id)
    }

    /// Keeps the fewest weights that hold `share` of them all, highest first.
    fn cut_to(&self, kept: &mut Vec<(f64, u32)>, share: f64) {
        let total: f64 = kept.iter().map(|(p, _)| p).sum();
        // All lower ones together hold less than what is to be cut.
        let floor = (1.0 - share) * total / kept.len() as f64;
        kept.retain(|(p, _)| *p >= floor);
        kept.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let mut held = 0.0;
        let more = kept.iter().position(|(p, _)| {
            held += p;
            held >= share * total
        });
        kept.truncate(more.map_or(kept.len(), |last| last + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(sampling: Sampling, logits: &[f32]) -> Vec<usize> {
        let mut counts = vec![0; logits.len()];
        for step in 0..20_000 {
            counts[sampling.draw(logits, Key::new(7), step) as usize] += 1;
        }
        counts
    }

    /// Logits of probabilities 0.4, 0.1, 0.3 and 0.2.
    fn logits() -> Vec<f32> {
        [0.4f32, 0.1, 0.3, 0.2].iter().map(|p| p.ln() + 3.0).collect()
    }

    #[track_caller]
    fn close(counts: &[usize], expected: [f64; 4]) {
        for (count, share) in counts.iter().zip(expected) {
            assert!((*count as f64 / 20_000.0 - share).abs() < 0.015, "{counts:?} {expected:?}");
        }
    }

    #[test]
    fn tokens_are_drawn_by_their_probability() {
        close(&drawn(Sampling::default(), &logits()), [0.4, 0.1, 0.3, 0.2]);
        // Squared and normalised.
        let cold = Sampling { temperature: 0.5, ..Sampling::default() };
        close(&drawn(cold, &logits()), [16.0 / 30.0, 1.0 / 30.0, 9.0 / 30.0, 4.0 / 30.0]);
    }

    #[test]
    fn cuts_keep_the_likeliest() {
        let top_k = Sampling { top_k: Some(2), ..Sampling::default() };
        close(&drawn(top_k, &logits()), [4.0 / 7.0, 0.0, 3.0 / 7.0, 0.0]);
        // The first two hold 0.7, the third is needed for 0.75.
        let top_p = Sampling { top_p: Some(0.75), ..Sampling::default() };
        close(&drawn(top_p, &logits()), [4.0 / 9.0, 0.0, 3.0 / 9.0, 2.0 / 9.0]);
        let both = Sampling { top_k: Some(3), top_p: Some(0.4), ..Sampling::default() };
        close(&drawn(both, &logits()), [1.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn the_highest_are_found_in_order_and_ties_go_to_the_first() {
        let logits = [1.0, 5.0, 5.0, -2.0, 4.0];
        assert_eq!(argmax(&logits), 1);
        assert_eq!(highest(&logits, 3), [(5.0, 1), (5.0, 2), (4.0, 4)]);
        assert_eq!(highest(&logits, 9).len(), 5);
    }
}
