//! `isogloss benchmark` from the outside: small benchmarks in their published layouts, judged with a small model and with runs.

mod common;

use common::{Sandbox, refused, sentences, static_run};
use serde_json::Value;
use std::path::PathBuf;

/// A trained table of tokens in `m`, and benchmarks.
fn with_model() -> Sandbox {
    let sandbox = Sandbox::with_data();
    sandbox.write("s.toml", static_run("s", 30));
    sandbox.ok("train s.toml");
    sandbox.copy(&sandbox.path("s/model"), "m");
    let (mut deu, mut eng) = (String::new(), String::new());
    for (english, german) in sentences() {
        deu += &format!("{german}\n");
        eng += &format!("{english}\n");
    }
    sandbox.write("tatoeba/tatoeba.deu-eng.deu", &deu);
    sandbox.write("tatoeba/tatoeba.deu-eng.eng", &eng);
    sandbox.write("ntrex/newstest2019-src.eng.txt", &eng);
    sandbox.write("ntrex/newstest2019-ref.deu.txt", &deu);
    for name in ["corpus.jsonl", "queries.jsonl", "qrels.tsv"] {
        sandbox.write(&format!("beir/{name}"), sandbox.read(name));
    }
    sandbox
}

fn json(sandbox: &Sandbox, line: &str) -> Value {
    serde_json::from_str(&sandbox.ok(line)).unwrap()
}

#[test]
fn a_model_is_judged_with_one_command_and_compared_with_another() {
    let sandbox = with_model();
    let text = sandbox.ok("benchmark beir --data beir --model m --out o/new");
    assert!(text.starts_with("beir\n") && text.contains("95 % intervals from 1000 bootstrap"), "{text}");
    let result: Value = serde_json::from_slice(&sandbox.read("o/new/result.json")).unwrap();
    let (measures, values) = (&result["views"][0]["measures"], &result["views"][0]["by_lang"]["en"]["mean"]);
    assert_eq!((&measures[0], values.as_object().unwrap().len()), (&"nDCG@10".into(), 2));
    assert!(values["R@100"].as_f64().unwrap() > 0.9, "{result}");
    let manifest = &result["manifest"];
    assert_eq!((&manifest["seed"], &manifest["model"]["pooling"]), (&42.into(), &"mean".into()));
    for key in ["corpus.jsonl", "qrels.tsv", "queries.jsonl"] {
        assert_eq!(manifest["data"]["xxh3"][key].as_str().unwrap().len(), 32);
    }
    assert!(manifest["command"][1] == "benchmark" && manifest["hardware"]["threads"].as_u64() > Some(0));
    assert_eq!(manifest["model"]["tokenizer_xxh3"].as_str().unwrap().len(), 32);
    let judged = json(&sandbox, "evaluate beir o/new/runs/run.trec --json");
    assert!((judged["mean"]["nDCG@10"].as_f64().unwrap() - values["nDCG@10"].as_f64().unwrap()).abs() < 1e-12);
    let again = sandbox.ok("benchmark beir --data beir --run o/new/runs/run.trec --out o/old");
    assert_eq!(again, text);
    let compared = sandbox.ok("compare o/old o/new --measure nDCG@10");
    assert!(compared.contains("+0.0000 [+0.0000, +0.0000]  1.0000"), "{compared}");
    assert_eq!(sandbox.ok("benchmark beir --data beir --model m --out o/new"), text);
}

#[test]
fn translations_are_searched_both_ways() {
    let sandbox = with_model();
    let tatoeba = json(&sandbox, "benchmark tatoeba --data tatoeba --model m --json");
    let view = &tatoeba["views"][0];
    assert_eq!(view["measures"], serde_json::json!(["A@1(en-xx)", "A@1(xx-en)", "A@1"]));
    let values: Vec<f64> =
        view["by_lang"]["deu"]["mean"].as_object().unwrap().values().map(|v| v.as_f64().unwrap()).collect();
    assert!(values[2] > 0.3 && (values[2] - (values[0] + values[1]) / 2.0).abs() < 1e-12, "{values:?}");
    let ntrex = sandbox.ok("benchmark ntrex --data ntrex --model m --csv --resamples 0");
    assert!(ntrex.contains("ntrex,all,deu,48,xSIM(xx-en),"), "{ntrex}");
    refused(&sandbox, "benchmark ntrex --data ntrex --run beir/qrels.tsv", &["--run", "--model"]);
    refused(&sandbox, "benchmark ntrex --data ntrex --model m --lang fi", &["--lang"]);
}

#[test]
fn xor_retrieve_from_predictions_and_from_a_run() {
    let sandbox = Sandbox::new();
    let golden = |name: &str| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/protocols").join(name);
    sandbox.write("xor/questions.jsonl", std::fs::read(golden("xor_gold.jsonl")).unwrap());
    sandbox.write("p.json.zst", std::fs::read(golden("xor_predictions.json.zst")).unwrap());
    let result = json(&sandbox, "benchmark xor-retrieve --data xor --run p.json.zst --json");
    let expected: Value = serde_json::from_slice(&std::fs::read(golden("xor_expected.json")).unwrap()).unwrap();
    for measure in ["R@2kt", "R@5kt"] {
        let got = result["views"][0]["macro_mean"]["mean"][measure].as_f64().unwrap();
        assert!((got * 100.0 - expected[measure]["macro_percent"].as_f64().unwrap()).abs() < 1e-9);
    }
    sandbox.write("one/questions.jsonl", "{\"id\":\"1\",\"question\":\"?\",\"answers\":[\"Oslo\"],\"lang\":\"fi\"}\n");
    sandbox.write("one/psgs_w100.tsv", "id\ttext\ttitle\n1\tIt is Oslo.\tNorway\n2\tNothing.\tOslo\n");
    sandbox.write("found.trec", "1 Q0 2 1 2 t\n1 Q0 1 2 1 t\n");
    sandbox.write("nothing.trec", "1 Q0 2 1 2 t\n");
    sandbox.write("strange.trec", "1 Q0 9 1 2 t\n");
    let hit = |run: &str| {
        let result = json(&sandbox, &format!("benchmark xor-retrieve --data one --run {run} --json"));
        result["views"][0]["by_lang"]["fi"]["mean"]["R@2kt"].as_f64().unwrap()
    };
    assert_eq!((hit("found.trec"), hit("nothing.trec")), (1.0, 0.0));
    refused(&sandbox, "benchmark xor-retrieve --data one --run strange.trec", &["\"9\"", "passages"]);
}

#[test]
fn several_tasks_take_a_folder_of_runs() {
    let sandbox = Sandbox::new();
    for (lang, name) in [("fi", "finnish"), ("sw", "swahili")] {
        let folder = format!("tydi/mrtydi-v1.1-{name}");
        sandbox.write(&format!("{folder}/collection/docs.jsonl"), "{\"id\":\"1#0\",\"contents\":\"T\\n\\nx\"}\n");
        sandbox.write(&format!("{folder}/topic.test.tsv"), "0\twhy?\n");
        sandbox.write(&format!("{folder}/qrels.test.txt"), "0 Q0 1#0 1\n");
        sandbox.write(
            &format!("runs/{lang}.trec"),
            format!("0 Q0 {} 1 2 t\n0 Q0 1#0 2 1 t\n", if lang == "fi" { "x" } else { "1#1" }),
        );
    }
    let csv = sandbox.ok("benchmark mr-tydi --data tydi --run runs --csv");
    assert!(csv.contains("mr-tydi,X→X,2 languages,2,RR@100,0.5,0.5,0.5\n"), "{csv}");
    refused(&sandbox, "benchmark mr-tydi --data tydi --run runs/fi.trec", &["2 tasks", "fi.trec, sw.trec"]);
    assert!(sandbox.ok("benchmark mr-tydi --data tydi --run runs/fi.trec --lang fi").contains("1 languages"));
}

#[test]
fn words_are_judged_like_vectors() {
    let sandbox = Sandbox::new();
    for (lang, name) in [("fi", "finnish"), ("sw", "swahili")] {
        let folder = format!("tydi/mrtydi-v1.1-{name}");
        let docs = "{\"id\":\"1#0\",\"contents\":\"Talo\\n\\nPunainen talo.\"}\n{\"id\":\"1#1\",\"contents\":\"Nyumba\\n\\nNyumba talo.\"}\n";
        sandbox.write(&format!("{folder}/collection/docs.jsonl"), docs);
        sandbox.write(&format!("{folder}/topic.test.tsv"), "0\tpunainen talo\n");
        sandbox.write(&format!("{folder}/qrels.test.txt"), format!("0 Q0 1#{} 1\n", if lang == "fi" { 0 } else { 1 }));
        sandbox.ok(&format!("index --bm25 {folder}/collection/docs.jsonl --out words/{lang} --analyzer icu"));
    }
    let csv = sandbox.ok("benchmark mr-tydi --data tydi --bm25 words --out o --csv --resamples 0");
    assert!(csv.contains("X→X,fi,1,RR@100,1,") && csv.contains("X→X,sw,1,RR@100,0.5,"), "{csv}");
    assert!(sandbox.path("o/runs/fi.trec").exists());
    let manifest = &json(&sandbox, "benchmark mr-tydi --data tydi --bm25 words --json")["manifest"]["bm25"];
    assert!(manifest["k1"].as_f64().is_some() && manifest["xxh3"]["fi/bm25.iso"].is_string(), "{manifest}");
    sandbox.write("other.jsonl", "{\"id\":\"x\",\"contents\":\"talo\"}\n");
    sandbox.ok("index --bm25 other.jsonl --out other --analyzer icu");
    refused(&sandbox, "benchmark mr-tydi --data tydi --lang fi --bm25 none", &["none", "check the path"]);
    refused(&sandbox, "benchmark mr-tydi --data tydi/mrtydi-v1.1-finnish --bm25 other", &["other", "own documents"]);
    refused(&sandbox, "benchmark mr-tydi --data tydi --bm25 words --run r", &["--bm25", "--run"]);
    refused(&sandbox, "benchmark mr-tydi --data tydi --bm25 words --k1 -1", &["k1"]);
}

#[test]
fn a_pool_of_one_language_is_part_of_a_larger_index() {
    let sandbox = Sandbox::new();
    for (lang, text) in [("de", "Oslo ist hier."), ("en", "Oslo is here.")] {
        let paragraph = format!(
            "{{\"data\":[{{\"paragraphs\":[{{\"context\":\"{text}\",\"sentences\":[\"{text}\"],\"sentence_breaks\":[[0,{}]],\"qas\":[{{\"id\":\"q\",\"question\":\"Oslo?\",\"answers\":[{{\"text\":\"Oslo\",\"answer_start\":0}}]}}]}}]}}]}}",
            text.len()
        );
        sandbox.write(&format!("lareqa/{lang}.json"), paragraph);
    }
    let docs =
        "{\"_id\":\"de-a0p0s0\",\"text\":\"Oslo ist hier.\"}\n{\"_id\":\"en-a0p0s0\",\"text\":\"Oslo is here.\"}\n";
    sandbox.write("docs.jsonl", docs);
    sandbox.ok("index --bm25 docs.jsonl --out words --analyzer icu");
    let csv = sandbox.ok("benchmark lareqa --data lareqa --bm25 words --csv --resamples 0 --out o");
    for row in ["merged pool,de,1,AP,1,", "own language's pool,de,1,AP,1,", "own language's pool,en,1,AP,1,"] {
        assert!(csv.contains(row), "{csv}");
    }
    let run = String::from_utf8(sandbox.read("o/runs/en.trec")).unwrap();
    assert!(run.lines().count() == 1 && run.contains(" en-a0p0s0 1 "), "{run}");
}

#[test]
fn mkqa_counts_answers_in_passages() {
    let sandbox = Sandbox::new();
    let question = "{\"example_id\":7,\"query\":\"q\",\"queries\":{\"en\":\"who?\",\"fi\":\"kuka?\"},\"answers\":{\"en\":[{\"type\":\"entity\",\"text\":\"Ada\",\"aliases\":[]}]}}\n";
    sandbox.write("mkqa/mkqa.jsonl", question);
    sandbox.write(
        "mkqa/corpus.jsonl",
        "{\"_id\":\"d\",\"title\":\"Ada\",\"text\":\"Nobody.\"}\n{\"_id\":\"e\",\"title\":\"\",\"text\":\"ADA!\"}\n",
    );
    sandbox.write("run", "en-7 Q0 e 1 1 t\nfi-7 Q0 d 1 1 t\n");
    let csv = sandbox.ok("benchmark mkqa --data mkqa --run run --csv --resamples 0");
    assert!(csv.contains("mkqa,all,en,1,R@20,1,,\n") && csv.contains("mkqa,all,fi,1,R@20,0,,\n"), "{csv}");
}

#[test]
fn the_list_and_the_faults() {
    let sandbox = Sandbox::new();
    let list = sandbox.ok("benchmark list");
    for name in [
        "beir",
        "belebele",
        "flores",
        "lareqa",
        "miracl",
        "mkqa",
        "mr-tydi",
        "ntrex",
        "squad",
        "tatoeba",
        "xor-retrieve",
        "xquad",
    ] {
        assert!(list.contains(&format!("{name}\n  ")), "{name}");
    }
    assert_eq!(json(&sandbox, "benchmark list --json").as_array().unwrap().len(), 12);
    refused(&sandbox, "benchmark bier", &["\"bier\"", "known are beir"]);
    refused(&sandbox, "benchmark beir", &["--data", "corpus.jsonl"]);
    sandbox.write("d/corpus.jsonl", "{\"_id\":\"d\",\"text\":\"x\"}\n");
    refused(&sandbox, "benchmark beir --data d", &["--model"]);
    refused(&sandbox, "benchmark beir --data d --run r", &["qrels"]);
    sandbox.write("taken/letter", "x");
    refused(&sandbox, "benchmark beir --data d --run r --out taken", &["taken", "other files"]);
}
