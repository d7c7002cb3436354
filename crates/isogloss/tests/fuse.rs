//! `isogloss fuse` from the outside.

mod common;

use common::{Sandbox, refused};

fn with_runs() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("a.trec", "q Q0 x 1 2 t\nq Q0 y 2 1 t\n");
    sandbox.write("b.trec", "q Q0 y 1 9 t\nq Q0 z 2 8 t\np Q0 z 1 8 t\n");
    sandbox
}

#[test]
fn methods_weigh_as_they_say() {
    let sandbox = with_runs();
    let docs = |line: &str| -> Vec<(String, f64)> {
        let run = sandbox.ok(line);
        let rows = run.lines().filter(|row| row.starts_with("q "));
        let fields = |row: &str| row.split(' ').map(str::to_owned).collect::<Vec<_>>();
        rows.map(fields).map(|row| (row[2].clone(), row[4].parse().unwrap())).collect()
    };
    let near = |got: &(String, f64), doc: &str, score: f64| got.0 == doc && (got.1 - score).abs() < 1e-6;
    let rrf = docs("fuse a.trec b.trec");
    assert!(near(&rrf[0], "y", 1.0 / 61.0 + 1.0 / 62.0), "{rrf:?}");
    let convex = docs("fuse a.trec b.trec --method minmax --alpha 0.25");
    assert!(near(&convex[0], "x", 0.75) && near(&convex[1], "y", 0.25) && near(&convex[2], "z", 0.0), "{convex:?}");
    // Asked for three documents a's list has two and b's has two: those that are missing scored 0.
    let filled = docs("fuse a.trec b.trec --method minmax --alpha 0.25 --floor zero,zero --depth 3");
    assert!(near(&filled[0], "x", 0.75) && near(&filled[1], "y", 0.625), "{filled:?}");
    assert!(near(&filled[2], "z", 0.25 * 8.0 / 9.0), "{filled:?}");
    assert_eq!(
        docs("fuse a.trec b.trec --method minmax --alpha 0.25 --floor zero"),
        convex,
        "its longest list is its depth"
    );
    let hybrid = docs("fuse a.trec b.trec --method mrtydi --alpha 2 --k 1");
    assert!(hybrid.len() == 1 && near(&hybrid[0], "y", 0.5), "{hybrid:?}");
    let three = docs("fuse a.trec b.trec a.trec --method minmax --weights 1,0,1");
    assert!(near(&three[0], "x", 2.0), "{three:?}");
    let sum = docs("fuse a.trec b.trec --method sum --weights 1,1");
    assert!(near(&sum[0], "y", 10.0) && near(&sum[1], "x", 10.0) && near(&sum[2], "z", 9.0), "{sum:?}");
}

#[test]
fn faults_are_named_and_nothing_is_written() {
    let sandbox = with_runs();
    refused(&sandbox, "fuse a.trec b.trec --method product --out f.trec", &["\"product\"", "rrf"]);
    refused(&sandbox, "fuse a.trec b.trec --method sum --rrf-k 9 --out f.trec", &["--rrf-k", "leave it out"]);
    refused(&sandbox, "fuse a.trec b.trec --method sum --alpha inf --out f.trec", &["--alpha", "finite"]);
    refused(&sandbox, "fuse a.trec b.trec --method zscore --weights 1 --out f.trec", &["1 weight"]);
    refused(&sandbox, "fuse a.trec b.trec --alpha 0.5 --out f.trec", &["--method", "rrf"]);
    refused(&sandbox, "fuse a.trec b.trec a.trec --method zscore", &["--alpha", "--weights"]);
    refused(&sandbox, "fuse a.trec none.trec --out f.trec", &["none.trec"]);
    refused(&sandbox, "fuse a.trec b.trec --method sum --floor low", &["--floor", "unknown floor", "lowest, zero"]);
    refused(&sandbox, "fuse a.trec b.trec --floor zero", &["--floor", "rrf", "--method"]);
    refused(&sandbox, "fuse a.trec b.trec --method sum --floor zero,zero,zero", &["--floor", "3 floors for 2 lists"]);
    refused(&sandbox, "fuse a.trec b.trec --method sum --floor zero --depth 0", &["--depth", "at least 1"]);
    refused(&sandbox, "fuse a.trec b.trec --alphas w.json --floor zero", &["--alphas", "--floor"]);
    sandbox.write("c.trec", "q Q0 x 1 2 t\nq Q0 y 2 -1 t\n");
    let below = "fuse a.trec c.trec --method sum --out f.trec --floor lowest,zero";
    refused(&sandbox, below, &["c.trec", "\"q\"", "below 0", "give lowest"]);
    sandbox.write("queries.jsonl", "{\"_id\":\"q\",\"text\":\"x\",\"lang\":\"fi\"}\n");
    sandbox.write("qrels.tsv", "q 0 x 1\n");
    let fit = "fuse c.trec a.trec --method sum --fit qrels.tsv --queries queries.jsonl --fitted w.json --floor zero";
    refused(&sandbox, fit, &["c.trec", "below 0"]);
}

/// Two languages, each of which one of the runs answers.
fn with_dev() -> Sandbox {
    let sandbox = Sandbox::new();
    let (mut runs, mut queries, mut qrels) = ([String::new(), String::new()], String::new(), String::new());
    for i in 0..12 {
        let lang = ["fi", "sw"][i % 2];
        queries += &format!("{{\"_id\":\"q{i}\",\"text\":\"x\",\"lang\":\"{lang}\"}}\n");
        qrels += &format!("q{i} 0 right 1\n");
        for (at, run) in runs.iter_mut().enumerate() {
            let [first, last] = if i % 2 == at { ["right", "wrong"] } else { ["wrong", "right"] };
            *run += &format!("q{i} Q0 {first} 1 3 t\nq{i} Q0 {last} 2 1 t\n");
        }
    }
    let [a, b] = runs;
    for (name, text) in [("a.trec", a), ("b.trec", b), ("queries.jsonl", queries), ("qrels.tsv", qrels)] {
        sandbox.write(name, text);
    }
    sandbox
}

#[test]
fn weights_are_fitted_by_language_and_used_by_language() {
    let sandbox = with_dev();
    let fit = "fuse a.trec b.trec --method minmax --fit qrels.tsv --queries queries.jsonl --measure RR@10";
    let table = sandbox.ok(&format!("{fit} --fitted weights.json --out dev.trec"));
    assert!(table.contains("better run alone: sw") && table.contains("one weight (0)"), "{table}");
    let json: serde_json::Value = serde_json::from_str(&sandbox.ok(&format!("{fit} --json"))).unwrap();
    assert_eq!((json["mean"]["one"].as_f64(), json["mean"]["own"].as_f64()), (Some(0.75), Some(1.0)));
    assert_eq!(json["langs"]["sw"]["alone"][0], 0.5);
    assert!(!String::from_utf8(sandbox.read("weights.json")).unwrap().contains("floor"));
    sandbox.ok(&format!("{fit} --fitted floored.json --floor zero"));
    assert!(String::from_utf8(sandbox.read("floored.json")).unwrap().contains("\"floor\": [\n    \"zero\"\n  ]"));
    sandbox.ok("fuse a.trec b.trec --alphas weights.json --queries queries.jsonl --out fused.trec");
    assert_eq!(sandbox.read("fused.trec"), sandbox.read("dev.trec"));
    let measured = sandbox.ok("evaluate qrels.tsv fused.trec RR@10 --resamples 0");
    assert!(measured.contains("1.0000"), "{measured}");
}

#[test]
fn weights_that_cannot_be_fitted_or_read_are_refused() {
    let sandbox = with_dev();
    sandbox.write("bad.json", "{\"method\": \"minmax\",\n\"all\": \"x\", \"langs\": {}}");
    sandbox.write("bare.jsonl", "{\"_id\":\"q0\",\"text\":\"x\"}\n");
    let fit = "fuse a.trec b.trec --fitted w.json --out f.trec --fit qrels.tsv --queries";
    let cases: [(String, &[&str]); 8] = [
        ("fuse a.trec b.trec --alphas bad.json --queries queries.jsonl --out f.trec".into(), &["bad.json:2", "--fit"]),
        ("fuse a.trec b.trec --alphas none.json --queries queries.jsonl --out f.trec".into(), &["none.json"]),
        ("fuse a.trec b.trec --alphas bad.json --method sum --out f.trec".into(), &["--alphas", "--method"]),
        (format!("{fit} queries.jsonl"), &["--method", "rrf has no weight"]),
        (format!("{fit} bare.jsonl --method minmax"), &["\"q0\"", "language"]),
        (format!("{fit} queries.jsonl --method minmax --fit-most 0"), &["--fit-most", "above 0"]),
        (format!("{fit} queries.jsonl --method minmax --folds 1"), &["--folds"]),
        ("fuse a.trec b.trec --method minmax --fit qrels.tsv".into(), &["--queries"]),
    ];
    for (line, told) in &cases {
        refused(&sandbox, line, told);
    }
    let three = "fuse a.trec b.trec a.trec --method minmax --fit qrels.tsv --queries queries.jsonl";
    refused(&sandbox, three, &["--fit", "give two"]);
}
