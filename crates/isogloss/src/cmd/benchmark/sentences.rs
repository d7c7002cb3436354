//! Benchmarks that look for translations.

use super::Judged;
use super::catalogue::Measured;
use super::encode::{encode, rows, some_queries};
use super::report::View;
use crate::exit::Fault;
use isogloss_dense::{Bitext, Margin, Side, Vectors, l2_normalize};
use isogloss_ir::protocol::Sentences;
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
        return Err(Fault::option("--run", "translations are searched by vectors; give a --model").into());
    };
    let mut measures: Vec<String> = ACCURACY.map(str::to_owned).into();
    if measured == Measured::AccuracyAndXsim {
        measures.extend(XSIM.map(str::to_owned));
    }
    let mut view = View::new("all", measures);
    view.groups =
        all.groups.iter().map(|(name, langs)| (*name, langs.iter().filter_map(|l| l.parse().ok()).collect())).collect();
    let mut pivots: HashMap<usize, Vectors> = HashMap::new();
    let vectors = |at: usize| -> anyhow::Result<Vectors> {
        let (name, texts) = &all.sides[at];
        let texts =
            texts.iter().enumerate().map(|(i, text)| Ok::<_, isogloss_ir::Error>((i.to_string(), text.clone())));
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
        let hit = |found: Vec<u32>| {
            found.into_iter().zip(0u32..).map(|(found, row)| f64::from(found == row)).collect::<Vec<_>>()
        };
        let (forth, back) = (hit(bitext.nearest()), hit(bitext.nearest_back()));
        let margin = [bitext.rescored(Margin::Ratio), bitext.rescored_back(Margin::Ratio)].map(hit);
        for row in 0..foreign.len() {
            let mut values = vec![back[row], forth[row], (forth[row] + back[row]) / 2.0];
            if measured == Measured::AccuracyAndXsim {
                values.extend(margin.iter().map(|hits| 1.0 - hits[row]));
            }
            view.per_query.insert(format!("{}/{row}", pair.lang), Some(pair.lang), values);
        }
    }
    some_queries(view.per_query.len(), judged.data)?;
    Ok(vec![view])
}
