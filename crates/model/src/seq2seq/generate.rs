//! Generation of texts from encoded ones: greedy, by beam search, or drawn.

use isogloss_engine::op;
use isogloss_engine::{Key, no_grad, sequential};
use rayon::prelude::*;

use super::beam::{BeamSearch, Beams};
use super::choose::argmax;
use super::decoder::{Decoder, Hypothesis};
use crate::error::{Error, Result};
use crate::mt5::Mt5;

/// Hypotheses that one core continues at once: a step reads every weight once for all of them.
const ROWS: usize = 32;

/// Settings of drawing.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Logits are divided by it; above 0.
    pub temperature: f32,
    /// Only so many of the likeliest tokens are drawn from.
    pub top_k: Option<usize>,
    /// Only the fewest tokens that hold so much of the probability are drawn from.
    pub top_p: Option<f32>,
    /// Seed of the draws. What is drawn for a source depends on it and the source's number alone.
    pub seed: u64,
}

impl Default for Sampling {
    fn default() -> Sampling {
        Sampling { temperature: 1.0, top_k: None, top_p: None, seed: 0 }
    }
}

/// How tokens are chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Search {
    /// The likeliest at every step.
    Greedy,
    /// Beam search.
    Beam(Beams),
    /// Drawn.
    Sample(Sampling),
}

/// How texts are generated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GenerateOptions {
    /// How tokens are chosen.
    pub search: Search,
    /// Most tokens of a text, the one that ends it included.
    pub max_new_tokens: usize,
    /// Texts per source: 1 if greedy, at most as many as beams, any number of drawn ones.
    pub returned: usize,
    /// A text's score is the sum of its tokens' log-probabilities, divided by their number to this power.
    pub length_penalty: f64,
}

impl Default for GenerateOptions {
    fn default() -> GenerateOptions {
        GenerateOptions { search: Search::Greedy, max_new_tokens: 32, returned: 1, length_penalty: 1.0 }
    }
}

/// A generated text.
#[derive(Clone, Debug, PartialEq)]
pub struct Generated {
    /// Its tokens, with the one that the decoder starts with and, unless it was cut, the one that ends it.
    pub ids: Vec<u32>,
    /// Sum of the log-probabilities of the generated tokens (before any temperature or cut), divided by their number to the power of the length penalty.
    pub score: f64,
}

impl Generated {
    pub(super) fn new(hypothesis: Hypothesis, length_penalty: f64) -> Generated {
        Generated { score: score(hypothesis.log_p, hypothesis.len(), length_penalty), ids: hypothesis.ids }
    }
}

/// A sum of log-probabilities by length.
pub(super) fn score(log_p: f64, length: usize, length_penalty: f64) -> f64 {
    log_p / (length as f64).powf(length_penalty)
}

impl GenerateOptions {
    /// Refuses numbers out of their range.
    ///
    /// # Errors
    /// [`Error::Option`] or [`Error::Number`] with the option.
    pub fn check(&self) -> Result<()> {
        let at_least_one = |key: &'static str, got: usize| match got {
            0 => Err(Error::Option { key, got, range: "at least 1" }),
            _ => Ok(()),
        };
        at_least_one("max_new_tokens", self.max_new_tokens)?;
        at_least_one("num_return", self.returned)?;
        let number = |key: &'static str, got: f64, ok: bool, range: &'static str| match ok {
            true => Ok(()),
            false => Err(Error::Number { key, got, range }),
        };
        number("length_penalty", self.length_penalty, self.length_penalty.is_finite(), "a finite number")?;
        let most = match self.search {
            Search::Greedy => {
                (1, "1 where nothing is drawn and there is one beam; set beams, top_k, top_p or temperature")
            }
            Search::Beam(Beams { beams, .. }) => {
                at_least_one("beams", beams)?;
                (beams, "at most as many as beams")
            }
            Search::Sample(sampling) => {
                at_least_one("top_k", sampling.top_k.unwrap_or(1))?;
                let (t, p) = (f64::from(sampling.temperature), sampling.top_p.map_or(1.0, f64::from));
                number("temperature", t, t.is_finite() && t > 0.0, "above 0")?;
                number("top_p", p, p > 0.0 && p <= 1.0, "above 0 and at most 1")?;
                (usize::MAX, "")
            }
        };
        match self.returned <= most.0 {
            true => Ok(()),
            false => Err(Error::Option { key: "num_return", got: self.returned, range: most.1 }),
        }
    }

    /// Hypotheses of a source at once.
    fn width(&self) -> usize {
        if let Search::Beam(Beams { beams, .. }) = self.search { beams } else { self.returned }
    }
}

impl Mt5 {
    /// Texts generated from token ids, best first for every source; drawn ones in the order of their draws. Over all cores, sources of like length together. What is generated for
    /// a source does not depend on the others; `first` is the number of the first one, which draws are keyed by.
    ///
    /// # Panics
    /// If a source has no token, or the options were not found good by [`GenerateOptions::check`].
    pub fn generate(&self, sources: &[&[u32]], first: u64, options: &GenerateOptions) -> Vec<Vec<Generated>> {
        let mut order: Vec<usize> = (0..sources.len()).collect();
        order.sort_by_key(|&i| std::cmp::Reverse(sources[i].len()));
        let cores = rayon::current_num_threads();
        let size = (ROWS / options.width()).min(sources.len().div_ceil(cores)).max(1);
        let groups: Vec<&[usize]> = order.chunks(size).collect();
        let group = |rows: &&[usize]| {
            let numbered: Vec<(u64, &[u32])> = rows.iter().map(|&i| (first + i as u64, sources[i])).collect();
            no_grad(|| self.generate_group(&numbered, options))
        };
        // Too few for all cores: these share the work of every step instead.
        let made: Vec<_> = match groups.len() < cores {
            true => groups.iter().map(group).collect(),
            false => groups.par_iter().with_max_len(1).map(|rows| sequential(|| group(rows))).collect(),
        };
        let mut texts = vec![Vec::new(); sources.len()];
        for (&i, made) in order.iter().zip(made.into_iter().flatten()) {
            texts[i] = made;
        }
        texts
    }

    fn generate_group(&self, sources: &[(u64, &[u32])], options: &GenerateOptions) -> Vec<Vec<Generated>> {
        let ids: Vec<&[u32]> = sources.iter().map(|(_, ids)| *ids).collect();
        let decoder = Decoder::new(self, &ids, options.max_new_tokens, sources.len() * options.width());
        match options.search {
            Search::Beam(beams) => self.search_beams(decoder, sources.len(), beams, options),
            Search::Greedy => self.choose_each(decoder, sources, options, |logits, _, _| argmax(logits)),
            Search::Sample(sampling) => {
                let seed = Key::new(sampling.seed);
                self.choose_each(decoder, sources, options, |logits, (source, copy), step| {
                    sampling.draw(logits, seed.derive(source).derive(copy), step)
                })
            }
        }
    }

    /// Texts whose every token is chosen for good: by logits, the numbers of the source and of the text of that source, and the step.
    fn choose_each(
        &self,
        mut decoder: Decoder,
        sources: &[(u64, &[u32])],
        options: &GenerateOptions,
        choose: impl Fn(&[f32], (u64, u64), u64) -> u32,
    ) -> Vec<Vec<Generated>> {
        let config = self.config();
        let copies = options.returned;
        let mut ended: Vec<Option<Generated>> = vec![None; sources.len() * copies];
        let fresh = |place: usize| (place, Hypothesis::new(place / copies, config.decoder_start_id));
        let (mut places, mut running): (Vec<usize>, Vec<Hypothesis>) = (0..ended.len()).map(fresh).unzip();
        for step in 0..options.max_new_tokens {
            let logits = decoder.step(&mut running);
            let log_sums = op::log_sum_exp(&logits);
            let rows = logits.data().chunks_exact(config.vocab_size).zip(log_sums.data());
            let mut going = Vec::with_capacity(places.len());
            for ((place, hypothesis), (row, log_sum)) in places.into_iter().zip(running).zip(rows) {
                let number = (sources[place / copies].0, (place % copies) as u64);
                let id = choose(row, number, step as u64);
                let log_p = hypothesis.log_p + f64::from(row[id as usize] - log_sum);
                let longer = hypothesis.with(id, log_p);
                match id == config.eos_id || step + 1 == options.max_new_tokens {
                    true => ended[place] = Some(Generated::new(longer, options.length_penalty)),
                    false => going.push((place, longer)),
                }
            }
            (places, running) = going.into_iter().unzip();
            if running.is_empty() {
                break;
            }
        }
        let mut ended = ended.into_iter().flatten();
        sources.iter().map(|_| ended.by_ref().take(copies).collect()).collect()
    }

    fn search_beams(
        &self,
        mut decoder: Decoder,
        sources: usize,
        beams: Beams,
        options: &GenerateOptions,
    ) -> Vec<Vec<Generated>> {
        let config = self.config();
        let search = || BeamSearch::new(beams, options.length_penalty, options.max_new_tokens, config.eos_id);
        let mut searches: Vec<BeamSearch> = (0..sources).map(|_| search()).collect();
        let mut running: Vec<Hypothesis> =
            (0..sources).map(|source| Hypothesis::new(source, config.decoder_start_id)).collect();
        while !running.is_empty() {
            let logits = decoder.step(&mut running);
            let log_sums = op::log_sum_exp(&logits);
            let (mut next, mut start) = (Vec::with_capacity(running.len()), 0);
            for of_source in running.chunk_by(|a, b| a.source == b.source) {
                let rows = start..start + of_source.len();
                start = rows.end;
                let logits = &logits.data()[rows.start * config.vocab_size..rows.end * config.vocab_size];
                next.extend(searches[of_source[0].source].advance(of_source, logits, &log_sums.data()[rows]));
            }
            running = next;
        }
        let best = |search: BeamSearch| search.into_ended().into_iter().take(options.returned).collect();
        searches.into_iter().map(best).collect()
    }
}
