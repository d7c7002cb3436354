//! Every value of trec_eval on runs with ties, negative grades, missing and unjudged queries.

use isogloss_ir::bootstrap::percentile_interval;
use isogloss_ir::{Measure, Qrels, Run, evaluate};
use serde_json::{Map, Value};
use std::path::PathBuf;

const TOLERANCE: f64 = 1e-9;

fn golden(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/metrics").join(name)
}

fn json(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(golden(name)).unwrap()).unwrap()
}

fn assert_near(got: f64, want: &Value, what: &str) {
    let want = want.as_f64().unwrap();
    assert!((got - want).abs() <= TOLERANCE, "{what}: got {got}, want {want}");
}

fn measures_of(values: &Map<String, Value>) -> Vec<Measure> {
    let measures: Vec<Measure> = values.keys().map(|name| name.parse().unwrap()).collect();
    assert!(measures.iter().zip(values.keys()).all(|(measure, name)| measure.to_string() == *name));
    measures
}

#[test]
fn every_value_is_that_of_trec_eval() {
    let qrels = Qrels::read(golden("qrels.txt")).unwrap();
    let expected = json("expected.json");
    let mut compared = 0;
    for (name, expected) in expected.as_object().unwrap() {
        let run = Run::read(golden(&format!("run_{name}.trec"))).unwrap();
        let mean = expected["mean_complete_c"].as_object().unwrap();
        let measures = measures_of(mean);
        let report = evaluate(&qrels, &run, &measures, None).unwrap();
        for (measure, want) in measures.iter().zip(mean.values()) {
            assert_near(report.mean.get(*measure).unwrap(), want, &format!("{name} {measure}"));
        }
        let per_query = expected["per_query"].as_object().unwrap();
        for (query, values) in per_query {
            for (measure, want) in values.as_object().unwrap() {
                let got = report.queries[query].get(measure.parse().unwrap()).unwrap();
                assert_near(got, want, &format!("{name} {query} {measure}"));
                compared += 1;
            }
        }
        assert_eq!(report.counts.judged - report.counts.missing, per_query.len());
        let zero = report.queries.iter().filter(|(query, _)| !per_query.contains_key(*query));
        assert!(zero.flat_map(|(_, values)| &values.0).all(|(_, value)| *value == 0.0));
    }
    assert_eq!(compared, (22 + 21 + 22 + 22) * 11);
}

#[test]
fn intervals_of_given_resamples_are_those_of_numpy() {
    for pair in json("significance.json")["pairs"].as_array().unwrap() {
        let differences: Vec<f64> =
            pair["differences"].as_array().unwrap().iter().map(|d| d.as_f64().unwrap()).collect();
        let drawn = json(pair["bootstrap"]["resample_indices_file"].as_str().unwrap());
        let mean = |row: &Value| {
            let picked = row.as_str().unwrap().split(' ').map(|i| differences[i.parse::<usize>().unwrap()]);
            picked.sum::<f64>() / differences.len() as f64
        };
        let [low, high] = percentile_interval(drawn["indices"].as_array().unwrap().iter().map(mean).collect(), 0.95);
        assert_near(low, &pair["bootstrap"]["percentile_95"][0], "low");
        assert_near(high, &pair["bootstrap"]["percentile_95"][1], "high");
    }
}
