//! `isogloss compare` from the outside: tables, JSON, CSV, and what it refuses.

mod common;

use common::{Sandbox, refused};
use serde_json::Value;
use std::path::PathBuf;

fn golden(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/metrics");
    folder.join(name).to_str().unwrap().to_owned()
}

/// Twelve queries of two languages; the second run finds every document first, the base only some.
fn with_runs() -> Sandbox {
    let sandbox = Sandbox::new();
    let (mut qrels, mut base, mut new, mut queries) = (String::new(), String::new(), String::new(), String::new());
    for i in 0..12 {
        let lang = if i < 8 { "fi" } else { "sw" };
        qrels += &format!("q{i} 0 d{i} 1\n");
        base += &format!("q{i} Q0 d{i} 1 1 t\nq{i} Q0 x 1 {} t\n", if i < 10 { 2 } else { 0 });
        new += &format!("q{i} Q0 d{i} 1 1 t\n");
        queries += &format!("{{\"_id\":\"q{i}\",\"text\":\"?\",\"lang\":\"{lang}\"}}\n");
    }
    sandbox.write("qrels", qrels);
    sandbox.write("base.trec", base);
    sandbox.write("new.trec", new);
    sandbox.write("queries.jsonl", queries);
    sandbox
}

#[test]
fn golden_runs_differ_as_scipy_says() {
    let (sandbox, qrels) = (Sandbox::new(), golden("qrels.txt"));
    let runs = ["base", "b", "c", "d"].map(|name| golden(&format!("run_{name}.trec"))).join(" ");
    let report = sandbox.ok(&format!("compare {runs} --qrels {qrels} --measure nDCG@10 --json"));
    let report: Value = serde_json::from_str(&report).unwrap();
    let expected: Value = serde_json::from_slice(&std::fs::read(golden("significance.json")).unwrap()).unwrap();
    for (got, want) in report["comparisons"].as_array().unwrap().iter().zip(expected["pairs"].as_array().unwrap()) {
        let near = |got: &Value, want: &Value| (got.as_f64().unwrap() - want.as_f64().unwrap()).abs() < 1e-9;
        assert!(near(&got["all"]["difference"], &want["mean_difference"]), "{got}");
        assert!(near(&got["all"]["randomisation_test"]["p"], &want["sign_flip_exact_p"]), "{got}");
        assert!(near(&got["all"]["t_test"]["p"], &want["t_test_p"]), "{got}");
        assert_eq!(got["all"]["queries"], 23);
    }
    let text = sandbox.ok(&format!("compare {runs} --qrels {qrels}"));
    assert_eq!(text.matches(" against ").count(), 9, "{text}");
}

#[test]
fn languages_are_rows_and_forms_agree() {
    let sandbox = with_runs();
    let line = "compare base.trec new.trec --qrels qrels --queries queries.jsonl --measure RR@10";
    let text = sandbox.ok(line);
    assert!(text.contains("RR@10: new.trec against base.trec") && text.contains("2 languages"), "{text}");
    assert!(text.contains("+0.5000 [+0.5000, +0.5000]") && text.contains("too few differ"), "{text}");
    assert!(text.contains("10000 resamples, seed 42"), "{text}");
    let markdown = sandbox.ok(&format!("{line} --markdown"));
    assert!(markdown.contains("| fi ") && markdown.contains("|---"), "{markdown}");
    let csv = sandbox.ok(&format!("{line} --csv"));
    let rows: Vec<Vec<&str>> = csv.lines().map(|row| row.split(',').collect()).collect();
    assert_eq!((rows.len(), rows[1][3], rows[1][4], rows[1][7]), (5, "fi", "8", "0.5"));
    let json: Value = serde_json::from_str(&sandbox.ok(&format!("{line} --json --seed 7 --resamples 500"))).unwrap();
    let found = &json["comparisons"][0];
    assert_eq!((&found["resampling"]["seed"], &found["by_lang"]["sw"]["difference"]), (&7.into(), &0.25.into()));
    assert_eq!(found["by_lang"]["fi"]["randomisation_test"]["p"], 2.0 / 256.0);
    assert_eq!(found["by_lang"]["fi"]["holm"]["randomisation_test"], 4.0 / 256.0);
}

#[test]
fn reports_compare_as_their_runs_do() {
    let sandbox = with_runs();
    for name in ["base", "new"] {
        let report = sandbox.ok(&format!("evaluate qrels {name}.trec RR@10 --per-query --json"));
        sandbox.write(&format!("{name}.json"), report);
    }
    let of_runs = sandbox.ok("compare base.trec new.trec --qrels qrels --measure MRR@10 --csv");
    let of_reports = sandbox.ok("compare base.json new.json --csv");
    assert_eq!(of_reports, of_runs.replace(".trec", ".json"));
}

#[test]
fn faults_are_named() {
    let sandbox = with_runs();
    sandbox.write("other.json", "{\"queries\": {\"z\": {\"RR@10\": 1}}}");
    sandbox.write("bad.json", "{\"queries\": {\"z\": {\"RR@10\": \"1\"}}}");
    sandbox.write("few.jsonl", "{\"_id\":\"q1\",\"text\":\"?\",\"lang\":\"fi\"}\n");
    refused(&sandbox, "compare base.trec new.trec", &["base.trec", "--qrels"]);
    refused(&sandbox, "compare base.trec no.trec --qrels qrels", &["no.trec", "check the path"]);
    refused(&sandbox, "compare base.trec new.trec --qrels qrels --measure ndgc@1", &["unknown measure"]);
    refused(&sandbox, "compare base.trec new.trec --qrels qrels --queries few.jsonl", &["no language"]);
    refused(&sandbox, "compare base.trec other.json --qrels qrels --measure RR@10", &["\"q0\"", "only one"]);
    refused(&sandbox, "compare other.json other.json --measure nDCG@10", &["other.json", "RR@10"]);
    refused(&sandbox, "compare other.json bad.json", &["bad.json:1", "`RR@10`"]);
    refused(&sandbox, "compare base.trec new.trec --qrels qrels --resamples 0", &["at least 1"]);
    let output = sandbox.run("compare base.trec --qrels qrels");
    assert_eq!(output.status.code(), Some(2));
}
