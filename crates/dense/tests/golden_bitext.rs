//! Margins, xSIM, retrieval accuracy and mining against figures computed by numpy in f64.

use isogloss_dense::{Bitext, Margin, Strategy, Vectors, accuracy, l2_normalize};
use serde_json::Value;
use std::path::PathBuf;

/// The oracle computes in f64, rows here are f32.
const TOLERANCE: f64 = 1e-5;

fn json(name: &str) -> Value {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/protocols");
    serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
}

fn matrix(value: &Value) -> Vec<Vec<f64>> {
    let row = |row: &Value| row.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
    value.as_array().unwrap().iter().map(row).collect()
}

/// The first `n` rows, normalised.
fn vectors(value: &Value, n: usize) -> Vectors {
    let rows = &matrix(value)[..n];
    let mut vectors = Vectors::new(rows[0].len(), rows.concat().iter().map(|x| *x as f32).collect()).unwrap();
    l2_normalize(&mut vectors);
    vectors
}

fn list(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|x| x.as_u64().unwrap() as u32).collect()
}

#[test]
fn margins_and_both_forms_of_xsim() {
    let (expected, stored) = (json("bitext.json"), json("bitext_vectors.json"));
    let n = stored["x"].as_array().unwrap().len();
    let (x, y) = (vectors(&stored["x"], n), vectors(&stored["y"], n));
    let bitext = Bitext::new(x.view(), y.view(), expected["k"].as_u64().unwrap() as usize).unwrap();
    for margin in [Margin::Absolute, Margin::Distance, Margin::Ratio] {
        for (i, row) in matrix(&stored[format!("margin_{margin}")]).iter().enumerate() {
            for (j, want) in row.iter().enumerate() {
                let got = bitext.margin(margin, i, j);
                assert!((got - want).abs() < TOLERANCE * want.abs().max(1.0), "{margin} {i} {j}: {got} {want}");
            }
        }
        let of_margin = &expected["xsim"][margin.to_string()];
        let best = bitext.rescored(margin);
        assert_eq!(best, list(&of_margin["best"]), "{margin}");
        let percent = 100.0 * (1.0 - accuracy(&best));
        assert!((percent - of_margin["error_rate_percent"].as_f64().unwrap()).abs() < 1e-9);
        let errors = (0u32..).zip(bitext.best_of_all(margin)).filter(|(row, best)| row != best).count();
        let all = &expected["argmax_over_all_targets"][margin.to_string()];
        assert_eq!(errors as u64, all["errors_over_all_targets"].as_u64().unwrap(), "{margin}");
    }
}

#[test]
fn nearest_translations_both_ways() {
    let (expected, stored) = (json("bitext.json"), json("bitext_vectors.json"));
    let n = stored["x"].as_array().unwrap().len();
    let (x, y) = (vectors(&stored["x"], n), vectors(&stored["y"], n));
    let bitext = Bitext::new(x.view(), y.view(), 1).unwrap();
    let of_set = &expected["tatoeba"];
    assert_eq!(bitext.nearest(), list(&of_set["nearest_x_to_y"]));
    assert_eq!(bitext.nearest_back(), list(&of_set["nearest_y_to_x"]));
    assert_eq!(accuracy(&bitext.nearest()), of_set["accuracy_x_to_y"].as_f64().unwrap());
    assert_eq!(accuracy(&bitext.nearest_back()), of_set["accuracy_y_to_x"].as_f64().unwrap());
}

#[test]
fn mining_takes_the_best_pairs_one_to_one() {
    let (expected, stored) = (json("bitext.json"), json("bitext_vectors.json"));
    let of_set = &expected["mining_ratio_max"];
    let n = of_set["rows_of_x_used"].as_u64().unwrap() as usize;
    let (x, y) = (vectors(&stored["x"], n), vectors(&stored["y"], stored["y"].as_array().unwrap().len()));
    let bitext = Bitext::new(x.view(), y.view(), expected["k"].as_u64().unwrap() as usize).unwrap();
    let mined = bitext.mine(Margin::Ratio, Strategy::Max);
    let pairs = of_set["pairs"].as_array().unwrap();
    assert_eq!(mined.len(), pairs.len());
    for (got, want) in mined.iter().zip(pairs) {
        assert_eq!((u64::from(got.x), u64::from(got.y)), (want[0].as_u64().unwrap(), want[1].as_u64().unwrap()));
        assert!((got.score - want[2].as_f64().unwrap()).abs() < TOLERANCE);
    }
}
