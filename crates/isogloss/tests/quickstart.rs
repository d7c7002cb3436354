//! `isogloss quickstart` on a small set of its own data layout.

mod common;

use common::{Sandbox, kill_when, refused, sentences};
use serde_json::Value;

fn with_layout() -> Sandbox {
    let sandbox = Sandbox::new();
    let write = |name: &str, text: String| sandbox.write(name, zstd::encode_all(text.as_bytes(), 1).unwrap());
    let (train, eval): (Vec<_>, Vec<_>) = sentences().into_iter().enumerate().partition(|(i, _)| i % 4 > 0);
    let rows = |rows: &[(usize, (String, String))], row: fn(usize, &str, &str) -> String| -> String {
        rows.iter().map(|(i, (english, german))| row(*i, english, german)).collect()
    };
    let pairs = rows(&train, |_, english, german| format!("en\tde\t{english}\t{german}\n"));
    write("data/train/parallel.tsv.zst", "src_lang\ttgt_lang\tsrc\ttgt\n".to_owned() + &pairs);
    let tatoeba = rows(&eval, |i, english, german| format!("de\t{i}\t{german}\t{english}\n"));
    write("data/eval/tatoeba.tsv.zst", "lang\tidx\tsrc\teng\n".to_owned() + &tatoeba);
    let ntrex = rows(&eval, |i, english, german| format!("de\t{i}\t{german}\nen\t{i}\t{english}\n"));
    write("data/eval/ntrex.tsv.zst", "lang\tidx\ttext\n".to_owned() + &ntrex);
    for (folder, some) in [("data/train/english", &train), ("data/eval/xquad_r", &eval)] {
        let corpus = rows(some, |i, english, german| {
            let doc =
                |lang: &str, text: &str| format!("{{\"_id\":\"{lang}{i}\",\"text\":\"{text}\",\"lang\":\"{lang}\"}}\n");
            doc("en", english) + &doc("de", german)
        });
        let qrels = rows(some, |i, _, _| {
            ["en", "de"].map(|q| ["en", "de"].map(|d| format!("{q}{i}\t{d}{i}\t1\n")).concat()).concat()
        });
        sandbox.write(&format!("{folder}/queries.jsonl"), corpus.replace("the ", "which ").replace("das ", "welches "));
        sandbox.write(&format!("{folder}/corpus.jsonl"), corpus);
        sandbox.write(&format!("{folder}/qrels.tsv"), "query-id\tcorpus-id\tscore\n".to_owned() + &qrels);
    }
    sandbox
}

fn report(sandbox: &Sandbox) -> Value {
    let mut report: Value = serde_json::from_slice(&sandbox.read("q/report.json")).unwrap();
    report.as_object_mut().unwrap().remove("seconds").unwrap();
    report
}

#[test]
fn it_learns_reports_and_goes_on_where_it_was() {
    let sandbox = with_layout();
    let tables = sandbox.ok("quickstart --steps 20 --out q");
    let first = report(&sandbox);
    let mean = |when: &str, set: &str| first[when][set]["mean"]["to_english"].as_f64().unwrap();
    assert!(mean("after", "tatoeba") > mean("before", "tatoeba"), "{tables}");
    assert_eq!(mean("after", "tatoeba"), mean("after", "ntrex"), "the same sentences in another layout");
    assert!((0.0..=1.0).contains(&mean("after", "passages")));
    assert_eq!((&first["steps"], first["searches"].as_array().unwrap().len()), (&20.into(), 2));
    assert!(tables.contains("accuracy@1") && tables.contains("nDCG@10") && tables.contains("* de"), "{tables}");

    assert_eq!(sandbox.ok("quickstart --steps 20 --out q"), tables, "all is there already");
    std::fs::remove_dir_all(sandbox.path("q")).unwrap();
    for stage in
        ["quickstart.toml", "tokenizer", "run/log.jsonl", "run/model", "vectors/before/tatoeba", "vectors/after"]
    {
        kill_when(&sandbox, "quickstart --steps 20 --out q", || sandbox.path(&format!("q/{stage}")).exists());
    }
    assert_eq!(sandbox.ok("quickstart --steps 20 --out q"), tables, "killed at every stage, the same figures");
    assert_eq!(report(&sandbox), first);
    refused(&sandbox, "quickstart --steps 21 --out q", &["q/quickstart.toml", "another --out"]);
}
