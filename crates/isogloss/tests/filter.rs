//! `isogloss filter`: what of generated queries is kept, and what is told of the rest.

mod common;

use common::{Sandbox, refused};

const QUERIES: [(&str, &str, &str, &str); 6] = [
    ("d0-0", "Where does the horse sleep in the summer?", "d0", "en"),
    ("d0-1", "where does the HORSE sleep in the summer?", "d0", "en"),
    ("d1-0", "Wo schläft das Pferd in diesem Sommer?", "d1", "en"),
    ("d1-1", "das pferd trinkt im garten", "d1", "de"),
    ("d1-2", "eh", "d1", "de"),
    ("d1-3", "Wo trinkt das große Tier?", "d1", "de"),
];

fn with_queries() -> Sandbox {
    let sandbox = Sandbox::new();
    let row = |(id, text, doc, lang): (&str, &str, &str, &str)| {
        format!("{{\"id\":\"{id}\",\"text\":\"{text}\",\"doc\":\"{doc}\",\"score\":-1.5,\"lang\":\"{lang}\"}}\n")
    };
    sandbox.write("queries.jsonl", QUERIES.map(row).concat());
    sandbox.write(
        "corpus.jsonl",
        "{\"id\":\"d0\",\"text\":\"The horse sleeps.\"}\n{\"id\":\"d1\",\"text\":\"Das Pferd trinkt im Garten.\"}\n",
    );
    sandbox.write("run.trec", "d0-0 Q0 d1 1 3.0 x\nd0-0 Q0 d0 2 2.0 x\nd1-3 Q0 d0 1 3.0 x\n");
    sandbox
}

#[test]
fn every_rule_is_counted_by_language_and_lines_stay_as_they_are() {
    let sandbox = with_queries();
    let rules = "--min-chars 4 --check-language --drop-duplicates --max-copied 0.8 --corpus corpus.jsonl";
    let counts = sandbox.ok(&format!("filter queries.jsonl {rules} --out kept.jsonl --csv"));
    assert_eq!(
        counts,
        "lang,read,length,language,duplicate,copied,not found,kept\nde,3,1,0,0,1,0,1\nen,3,0,1,1,0,0,1\n"
    );
    let all = String::from_utf8(sandbox.read("queries.jsonl")).unwrap();
    let lines: Vec<&str> = all.lines().collect();
    assert_eq!(String::from_utf8(sandbox.read("kept.jsonl")).unwrap(), format!("{}\n{}\n", lines[0], lines[5]));
    let found = sandbox.ok("filter kept.jsonl --run run.trec --top 2 --out found.jsonl --json");
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    assert_eq!((&found["de"]["dropped"]["not found"], &found["en"]["kept"]), (&1.into(), &1.into()));
    sandbox.ok("filter queries.jsonl --out all.jsonl");
    assert!(sandbox.read("all.jsonl") == sandbox.read("queries.jsonl"));
}

#[test]
fn what_cannot_be_is_refused() {
    let sandbox = with_queries();
    sandbox.write("broken.jsonl", "{\"id\":\"a\",\"text\":\"b\",\"doc\":\"d0\"}\n{\"id\":\"a\"}\n");
    sandbox.write("other.jsonl", "{\"id\":\"x\",\"text\":\"y\"}\n");
    let cases: [(&str, &[&str]); 7] = [
        ("filter queries.jsonl", &["--out"]),
        ("filter none.jsonl --out k.jsonl", &["none.jsonl"]),
        ("filter broken.jsonl --out k.jsonl", &["broken.jsonl", "line 2", "text"]),
        ("filter broken.jsonl --check-language --out k.jsonl", &["broken.jsonl", "line 1", "lang"]),
        ("filter queries.jsonl --max-copied 0.8 --out k.jsonl", &["--corpus"]),
        ("filter queries.jsonl --max-copied 1.8 --corpus corpus.jsonl --out k.jsonl", &["--max-copied"]),
        ("filter queries.jsonl --max-copied 0.8 --corpus other.jsonl --out k.jsonl", &["line 1", "d0", "corpus"]),
    ];
    for (line, told) in cases {
        refused(&sandbox, line, told);
    }
}
