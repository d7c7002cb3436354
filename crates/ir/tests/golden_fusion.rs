//! Fused runs against numpy's, score for score.

use isogloss_ir::{DocId, Fusion, Scale, fuse_lists};
use serde_json::Value;
use std::path::PathBuf;

const TOLERANCE: f64 = 1e-12;

fn list(run: &Value, query: &str) -> Vec<(DocId, f64)> {
    let hits = run.get(query).and_then(Value::as_object);
    hits.into_iter().flatten().map(|(doc, score)| (doc.clone(), score.as_f64().unwrap())).collect()
}

#[test]
fn every_fused_list_is_numpys() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/protocols/fusion.json");
    let golden: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let alpha = golden["alpha_dense"].as_f64().unwrap();
    for (name, queries) in golden["expected"].as_object().unwrap() {
        let fusion = match name.as_str() {
            "convex_minmax" => Fusion::convex(Scale::MinMax, alpha),
            "convex_zscore" => Fusion::convex(Scale::ZScore, alpha),
            "mrtydi_hybrid" => Fusion::mr_tydi(alpha),
            rrf => Fusion::Reciprocal { k: rrf.strip_prefix("rrf_").unwrap().parse().unwrap() },
        };
        for (query, want) in queries.as_object().unwrap() {
            let lists = ["sparse", "dense"].map(|run| list(&golden["runs"][run], query));
            let got = fuse_lists(&lists, &fusion).unwrap();
            let want = want.as_array().unwrap();
            assert_eq!(got.len(), want.len(), "{name} {query}");
            for ((doc, score), want) in got.iter().zip(want) {
                assert_eq!(doc, want[0].as_str().unwrap(), "{name} {query}");
                assert!((score - want[1].as_f64().unwrap()).abs() < TOLERANCE, "{name} {query} {doc}");
            }
        }
    }
}
