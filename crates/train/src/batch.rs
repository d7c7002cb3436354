//! Filling a batch from the sampler.

use std::collections::HashSet;

use crate::config::BatchConfig;
use crate::data::TrainingData;
use crate::sampler::{Pick, Sampler};

/// Candidates looked at per row wanted, before a batch is taken as it is.
const PATIENCE: usize = 4;

/// Draws the examples of one batch; with them the number of rows put back because the batch held one of their texts. `texts` lists what may not occur twice,
/// `tokens` counts an example's.
pub fn fill<'a, E>(
    sampler: &mut Sampler,
    data: &'a TrainingData<E>,
    config: &BatchConfig,
    texts: impl Fn(&'a E) -> Vec<&'a str>,
    tokens: impl Fn(&[&'a E]) -> Vec<usize>,
) -> (Vec<&'a E>, usize) {
    let fixed = (config.one_dataset || config.one_language).then(|| sampler.draw_stream());
    let mut picks: Vec<Pick> = Vec::new();
    let mut batch: Vec<&E> = Vec::new();
    let mut refused: Vec<Pick> = Vec::new();
    let mut seen: HashSet<&str> = HashSet::new();
    while batch.len() < config.rows && picks.len() + refused.len() < PATIENCE * config.rows {
        let stream = match fixed {
            Some(first) if config.one_language => first,
            Some(first) => sibling(sampler, first),
            None => sampler.draw_stream(),
        };
        let pick = sampler.next_of(stream);
        let example = &data.sets[sampler.streams()[stream].dataset][pick.row as usize];
        let own = texts(example);
        if config.unique_texts && own.iter().any(|text| seen.contains(text)) {
            refused.push(pick);
            continue;
        }
        seen.extend(own);
        picks.push(pick);
        batch.push(example);
    }
    let repeated = refused.len();
    if let Some(limit) = config.tokens {
        let kept = within(limit, &tokens(&batch));
        refused.extend(&picks[kept..]);
        batch.truncate(kept);
    }
    sampler.put_back(&refused);
    (batch, repeated)
}

/// A stream of the same data set as `first`, drawn by weight.
fn sibling(sampler: &mut Sampler, first: usize) -> usize {
    let dataset = sampler.streams()[first].dataset;
    let same: Vec<usize> = (0..sampler.streams().len()).filter(|s| sampler.streams()[*s].dataset == dataset).collect();
    if same.len() == 1 {
        return first;
    }
    loop {
        let stream = sampler.draw_stream();
        if same.contains(&stream) {
            return stream;
        }
    }
}

/// How many leading examples fit the budget; at least one.
fn within(limit: usize, tokens: &[usize]) -> usize {
    let mut sum = 0;
    let fits = tokens.iter().take_while(|n| {
        sum += **n;
        sum <= limit
    });
    fits.count().max(1).min(tokens.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sampler::Stream;
    use isogloss_engine::Key;
    use isogloss_ir::Example;

    fn data(queries: &[&str]) -> TrainingData<Example> {
        let example =
            |q: &&str| Example { query: q.to_string(), positives: vec![format!("+{q}")], ..Example::default() };
        let set: Vec<Example> = queries.iter().map(example).collect();
        let rows = (0..set.len() as u32).collect();
        TrainingData {
            paths: vec!["x".into()],
            sets: vec![set],
            streams: vec![Stream { dataset: 0, rows, weight: 1.0 }],
        }
    }

    fn texts(e: &Example) -> Vec<&str> {
        vec![&e.query, &e.positives[0]]
    }

    #[test]
    fn no_text_comes_twice_in_a_batch_and_none_is_lost() {
        let data = data(&["a", "a", "b", "c", "a", "d"]);
        let mut sampler = Sampler::new(Key::new(1), data.streams.clone(), None);
        let config = BatchConfig { rows: 3, ..BatchConfig::default() };
        let (mut drawn, mut refused) = (Vec::new(), 0);
        for _ in 0..2 {
            let (batch, repeated) = fill(&mut sampler, &data, &config, texts, |b| vec![1; b.len()]);
            let unique: HashSet<&str> = batch.iter().map(|e| e.query.as_str()).collect();
            assert_eq!(unique.len(), batch.len());
            refused += repeated;
            drawn.extend(batch.iter().map(|e| e.query.clone()));
        }
        assert!(drawn.len() >= 5, "{drawn:?}");
        // Of three rows of one text a batch takes one.
        assert!(refused >= 1, "{drawn:?}");
    }

    #[test]
    fn a_token_budget_cuts_the_batch_and_the_rest_comes_next() {
        let data = data(&["a", "b", "c", "d"]);
        let mut sampler = Sampler::new(Key::new(1), data.streams.clone(), None);
        let config = BatchConfig { rows: 4, tokens: Some(20), ..BatchConfig::default() };
        let (first, _) = fill(&mut sampler, &data, &config, texts, |b| vec![10; b.len()]);
        let (second, _) = fill(&mut sampler, &data, &config, texts, |b| vec![10; b.len()]);
        let all: HashSet<&str> = first.iter().chain(&second).map(|e| e.query.as_str()).collect();
        assert_eq!((first.len(), second.len(), all.len()), (2, 2, 4));
    }
}
