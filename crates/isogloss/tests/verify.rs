//! `isogloss verify` from the outside: a result made again, and everything that may have changed since.

mod common;

use common::{Sandbox, check, refused, static_run};
use serde_json::Value;

/// A table of tokens in `m`, judged on `beir` in `o`, and its run judged in `r`.
fn judged() -> Sandbox {
    let sandbox = Sandbox::with_data();
    sandbox.write("s.toml", static_run("s", 30));
    sandbox.ok("train s.toml");
    sandbox.copy(&sandbox.path("s/model"), "m");
    for name in ["corpus.jsonl", "queries.jsonl", "qrels.tsv"] {
        sandbox.write(&format!("beir/{name}"), sandbox.read(name));
    }
    sandbox.ok("benchmark beir --data beir --model m --out o");
    sandbox.ok("benchmark beir --data beir --run o/runs/run.trec --resamples 50 --out r");
    sandbox
}

/// Changes the result of a folder.
fn edit(sandbox: &Sandbox, folder: &str, change: impl Fn(&mut Value)) {
    let mut result: Value = serde_json::from_slice(&sandbox.read(&format!("{folder}/result.json"))).unwrap();
    change(&mut result);
    sandbox.write(&format!("{folder}/result.json"), format!("{result:#}\n"));
}

#[test]
fn what_is_untouched_is_the_same() {
    let sandbox = judged();
    let before = sandbox.files("o");
    // A mean and an interval of two bounds by each of 2 measures over en, its languages and all, besides 48 questions.
    assert!(sandbox.ok("verify o").starts_with("all "));
    assert_eq!(sandbox.files("o"), before);
    let verdict: Value = serde_json::from_str(&sandbox.ok("verify r --json")).unwrap();
    assert_eq!((&verdict["same"], &verdict["differences"]), (&true.into(), &serde_json::json!([])));
    assert!(verdict["figures"].as_u64() > Some(2 * 48));
}

#[test]
fn a_manifest_names_what_a_result_depends_on() {
    let sandbox = judged();
    let result: Value = serde_json::from_slice(&sandbox.read("o/result.json")).unwrap();
    let manifest = &result["manifest"];
    for path in [
        "/command/0",
        "/isogloss",
        "/seed",
        "/resamples",
        "/model/name",
        "/model/xxh3",
        "/model/tokenizer_xxh3",
        "/model/files/model.safetensors",
        "/model/files/tokenizer.json",
        "/model/pooling",
        "/model/query_prompt",
        "/model/passage_prompt",
        "/data/path",
        "/data/revision",
        "/data/xxh3/corpus.jsonl",
        "/hardware/instructions",
        "/hardware/threads",
    ] {
        assert!(manifest.pointer(path).is_some_and(|value| !value.is_null()), "{path}: {manifest}");
    }
    assert!(manifest.get("commit").is_some() && manifest["bm25"].is_null(), "{manifest}");
    sandbox.ok("index --bm25 corpus.jsonl --out words --analyzer lucene:de");
    sandbox.ok("benchmark beir --data beir --bm25 words --k1 1.2 --out w");
    let result: Value = serde_json::from_slice(&sandbox.read("w/result.json")).unwrap();
    let words = &result["manifest"]["bm25"];
    assert_eq!((&words["analyzer"], words["xxh3"].is_object()), (&"lucene:de".into(), true), "{words}");
    assert!(sandbox.ok("verify w").starts_with("all "));
    sandbox.ok("index --bm25 corpus.jsonl --out others --analyzer icu");
    refused(&sandbox, "verify w --bm25 others", &["others", "--bm25"]);
}

#[test]
fn a_figure_that_was_changed_is_named() {
    let sandbox = judged();
    edit(&sandbox, "o", |result| result["views"][0]["by_lang"]["en"]["mean"]["nDCG@10"] = 0.125.into());
    let output = sandbox.run("verify o");
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(told.contains("all · by_lang · en · mean · nDCG@10") && told.contains("0.125"), "{told}");
    assert!(String::from_utf8(output.stderr).unwrap().contains("1 of "));
    let values = String::from_utf8(sandbox.read("r/per_query.jsonl")).unwrap();
    let line = values.lines().next().unwrap().to_owned();
    let changed = line.replace("\"R@100\":1.0", "\"R@100\":0.5");
    assert_ne!(line, changed);
    sandbox.write("r/per_query.jsonl", values.replacen(&line, &changed, 1));
    let output = sandbox.run("verify r --csv");
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!((output.status.code(), told.lines().count()), (Some(1), 2), "{told}");
    assert!(told.contains("all · query q0 · R@100,0.5,1.0"), "{told}");
}

#[test]
fn other_data_and_models_are_refused_by_name() {
    let sandbox = judged();
    let qrels = sandbox.read("beir/qrels.tsv");
    sandbox.write("beir/qrels.tsv", [qrels.as_slice(), b"q0\td1\t1\n"].concat());
    refused(&sandbox, "verify o", &["qrels.tsv", "has changed"]);
    sandbox.write("beir/qrels.tsv", &qrels);
    sandbox.write("beir/new.txt", "x");
    refused(&sandbox, "verify o", &["new.txt", "is new"]);
    std::fs::rename(sandbox.path("beir"), sandbox.path("moved")).unwrap();
    refused(&sandbox, "verify o", &["beir", "--data"]);
    refused(&sandbox, "verify o --data moved", &["new.txt", "is new"]);
    std::fs::remove_file(sandbox.path("moved/new.txt")).unwrap();
    assert!(sandbox.ok("verify o --data moved").starts_with("all "));
    sandbox.copy(&sandbox.path("m"), "n");
    assert!(sandbox.ok("verify o --data moved --model n").starts_with("all "));
    sandbox.write("n/tokenizer_config.json", "{}");
    refused(&sandbox, "verify o --data moved --model n", &["tokenizer_config.json", "has changed"]);
    sandbox.write("o/runs/run.trec", "q0 Q0 d0 1 1 t\n");
    refused(&sandbox, "verify r --data moved", &["run.trec", "has changed"]);
}

#[test]
fn what_is_no_result_is_refused() {
    let sandbox = judged();
    refused(&sandbox, "verify nowhere", &["nowhere", "result.json"]);
    for (command, told) in [
        (serde_json::json!(["isogloss", "train", "s.toml"]), "benchmark"),
        (serde_json::json!(["isogloss", "benchmark"]), "NAME"),
        (serde_json::json!("isogloss"), "list of words"),
        (serde_json::json!(["isogloss", "benchmark", "beir"]), "names no data"),
    ] {
        edit(&sandbox, "o", |result| result["manifest"]["command"] = command.clone());
        check("verify o", &sandbox.run("verify o"), &["result.json", told]);
    }
}
