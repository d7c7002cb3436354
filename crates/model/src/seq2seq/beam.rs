//! Beam search for one source: which hypotheses go on, and when it is over.

use super::choose::highest;
use super::decoder::Hypothesis;
use super::generate::{Generated, score};

/// Settings of a beam search.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Beams {
    /// Hypotheses kept at every step.
    pub beams: usize,
    /// Whether the search ends as soon as `beams` hypotheses have ended; else when no running one could still beat the worst of them at its length.
    pub early_stopping: bool,
}

/// The search of one source.
pub(super) struct BeamSearch {
    beams: Beams,
    length_penalty: f64,
    steps: usize,
    eos: u32,
    /// What has ended, best first.
    ended: Vec<Generated>,
}

impl BeamSearch {
    pub(super) fn new(beams: Beams, length_penalty: f64, steps: usize, eos: u32) -> BeamSearch {
        BeamSearch { beams, length_penalty, steps, eos, ended: Vec::new() }
    }

    /// What has ended, best first.
    pub(super) fn into_ended(self) -> Vec<Generated> {
        self.ended
    }

    /// The hypotheses that go on, each one token longer; none when the search is over. `logits` and `log_sums` are of what follows each.
    pub(super) fn advance(&mut self, running: &[Hypothesis], logits: &[f32], log_sums: &[f32]) -> Vec<Hypothesis> {
        let words = logits.len() / running.len();
        let wanted = 2 * self.beams.beams;
        let mut candidates: Vec<(f64, usize, u32)> = Vec::with_capacity(running.len() * wanted);
        for (parent, hypothesis) in running.iter().enumerate() {
            let row = &logits[parent * words..(parent + 1) * words];
            let log_p = |x: f32| hypothesis.log_p + f64::from(x - log_sums[parent]);
            candidates.extend(highest(row, wanted).into_iter().map(|(x, id)| (log_p(x), parent, id)));
        }
        candidates.sort_by(|a, b| b.0.total_cmp(&a.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        candidates.truncate(wanted);
        let full = self.ended.len() == self.beams.beams;
        let last = running[0].len() + 1 == self.steps;
        let mut next = Vec::with_capacity(self.beams.beams);
        for (rank, (log_p, parent, id)) in candidates.into_iter().enumerate() {
            if id != self.eos && !last {
                if next.len() < self.beams.beams {
                    next.push(running[parent].clone().with(id, log_p));
                }
            } else if rank < self.beams.beams && !(full && self.beams.early_stopping) {
                // What ends further behind was a candidate only so that enough of them go on.
                self.end(running[parent].clone().with(id, log_p));
            }
        }
        if self.is_over(&next) { Vec::new() } else { next }
    }

    fn end(&mut self, hypothesis: Hypothesis) {
        let generated = Generated::new(hypothesis, self.length_penalty);
        let at = self.ended.partition_point(|other| other.score >= generated.score);
        self.ended.insert(at, generated);
        self.ended.truncate(self.beams.beams);
    }

    fn is_over(&self, next: &[Hypothesis]) -> bool {
        let Some(best) = next.first() else { return true };
        let Some(worst) = self.ended.get(self.beams.beams - 1) else { return false };
        self.beams.early_stopping || score(best.log_p, best.len(), self.length_penalty) <= worst.score
    }
}
