//! `isogloss search --hybrid`: words and vectors in one command.

mod common;

use common::{Sandbox, refused, static_run};

/// Data, a model, its vectors of the corpus, and an index of its words.
fn with_both() -> Sandbox {
    let sandbox = Sandbox::with_data();
    sandbox.write("run.toml", static_run("t", 20));
    sandbox.ok("train run.toml");
    sandbox.ok("encode t/model corpus.jsonl --out vectors");
    sandbox.ok("index --bm25 corpus.jsonl --out words");
    // Words find documents in their own language: half of the queries are German.
    let german = String::from_utf8(sandbox.read("corpus.jsonl")).unwrap().replace("\"_id\":\"d", "\"_id\":\"g");
    let queries = String::from_utf8(sandbox.read("queries.jsonl")).unwrap() + &german;
    sandbox.write("both.jsonl", queries);
    sandbox
}

const HYBRID: &str = "search --hybrid --bm25 words --model t/model --corpus vectors --queries both.jsonl";

#[test]
fn it_is_the_fusion_of_the_two_runs() {
    let sandbox = with_both();
    sandbox.ok("search --bm25 words --queries both.jsonl --k 20 --out words.trec");
    sandbox.ok("search --model t/model --corpus vectors --queries both.jsonl --k 20 --out vectors.trec");
    for how in ["", "--method minmax --alpha 0.3", "--method mrtydi --alpha 0.8", "--method sum", "--rrf-k 5"] {
        let hybrid = sandbox.ok(&format!("{HYBRID} --depth 20 --k 10 {how}"));
        // The lists of words end before their 20 where no other document has a word of the query: it scored 0.
        let floor = if how.contains("--method") { "--floor zero --depth 20" } else { "" };
        assert!(hybrid == sandbox.ok(&format!("fuse words.trec vectors.trec --k 10 {how} {floor}")), "{how}");
    }
    for name in ["words", "vectors"] {
        let how = if name == "words" { "--bm25 words" } else { "--model t/model --corpus vectors" };
        sandbox.ok(&format!("search {how} --queries both.jsonl --k 48 --out all_{name}.trec"));
    }
    let published = sandbox.ok(&format!("{HYBRID} --depth 48 --method minmax --floor lowest"));
    assert!(published == sandbox.ok("fuse all_words.trec all_vectors.trec --k 100 --method minmax"));
    assert!(published != sandbox.ok(&format!("{HYBRID} --depth 48 --method minmax")), "no list ended early");
    let fit = "fuse words.trec vectors.trec --method minmax --fit qrels.tsv --queries both.jsonl --floor zero --depth 20 --fitted w.json";
    sandbox.write("qrels.tsv", (0..48).map(|i| format!("q{i} 0 d{i} 1\ng{i} 0 d{i} 1\n")).collect::<String>());
    let table = sandbox.ok(fit);
    assert!(table.contains("de") && table.contains("en") && table.contains("held out"), "{table}");
    let hybrid = sandbox.ok(&format!("{HYBRID} --depth 20 --alphas w.json"));
    assert_eq!(
        hybrid,
        sandbox.ok("fuse words.trec vectors.trec --alphas w.json --depth 20 --queries both.jsonl --k 100")
    );
}

#[test]
fn half_of_it_is_refused() {
    let sandbox = with_both();
    let other = String::from_utf8(sandbox.read("corpus.jsonl")).unwrap().replace("\"_id\":\"d", "\"_id\":\"other");
    sandbox.write("other.jsonl", other);
    sandbox.ok("index --bm25 other.jsonl --out other");
    let cases: [(&str, &[&str]); 8] = [
        ("search --hybrid --model t/model --corpus vectors --queries both.jsonl", &["--bm25"]),
        ("search --hybrid --bm25 words --queries both.jsonl", &["--hybrid", "--model and --corpus"]),
        ("search --hybrid --bm25 words --model t/model --queries both.jsonl", &["--hybrid", "--corpus"]),
        ("search --bm25 words --queries both.jsonl --method minmax", &["--method", "--hybrid"]),
        ("search --bm25 words --queries both.jsonl --depth 5", &["--hybrid"]),
        ("search --bm25 words --queries both.jsonl --floor zero", &["--floor", "--hybrid"]),
        (
            "search --hybrid --bm25 words --model t/model --corpus vectors --queries both.jsonl --floor zero",
            &["--floor", "rrf", "leave it out"],
        ),
        (
            "search --hybrid --bm25 other --model t/model --corpus vectors --queries both.jsonl --out f.trec",
            &["vectors", "other", "the same corpus"],
        ),
    ];
    for (line, told) in cases {
        refused(&sandbox, line, told);
    }
}
