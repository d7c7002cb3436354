//! `isogloss bias` from the outside: tables, JSON, CSV, and what it refuses.

mod common;

use common::{Sandbox, refused};
use serde_json::Value;

/// Two questions in two languages over a pool of both; Finnish queries find Finnish first.
fn with_pool() -> Sandbox {
    let sandbox = Sandbox::new();
    let (mut corpus, mut queries, mut qrels, mut run) = (String::new(), String::new(), String::new(), String::new());
    for lang in ["fi", "sw"] {
        for i in 0..3 {
            corpus += &format!("{{\"_id\":\"{lang}-{i}\",\"text\":\"x\",\"lang\":\"{lang}\"}}\n");
        }
        for question in 0..2 {
            let query = format!("q{question}-{lang}");
            queries += &format!("{{\"_id\":\"{query}\",\"text\":\"?\",\"lang\":\"{lang}\"}}\n");
            for (rank, doc) in ["fi-0", "fi-1", "sw-0", "sw-1", "fi-2", "sw-2"].iter().enumerate() {
                run += &format!("{query} Q0 {doc} 1 -{rank} t\n");
            }
            qrels += &format!("{query} 0 fi-{question} 1\n{query} 0 sw-{question} 1\n");
        }
    }
    sandbox.write("corpus.jsonl", corpus);
    sandbox.write("queries.jsonl", queries);
    sandbox.write("qrels.txt", qrels);
    sandbox.write("run.trec", run);
    sandbox
}

const LINE: &str = "bias run.trec --qrels qrels.txt --queries queries.jsonl --corpus corpus.jsonl --k 2";

#[test]
fn figures_are_those_by_hand() {
    let sandbox = with_pool();
    let json: Value = serde_json::from_str(&sandbox.ok(&format!("{LINE} --json"))).unwrap();
    assert_eq!(json["by_query_lang"]["fi"]["bias_ratio"], 2.0);
    assert_eq!(json["by_query_lang"]["sw"]["same_language_share"], 0.0);
    assert_eq!((&json["bias_ratio"], &json["rank_gap_same_vs_other"]), (&1.0.into(), &0.0.into()));
    assert_eq!(json["translations"]["questions"], 2);
    assert_eq!(json["translations"]["overlap_at_k"], 1.0);
    let text = sandbox.ok(LINE);
    assert!(text.contains("overlap of their top 2: 1.0000") && text.contains("bias ratio, mean"), "{text}");
    let csv = sandbox.ok(&format!("{LINE} --csv"));
    assert_eq!(csv.lines().nth(2), Some("fi,sw,0,0.5,0,3.5,2"), "{csv}");
    assert!(sandbox.ok(&format!("{LINE} --markdown")).contains("| fi "));
}

#[test]
fn unknown_languages_are_refused() {
    let sandbox = with_pool();
    sandbox.write("part.jsonl", "{\"_id\":\"fi-0\",\"text\":\"x\",\"lang\":\"fi\"}\n");
    sandbox.write("untold.jsonl", "{\"_id\":\"fi-0\",\"text\":\"x\"}\n");
    refused(&sandbox, &LINE.replace("corpus.jsonl", "part.jsonl"), &["document", "no language"]);
    refused(&sandbox, &LINE.replace("corpus.jsonl", "untold.jsonl"), &["\"fi-0\"", "no language"]);
    refused(&sandbox, &LINE.replace("queries.jsonl", "untold.jsonl"), &["query", "no language"]);
    refused(&sandbox, &LINE.replace("run.trec", "none.trec"), &["none.trec"]);
}
