//! Benchmarks that look for translations.

use super::Judged;
use super::catalogue::Measured;
use super::encode::{encode, rows, some_queries};
use super::report::View;
use super::worst::{Candidate, Worst, short};
use crate::exit::Fault;
use crate::result::miss::{Gold, Hit, Miss, Passage};
use isogloss_dense::{Bitext, Margin, Side, Text, Vectors, l2_normalize};
use isogloss_ir::Lang;
use isogloss_ir::protocol::{self, Sentences};
use std::collections::HashMap;

/// Neighbours behind a margin.
const NEIGHBOURS: usize = 4;

const ACCURACY: [&str; 3] = ["A@1(en-xx)", "A@1(xx-en)", "A@1"];
const XSIM: [&str; 2] = ["xSIM(xx-en)", "xSIM(en-xx)"];

/// The figures of every language, each pair a row.
///
/// # Errors
/// No model was given, or it fails.
pub fn views(judged: &Judged, all: Sentences, measured: Measured) -> anyhow::Result<Vec<View>> {
    let Some(model) = &judged.model else {
        return Err(Fault::option(
            "--model",
            "is needed: translations are searched by vectors; give one in place of --run or --bm25",
        )
        .into());
    };
    let mut measures: Vec<String> = ACCURACY.map(str::to_owned).into();
    if measured == Measured::AccuracyAndXsim {
        measures.extend(XSIM.map(str::to_owned));
    }
    let mut view = View::new("all", measures);
    view.groups =
        all.groups.iter().map(|(name, langs)| (*name, langs.iter().filter_map(|l| l.parse().ok()).collect())).collect();
    let mut worst = Worst::new(judged.worst());
    let mut pivots: HashMap<usize, Vectors> = HashMap::new();
    let vectors = |at: usize| -> anyhow::Result<Vectors> {
        let protocol::Side { name, lang, texts } = &all.sides[at];
        let text = |(i, text): (usize, &String)| Text { id: i.to_string(), text: text.clone(), lang: Some(*lang) };
        let texts = texts.iter().enumerate().map(|numbered| Ok(text(numbered)));
        // Either side is asked and found: both are encoded alike.
        let store = encode(judged, model, texts, Side::Query, name)?;
        let mut vectors = rows(&store, 0..store.rows());
        l2_normalize(&mut vectors);
        Ok(vectors)
    };
    for pair in all.pairs.iter().filter(|pair| judged.wants(pair.lang)) {
        if !pivots.contains_key(&pair.pivot) {
            pivots.retain(|at, _| all.pairs.iter().any(|other| other.pivot == *at && other.lang > pair.lang));
            pivots.insert(pair.pivot, vectors(pair.pivot)?);
        }
        let foreign = vectors(pair.foreign)?;
        let bitext = Bitext::new(foreign.view(), pivots[&pair.pivot].view(), NEIGHBOURS)?;
        let hit = |found: &Vec<u32>| {
            found.iter().copied().zip(0u32..).map(|(found, row)| f64::from(found == row)).collect::<Vec<_>>()
        };
        let nearest = [bitext.nearest(), bitext.nearest_back()];
        let (forth, back) = (hit(&nearest[0]), hit(&nearest[1]));
        let margin = [bitext.rescored(Margin::Ratio), bitext.rescored_back(Margin::Ratio)].map(|found| hit(&found));
        let sides = [pair.foreign, pair.pivot].map(|at| &all.sides[at]);
        let vectors = [&foreign, &pivots[&pair.pivot]];
        let directions = [
            (vectors, sides, &nearest[0], "xx-en"),
            ([vectors[1], vectors[0]], [sides[1], sides[0]], &nearest[1], "en-xx"),
        ];
        for (vectors, sides, found, direction) in directions {
            wrong(pair.lang, vectors, sides, found, direction, &mut worst);
        }
        for row in 0..foreign.len() {
            let mut values = vec![back[row], forth[row], (forth[row] + back[row]) / 2.0];
            if measured == Measured::AccuracyAndXsim {
                values.extend(margin.iter().map(|hits| 1.0 - hits[row]));
            }
            view.per_query.insert(format!("{}/{row}", pair.lang), Some(pair.lang), values);
        }
    }
    some_queries(view.per_query.len(), judged.data)?;
    view.worst = worst.into_misses();
    Ok(vec![view])
}

/// Offers the sentences of one side whose nearest of the other is not their translation.
fn wrong(
    lang: Lang,
    [asked, searched]: [&Vectors; 2],
    [asking, answering]: [&protocol::Side; 2],
    nearest: &[u32],
    direction: &str,
    worst: &mut Worst,
) {
    let passage = |side: &protocol::Side, at: usize| Passage {
        id: at.to_string(),
        lang: Some(side.lang),
        text: short(&side.texts[at]),
    };
    for (row, found) in nearest.iter().map(|found| *found as usize).enumerate() {
        let score = dot(asked.row(row), searched.row(found));
        if row == found || !worst.wants("all", lang, 0.0, score) {
            continue;
        }
        let rank = rank(asked.row(row), searched, row);
        let miss = Miss {
            view: "all".into(),
            lang,
            measure: format!("A@1({direction})"),
            value: 0.0,
            query: passage(asking, row),
            found: vec![Hit { doc: passage(answering, found), score: Some(score), gold: false }],
            gold: vec![Gold { doc: passage(answering, row), rank: Some(rank) }],
        };
        worst.offer("all", Candidate { miss, place: None });
    }
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The rank from 1 of row `gold` by the inner product with `asked`; equals go to the smaller row.
fn rank(asked: &[f32], searched: &Vectors, gold: usize) -> usize {
    let score = |row| dot(asked, searched.row(row));
    let own = score(gold);
    1 + (0..searched.len()).filter(|&row| score(row) > own || (score(row) == own && row < gold)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rank_of_a_translation_counts_what_stands_before_it() {
        let searched = Vectors::new(2, vec![1.0, 0.0, 0.5, 0.0, 0.5, 1.0, 0.0, 1.0]).unwrap();
        let ranks = [0, 1, 2, 3].map(|gold| rank(&[1.0, 0.0], &searched, gold));
        assert_eq!(ranks, [1, 2, 3, 4]);
    }
}
