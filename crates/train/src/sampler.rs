//! The order of training examples: a pure function of the seed and a small state that a checkpoint stores.
//!
//! Every stream (a data set, or one language of it) is walked in permutations of itself, one per epoch. Which stream comes next
//! is drawn by weight from counted randomness, so a resumed run draws what the uninterrupted one would have.

use isogloss_engine::Key;
use serde::{Deserialize, Serialize};

/// A data set, or the rows of one language in it.
#[derive(Clone, Debug)]
pub struct Stream {
    /// Number of the data set in the run.
    pub dataset: usize,
    /// Rows of the data set that belong to the stream.
    pub rows: Vec<u32>,
    /// Share of the examples, relative to the other streams'.
    pub weight: f64,
}

/// One example: which data set, which row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pick {
    /// Number of the stream.
    pub stream: u32,
    /// Row of the stream's data set.
    pub row: u32,
}

/// What a checkpoint stores of a sampler.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SamplerState {
    /// Draws of a stream so far.
    pub draws: u64,
    /// Examples taken from each stream so far.
    pub taken: Vec<u64>,
    /// Examples put back, per stream; they come first.
    pub returned: Vec<Vec<u32>>,
}

/// Draws examples.
pub struct Sampler {
    key: Key,
    streams: Vec<Stream>,
    /// Running sums of the weights.
    cumulative: Vec<f64>,
    state: SamplerState,
    /// The current permutation of each stream and the epoch it belongs to.
    orders: Vec<Option<(u64, Vec<u32>)>>,
}

/// Share of each language when `p ∝ n^(1/temperature)`: 1 leaves the natural shares, larger values level them.
pub fn language_weights(counts: &[usize], temperature: f64) -> Vec<f64> {
    let powers: Vec<f64> = counts.iter().map(|n| (*n as f64).powf(1.0 / temperature)).collect();
    let total: f64 = powers.iter().sum();
    powers.iter().map(|p| p / total).collect()
}

impl Sampler {
    /// A sampler at its beginning, or at a stored state.
    ///
    /// # Panics
    /// If there is no stream or one is empty.
    pub fn new(key: Key, streams: Vec<Stream>, state: Option<SamplerState>) -> Sampler {
        assert!(!streams.is_empty() && streams.iter().all(|s| !s.rows.is_empty()), "a sampler needs rows");
        let mut sum = 0.0;
        let cumulative = streams
            .iter()
            .map(|s| {
                sum += s.weight;
                sum
            })
            .collect();
        let n = streams.len();
        let fresh = SamplerState { draws: 0, taken: vec![0; n], returned: vec![Vec::new(); n] };
        Sampler { key, cumulative, orders: vec![None; n], state: state.unwrap_or(fresh), streams }
    }

    /// Goes on from a stored state.
    pub fn restore(&mut self, state: SamplerState) {
        self.state = state;
    }

    /// What a checkpoint stores.
    pub fn state(&self) -> &SamplerState {
        &self.state
    }

    /// The streams, in the order in which picks number them.
    pub fn streams(&self) -> &[Stream] {
        &self.streams
    }

    /// Draws a stream by weight.
    pub fn draw_stream(&mut self) -> usize {
        let total = self.cumulative[self.cumulative.len() - 1];
        let at = f64::from(self.key.derive(0).uniform(self.state.draws)) * total;
        self.state.draws += 1;
        self.cumulative.partition_point(|c| *c <= at).min(self.streams.len() - 1)
    }

    /// The next example of a stream.
    pub fn next_of(&mut self, stream: usize) -> Pick {
        if let Some(row) = self.state.returned[stream].pop() {
            return Pick { stream: stream as u32, row };
        }
        let n = self.streams[stream].rows.len() as u64;
        let taken = self.state.taken[stream];
        self.state.taken[stream] += 1;
        let (epoch, position) = (taken / n, (taken % n) as usize);
        let order = &mut self.orders[stream];
        if order.as_ref().is_none_or(|(e, _)| *e != epoch) {
            *order = Some((epoch, self.key.derive(1 + stream as u64).derive(epoch).permutation(n as usize)));
        }
        let at = order.as_ref().map_or(0, |(_, order)| order[position]);
        Pick { stream: stream as u32, row: self.streams[stream].rows[at as usize] }
    }

    /// Puts examples back; they come first, in this order.
    pub fn put_back(&mut self, picks: &[Pick]) {
        for pick in picks.iter().rev() {
            self.state.returned[pick.stream as usize].push(pick.row);
        }
    }

    /// Passes over the stream that has been walked most, for the progress line.
    pub fn epochs(&self) -> f64 {
        let passes = self.state.taken.iter().zip(&self.streams).map(|(t, s)| *t as f64 / s.rows.len() as f64);
        passes.fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn streams() -> Vec<Stream> {
        vec![
            Stream { dataset: 0, rows: (0..10).collect(), weight: 3.0 },
            Stream { dataset: 1, rows: (0..7).collect(), weight: 1.0 },
        ]
    }

    fn walk(sampler: &mut Sampler, n: usize) -> Vec<Pick> {
        (0..n)
            .map(|_| {
                let s = sampler.draw_stream();
                sampler.next_of(s)
            })
            .collect()
    }

    #[test]
    fn each_epoch_holds_each_row_once_in_another_order() {
        let mut sampler = Sampler::new(Key::new(1), streams(), None);
        let first: Vec<u32> = (0..10).map(|_| sampler.next_of(0).row).collect();
        let second: Vec<u32> = (0..10).map(|_| sampler.next_of(0).row).collect();
        let sorted = |v: &[u32]| {
            let mut v = v.to_vec();
            v.sort_unstable();
            v
        };
        assert_eq!(sorted(&first), (0..10).collect::<Vec<u32>>());
        assert_eq!(sorted(&second), sorted(&first));
        assert_ne!(first, second);
    }

    #[test]
    fn a_stored_state_continues_as_the_uninterrupted_walk() {
        let mut whole = Sampler::new(Key::new(7), streams(), None);
        walk(&mut whole, 23);
        let returned = walk(&mut whole, 4);
        whole.put_back(&returned);
        let state = serde_json::to_string(whole.state()).unwrap();
        let mut resumed = Sampler::new(Key::new(7), streams(), Some(serde_json::from_str(&state).unwrap()));
        assert_eq!(walk(&mut whole, 50), walk(&mut resumed, 50));
    }

    #[test]
    fn streams_are_drawn_by_weight() {
        let mut sampler = Sampler::new(Key::new(2), streams(), None);
        let first = (0..10_000).filter(|_| sampler.draw_stream() == 0).count();
        assert!((7_300..7_700).contains(&first), "{first}");
    }

    #[test]
    fn a_high_temperature_levels_the_languages() {
        let natural = language_weights(&[900, 100], 1.0);
        let levelled = language_weights(&[900, 100], 100.0);
        assert!((natural[0] - 0.9).abs() < 1e-12 && (levelled[0] - 0.5).abs() < 0.02);
    }
}
