//! `isogloss evaluate` from the outside: output, exit codes, one line per error.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

fn golden(name: &str) -> String {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/metrics");
    folder.join(name).to_str().unwrap().to_owned()
}

fn isogloss(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_isogloss")).args(args).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn the_summary_has_trec_evals_means() {
    let output = isogloss(&["evaluate", &golden("qrels.txt"), &golden("run_base.trec"), "--threads", "1"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let expected: serde_json::Value = serde_json::from_slice(&std::fs::read(golden("expected.json")).unwrap()).unwrap();
    let text = stdout(&output);
    for measure in ["nDCG@10", "RR@100", "R@100"] {
        let mean = expected["base"]["mean_complete_c"][measure].as_f64().unwrap();
        assert!(text.contains(measure) && text.contains(&format!("{mean:.4} [")), "{text}");
    }
    assert!(text.contains("95 % intervals from 1000 bootstrap resamples of the queries, seed 42"), "{text}");
    assert!(stderr(&output).contains("count 0: 1 of 23"), "{}", stderr(&output));
}

#[test]
fn json_holds_what_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let qrels = path("qrels", "a 0 d 1\nb 0 d 1\n");
    let run = path("run", "a Q0 d 1 1 t\nb Q0 x 1 2 t\nb Q0 d 1 1 t\n");
    let queries = path(
        "queries.jsonl",
        "{\"_id\":\"a\",\"text\":\"\",\"lang\":\"sw\"}\n{\"_id\":\"b\",\"text\":\"\",\"lang\":\"fi\"}\n",
    );
    let all = ["evaluate", &qrels, &run, "MRR@10", "--json", "--per-query", "--by-lang", "--queries", &queries];
    let report: serde_json::Value = serde_json::from_slice(&isogloss(&all).stdout).unwrap();
    assert_eq!(report["mean"]["RR@10"], 0.75);
    assert_eq!((&report["by_lang"]["fi"]["RR@10"], &report["queries"]["a"]["RR@10"]), (&0.5.into(), &1.0.into()));
    let report: serde_json::Value = serde_json::from_slice(&isogloss(&all[..5]).stdout).unwrap();
    assert!(report.get("queries").is_none() && report.get("by_lang").is_none());
    let text = stdout(&isogloss(&["evaluate", &qrels, &run, "--by-lang", "--per-query", "--queries", &queries]));
    assert!(text.contains("b\tRR@100\t0.5000\n") && text.contains("2 languages"), "{text}");

    // Queries that name no language have the one that is declared.
    let declared = format!("yo={}", path("queries.tsv", "a\tx\nb\ty\n"));
    let all = ["evaluate", &qrels, &run, "MRR@10", "--json", "--by-lang", "--queries", &declared];
    let report: serde_json::Value = serde_json::from_slice(&isogloss(&all).stdout).unwrap();
    assert_eq!(report["by_lang"], serde_json::json!({"yo": {"RR@10": 0.75}}));
}

#[test]
fn faults_of_the_input_are_one_line_and_exit_2() {
    let qrels = golden("qrels.txt");
    for args in [&["evaluate", &qrels, "no.trec"][..], &["evaluate", &qrels, &qrels]] {
        let output = isogloss(args);
        assert_eq!(output.status.code(), Some(2));
        let message = stderr(&output);
        assert!(message.starts_with("error: ") && message.lines().count() == 1, "{message}");
        assert!(output.stdout.is_empty());
    }
    let output = isogloss(&["evaluate", &qrels, &qrels, "ndgc@10"]);
    assert!(output.status.code() == Some(2) && stderr(&output).contains("known are nDCG"), "{}", stderr(&output));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_isogloss"))
        .args(["completions", "bash"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", stderr(&output));
}
