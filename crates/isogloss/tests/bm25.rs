//! Words: `index --bm25`, `search --bm25` and `analyze`, with what they refuse.

mod common;

use common::{Sandbox, refused};
use std::io::Write;
use std::process::Output;

const CORPUS: &str = "{\"_id\":\"b\",\"title\":\"Horses\",\"text\":\"The horse runs by the river.\",\"lang\":\"en\"}\n\
    {\"_id\":\"a\",\"title\":\"\",\"text\":\"Horses run, the horse's river runs.\",\"lang\":\"en\"}\n\
    {\"_id\":\"c\",\"title\":\"\",\"text\":\"Das Pferd rennt am Fluss entlang.\",\"lang\":\"de\"}\n\
    {\"_id\":\"d\",\"title\":\"\",\"text\":\"గుర్రం నది పక్కన పరుగెత్తుతుంది.\",\"lang\":\"te\"}\n";
const QUERIES: &str = "q1\thorses of the river\nq2\tPferde\nq3\tthe\nq4\tnothing here\n";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("corpus.jsonl", CORPUS);
    sandbox.write("queries.tsv", QUERIES);
    sandbox
}

fn piped(sandbox: &Sandbox, line: &str, stdin: &str) -> Output {
    let mut child = sandbox.command(line).stdin(std::process::Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

#[test]
fn a_corpus_of_one_language_is_indexed_and_searched() {
    let sandbox = sandbox();
    assert_eq!(sandbox.ok("index --bm25 corpus.jsonl --out bm25 --analyzer lucene:en"), "bm25\n");
    let run = sandbox.ok("search --bm25 bm25 --queries queries.tsv");
    let rows: Vec<Vec<&str>> = run.lines().map(|row| row.split(' ').collect()).collect();
    assert_eq!(
        rows.iter().map(|row| (row[0], row[2], row[3])).collect::<Vec<_>>(),
        [("q1", "b", "1"), ("q1", "a", "2"), ("q2", "c", "1")]
    );
    sandbox.ok("search --bm25 bm25 --queries queries.tsv --out run.trec");
    assert_eq!(sandbox.read("run.trec"), run.as_bytes());
    let one = sandbox.ok("search --bm25 bm25 --queries queries.tsv --k 1 --threads 1");
    let first = |row: &&str| row.split(' ').nth(3) == Some("1");
    assert_eq!(one.lines().collect::<Vec<_>>(), run.lines().filter(first).collect::<Vec<_>>());
    assert_ne!(sandbox.ok("search --bm25 bm25 --queries queries.tsv --k1 1.2 --b 0.75"), run);
}

#[test]
fn every_language_of_a_mixed_corpus_has_its_own_analysis() {
    let sandbox = sandbox();
    sandbox.ok("index --bm25 corpus.jsonl --out bm25");
    let run = |queries: &str| sandbox.ok(&format!("search --bm25 bm25 --queries {queries}"));
    let found = |run: &str| run.lines().map(|row| row.split(' ').nth(2).unwrap().to_owned()).collect::<Vec<_>>();
    // All fields: English of the first query, German of the second.
    assert_eq!(found(&run("queries.tsv")), ["b", "a", "c"]);
    assert_eq!(found(&run("de=queries.tsv")), ["c"]);
    // A language without a field: all fields.
    assert_eq!(run("fi=queries.tsv"), run("queries.tsv"));
}

#[test]
fn words_and_the_tokens_of_a_tokenizer_are_one_score() {
    let sandbox = Sandbox::with_data();
    sandbox.ok("index --bm25 corpus.jsonl --out words --analyzer lucene:de");
    sandbox.ok("index --bm25 corpus.jsonl --out both --analyzer lucene:de+subword:tokenizer");
    let scores = |index: &str| {
        let run = sandbox.ok(&format!("search --bm25 {index} --queries queries.jsonl --k 1000"));
        run.lines().map(|row| row.split(' ').nth(4).unwrap().parse::<f64>().unwrap()).sum::<f64>()
    };
    assert!(scores("both") > scores("words"));
}

#[test]
fn analysis_is_shown_token_by_token_or_text_by_text() {
    let sandbox = sandbox();
    let told = |line: &str, stdin: &str| {
        let output = piped(&sandbox, line, stdin);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(told("analyze --analyzer lucene:en", "The Horses' manes\nran.\n"), "hors\nmane\nran\n");
    let json = "{\"text\":\"The Horses\",\"id\":7}\n\n{\"text\":\"\"}\n";
    assert_eq!(told("analyze --analyzer lucene:en --json", json), "{\"tokens\":[\"hors\"]}\n{\"tokens\":[]}\n");
    assert_eq!(
        told("analyze --json", "{\"text\":\"Habari, Dunia\",\"lang\":\"sw\"}"),
        "{\"tokens\":[\"Habari,\",\"Dunia\"]}\n"
    );
    assert_eq!(told("analyze --analyzer lucene:en+icu", "the Horses"), "hors\nthe\nhorses\n");
}

#[test]
fn what_cannot_be_is_refused_with_its_cure() {
    let sandbox = sandbox();
    sandbox.ok("index --bm25 corpus.jsonl --out bm25 --analyzer icu");
    sandbox.write("empty.jsonl", "");
    sandbox.write("bad.jsonl", "{\"_id\":\"a\",\"text\":\"x\"}\n{\"_id\":\"b\"}\n");
    sandbox.write("twice.jsonl", "{\"_id\":\"a\",\"text\":\"x\"}\n{\"_id\":\"a\",\"text\":\"y\"}\n");
    sandbox.write("blank.jsonl", "{\"_id\":\"a b\",\"text\":\"horse\"}\n");
    sandbox.write("letter/bm25.iso", "dear friend, how are you, it has been a long time, and so on and on and on");
    sandbox.write("nothing/x", "");
    let cases: [(&str, &[&str]); 19] = [
        ("index --bm25 corpus.jsonl", &["--out"]),
        ("index --bm25 none.jsonl --out i", &["none.jsonl", "check the path"]),
        ("index --bm25 empty.jsonl --out i", &["empty.jsonl"]),
        ("index --bm25 bad.jsonl --out i --analyzer icu", &["bad.jsonl", "2"]),
        ("index --bm25 twice.jsonl --out i --analyzer icu", &["twice.jsonl", "\"a\""]),
        ("index --bm25 corpus.jsonl --out bm25", &["bm25", "already there", "choose another"]),
        ("index --bm25 corpus.jsonl --out corpus.jsonl/i", &["corpus.jsonl", "choose another path"]),
        ("index --bm25 corpus.jsonl --out i --analyzer lucene:xx", &["lucene:xx", "lucene:LANG", "zh"]),
        ("index --bm25 corpus.jsonl --out i --analyzer icu+icu", &["icu+icu", "two different"]),
        ("index --bm25 corpus.jsonl --out i --analyzer subword:none", &["subword:none", "tokenizer.json"]),
        ("index --bm25 klingon=corpus.jsonl --out i", &["klingon"]),
        ("search --bm25 none --queries queries.tsv", &["none", "check the path"]),
        ("search --bm25 nothing --queries queries.tsv", &["nothing", "isogloss index --bm25"]),
        ("search --bm25 letter --queries queries.tsv", &["letter/bm25.iso", "no BM25 index"]),
        ("search --bm25 bm25 --queries queries.tsv --k1 -1", &["k1"]),
        ("search --bm25 bm25 --queries queries.tsv --b 1.5", &["b = 1.5", "from 0 to 1"]),
        ("search --bm25 bm25 --model m --queries queries.tsv", &["--bm25", "--model"]),
        ("search --queries queries.tsv", &["--model"]),
        ("analyze --analyzer klingon", &["klingon", "lucene:LANG"]),
    ];
    for (line, told) in cases {
        refused(&sandbox, line, told);
    }
    assert!(!sandbox.path("i").exists() && !sandbox.path(".i.partial").exists());
    sandbox.ok("index --bm25 blank.jsonl --out spaced --analyzer icu");
    sandbox.write("horse.tsv", "q\thorse\n");
    refused(&sandbox, "search --bm25 spaced --queries horse.tsv", &["\"a b\"", "white space"]);
    for (stdin, told) in [("{\"text\":7}", "line 1"), ("{\"tokens\":[]}", "text")] {
        let output = piped(&sandbox, "analyze --analyzer icu --json", stdin);
        common::check("analyze", &output, &["stdin", told]);
    }
    // Lines before the bad one are answered: it is a filter.
    let mut output = piped(&sandbox, "analyze --analyzer icu --json", "{\"text\":\"a\"}\n{");
    assert_eq!(std::mem::take(&mut output.stdout), b"{\"tokens\":[\"a\"]}\n");
    common::check("analyze", &output, &["stdin", "line 2"]);
}

#[test]
fn a_damaged_index_is_found_whatever_the_damage() {
    let sandbox = sandbox();
    sandbox.ok("index --bm25 corpus.jsonl --out bm25 --analyzer lucene:en");
    let whole = sandbox.read("bm25/bm25.iso");
    let refused_with = |bytes: &[u8]| {
        sandbox.write("bm25/bm25.iso", bytes);
        refused(&sandbox, "search --bm25 bm25 --queries queries.tsv", &["bm25/bm25.iso", "index"]);
    };
    for keep in [0, 7, 63, 64, whole.len() / 2, whole.len() - 1] {
        refused_with(&whole[..keep]);
    }
    for at in [0, 8, 17, 41, whole.len() - 3] {
        let mut broken = whole.clone();
        broken[at] ^= 0x10;
        refused_with(&broken);
    }
    // Anywhere else it is refused too, unless it stands in the zeros between sections.
    for at in (64..whole.len()).step_by(whole.len() / 25) {
        let mut broken = whole.clone();
        broken[at] ^= 0xff;
        sandbox.write("bm25/bm25.iso", &broken);
        let output = sandbox.run("search --bm25 bm25 --queries queries.tsv");
        if !output.status.success() {
            common::check("search", &output, &["bm25/bm25.iso", "damaged; index again"]);
        }
    }
}
