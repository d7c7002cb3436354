//! `isogloss mine negatives` and `mine pairs` from the outside: what is promised of every row, and the same bytes after a kill.

mod common;

use common::{Sandbox, kill_when, refused, sentences, static_run};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// English and German documents that are translations, near-duplicates of some, English questions with their English answer
/// and every other German one with its German; a model, vectors and words of the corpus.
fn with_corpus() -> Sandbox {
    let sandbox = Sandbox::with_data();
    let (mut corpus, mut queries, mut qrels) = (String::new(), String::new(), String::new());
    for (i, (english, german)) in sentences().iter().enumerate() {
        for (lang, text) in [("en", english), ("de", german)] {
            corpus += &format!("{{\"_id\":\"{lang}-{i}\",\"text\":\"{text} at night\",\"lang\":\"{lang}\"}}\n");
            if i % 3 == 0 {
                let text = text.to_uppercase();
                corpus +=
                    &format!("{{\"_id\":\"{lang}-copy{i}\",\"text\":\"{text}  at night.\",\"lang\":\"{lang}\"}}\n");
            }
            queries += &format!("{{\"_id\":\"{lang}-q{i}\",\"text\":\"{text}\",\"lang\":\"{lang}\"}}\n");
            if lang == "en" || i % 2 == 0 {
                qrels += &format!("{lang}-q{i} 0 {lang}-{i} 1\n");
            }
        }
    }
    for (name, text) in [("corpus.jsonl", corpus), ("queries.jsonl", queries), ("qrels.tsv", qrels)] {
        sandbox.write(name, text);
    }
    sandbox.write("run.toml", static_run("t", 20));
    sandbox.ok("train run.toml");
    sandbox.ok("encode t/model corpus.jsonl --out vectors --rows-per-shard 50");
    sandbox.ok("index --bm25 corpus.jsonl --out words");
    sandbox
}

const ALL: &str = "--corpus corpus.jsonl --queries queries.jsonl --bm25 words --vectors vectors --model t/model";

fn rows(sandbox: &Sandbox, name: &str) -> Vec<Value> {
    let text = String::from_utf8(sandbox.read(name)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn ids(row: &Value, name: &str) -> Vec<String> {
    row[name].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()).collect()
}

fn report(sandbox: &Sandbox, out: &str) -> Value {
    serde_json::from_slice(&sandbox.read(&format!("{out}.report.json"))).unwrap()
}

/// The scores of every query's documents in a run of the whole corpus.
fn scores(sandbox: &Sandbox, search: &str) -> BTreeMap<(String, String), (usize, f64)> {
    let run = sandbox.ok(&format!("search {search} --queries queries.jsonl --k 1000"));
    let row = |row: &str| {
        let fields: Vec<&str> = row.split(' ').collect();
        ((fields[0].to_owned(), fields[2].to_owned()), (fields[3].parse().unwrap(), fields[4].parse().unwrap()))
    };
    run.lines().map(row).collect()
}

#[test]
fn every_row_keeps_the_rules() {
    let sandbox = with_corpus();
    let dense = scores(&sandbox, "--model t/model --corpus vectors");
    let words = scores(&sandbox, "--bm25 words");
    let options = "--parallel ids --dense-relative 0.02 --bm25-margin 0.5 --bm25-ranks 2-60 --per-lang 3 --quota de=1";
    let text = sandbox.ok(&format!("mine negatives {ALL} --qrels qrels.tsv {options} --negatives 5 --out n.jsonl"));
    assert!(text.contains("likely false negatives") && text.contains("a translation of a positive"), "{text}");
    assert_eq!(sandbox.read("n.jsonl.report.txt"), text.as_bytes());
    assert!(!sandbox.path("n.jsonl.mining").exists());
    let rows = rows(&sandbox, "n.jsonl");
    assert_eq!(rows.len(), 72);
    let mut negatives = 0;
    for row in &rows {
        let (query, negative_ids) = (row["id"].as_str().unwrap().to_owned(), ids(row, "neg_id"));
        let positive = ids(row, "pos_id").remove(0);
        let number = positive[3..].to_owned();
        assert_eq!(query, positive.replace('-', "-q"));
        let of_lang = |lang: &str| negative_ids.iter().filter(|id| id.starts_with(lang)).count();
        assert!(negative_ids.len() <= 5 && of_lang("de") <= 1 && of_lang("en") <= 3, "{row}");
        assert_eq!(negative_ids.iter().collect::<BTreeSet<_>>().len(), negative_ids.len());
        for id in &negative_ids {
            let same = [number.clone(), format!("copy{number}")];
            assert!(!same.contains(&id[3..].to_owned()), "{query} {id}: positive, translation or copy");
            let key = |doc: &str| (query.clone(), doc.to_owned());
            let (negative, positive) = (dense[&key(id)].1, dense[&key(&positive)].1);
            assert!(negative <= positive - 0.02 * positive.abs() + 1e-6, "{query} {id}: {negative} beside {positive}");
            if let Some((rank, score)) = words.get(&key(id)) {
                let best = words[&key(&ids(row, "pos_id")[0])].1;
                assert!(*rank >= 2 && *score <= best - 0.5 + 2e-4, "{query} {id}");
            }
        }
        negatives += negative_ids.len();
    }
    assert!(negatives > 100, "{negatives}");
    let found = &report(&sandbox, "n.jsonl")["found"];
    let dropped: u64 = found["dropped"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum();
    assert_eq!(found["negatives"].as_u64().unwrap(), negatives as u64);
    assert_eq!(found["candidates"].as_u64().unwrap(), dropped + negatives as u64);
    assert!(found["dropped"]["bm25_margin"].as_u64() > Some(0), "{found}");
    assert!(found["dropped"]["positive_elsewhere"].as_u64() > Some(10), "{found}");
    assert!(found["dropped"]["translation"].as_u64().is_some() && found["dropped"]["positive"].as_u64() > Some(60));
    let langs = found["negative_langs"].as_object().unwrap();
    assert!(langs.contains_key("de") && langs.contains_key("en"), "{langs:?}");
    sandbox.write(
        "again.toml",
        static_run("again", 2).replace("pairs.tsv", "n.jsonl").replace("format = \"parallel\"\n", ""),
    );
    sandbox.ok("train again.toml");
}

#[test]
fn one_list_alone_a_reranker_and_chance() {
    let sandbox = with_corpus();
    let mine = |options: &str, out: &str| {
        sandbox.ok(&format!(
            "mine negatives --corpus corpus.jsonl --queries queries.jsonl --qrels qrels.tsv --parallel ids {options} --out {out}"
        ));
        rows(&sandbox, out)
    };
    let by_words = mine("--bm25 words --langs same", "w.jsonl");
    let all_in = |row: &Value| ids(row, "neg_id").iter().all(|id| id.starts_with(row["lang"].as_str().unwrap()));
    assert!(by_words.iter().all(all_in) && by_words.iter().all(|row| row["doc_lang"] == row["lang"]));
    let vectors = "--vectors vectors --model t/model --dense-relative none";
    let others = mine(&format!("{vectors} --langs other"), "v.jsonl");
    assert!(others.iter().all(|row| !all_in(row) || ids(row, "neg_id").is_empty()));
    // A positive's translation is no negative.
    assert!(others.iter().all(|row| !ids(row, "neg_id").contains(
        &match row["id"].as_str().unwrap().split_once("-q") {
            Some(("en", i)) => format!("de-{i}"),
            other => format!("en-{}", other.unwrap().1),
        }
    )));
    let random = |seed: u64, out: &str| mine(&format!("{vectors} --pick random --seed {seed}"), out);
    let first = random(1, "r1.jsonl");
    assert_eq!(first, random(1, "r2.jsonl"));
    assert_ne!(first, random(2, "r3.jsonl"));
    let hard = mine(vectors, "hard.jsonl");
    assert_ne!(first, hard);
    // A copy of the positive is no negative, wherever it ranks: 24 of own ones, 16 of those in the other language.
    let copied = |row: &Value| ids(row, "neg_id").contains(&ids(row, "pos_id")[0].replace('-', "-copy"));
    assert!(!mine(&format!("{vectors} --dense-ranks 1-200 --negatives 200"), "all.jsonl").iter().any(copied));
    assert_eq!(report(&sandbox, "all.jsonl")["found"]["dropped"]["near_duplicate"].as_u64(), Some(40));
    sandbox.ok("encode t/model queries.jsonl --side query --out q");
    assert_eq!(
        mine("--vectors vectors --query-vectors q --dense-relative none", "q.jsonl"),
        rows(&sandbox, "hard.jsonl")
    );
    // The reranker scores all documents by their number: only those below 10 may be negatives.
    let numbers: String = rows(&sandbox, "corpus.jsonl")
        .iter()
        .map(|doc| doc["_id"].as_str().unwrap().to_owned())
        .map(|id| format!("en-q0 Q0 {id} 1 {} t\n", id.trim_matches(|c: char| !c.is_ascii_digit())))
        .collect();
    sandbox.write("scores.trec", numbers);
    let ranked = mine(&format!("{vectors} --reranker scores.trec --reranker-most 9"), "s.jsonl");
    let row = ranked.iter().find(|row| row["id"] == "en-q0").unwrap();
    let scores: Vec<f64> = row["neg_scores"].as_array().unwrap().iter().map(|score| score.as_f64().unwrap()).collect();
    assert!(!scores.is_empty() && scores.iter().all(|score| *score <= 9.0), "{row}");
    assert!(report(&sandbox, "s.jsonl")["found"]["dropped"]["reranker"].as_u64() > Some(0));
}

#[test]
fn pairs_are_what_both_lists_agree_on() {
    let sandbox = with_corpus();
    let mine = |options: &str, out: &str| -> (Vec<Value>, Value) {
        let text = sandbox.ok(&format!("mine pairs {ALL} {options} --out {out}"));
        assert!(text.contains("en: ") && text.contains("de: "), "{text}");
        (rows(&sandbox, out), report(&sandbox, out)["found"].clone())
    };
    let (pairs, found) = mine("--lead 0.01 --negatives-top 10 --negatives-beyond 20 --qrels qrels.tsv", "p.jsonl");
    let dense = scores(&sandbox, "--model t/model --corpus vectors");
    let words = scores(&sandbox, "--bm25 words");
    // Ranks in the query's language alone.
    let rank = |scores: &BTreeMap<(String, String), (usize, f64)>, query: &str, doc: &str| {
        let rank = scores.get(&(query.to_owned(), doc.to_owned()))?.0;
        let before =
            |((q, d), (r, _)): (&(String, String), &(usize, f64))| q == query && d[..2] == doc[..2] && *r < rank;
        Some(1 + scores.iter().filter(|(key, place)| before((key, place))).count())
    };
    assert!(!pairs.is_empty());
    for row in &pairs {
        let (query, positive) = (row["id"].as_str().unwrap(), ids(row, "pos_id").remove(0));
        for list in [&dense, &words] {
            assert!(rank(list, query, &positive).is_some_and(|rank| rank <= 3), "{query} {positive}");
        }
        for negative in ids(row, "neg_id") {
            let ranks = [rank(&words, query, &negative), rank(&dense, query, &negative)];
            let apart = |a: Option<usize>, b: Option<usize>| a.is_some_and(|a| a <= 10) && b.is_none_or(|b| b > 20);
            assert!(apart(ranks[0], ranks[1]) || apart(ranks[1], ranks[0]), "{query} {negative} {ranks:?}");
        }
    }
    let mined: u64 = found["langs"].as_object().unwrap().values().map(|lang| lang["mined"].as_u64().unwrap()).sum();
    assert_eq!(mined, pairs.len() as u64);
    let en = &found["langs"]["en"];
    let parts =
        ["nothing", "not_at_top", "short_lead", "not_found_back", "mined"].map(|part| en[part].as_u64().unwrap());
    assert_eq!((parts.iter().sum::<u64>(), en["with_positive"].as_u64()), (48, en["mined"].as_u64()));
    // Without rules every query has a pair.
    let (all, _) = mine("--lead -9 --top 1000 --depth 1000 --round-trip 0 --negatives 0", "all.jsonl");
    assert_eq!(all.len(), 96);
    assert!(mine("--lead 0.2", "far.jsonl").0.len() <= mine("--lead 0.05", "near.jsonl").0.len());
    for lists in ["bm25", "dense"] {
        let (pairs, _) = mine(&format!("--lists {lists} --lead 0"), &format!("{lists}.jsonl"));
        assert!(!pairs.is_empty(), "{lists}");
    }
}

/// So many queries that they take several blocks.
fn many(sandbox: &Sandbox) {
    let (mut queries, mut qrels) = (String::new(), String::new());
    for i in 0..4500 {
        let (english, _) = &sentences()[i % 48];
        queries += &format!("m{i}\t{english} {i}\n");
        qrels += &format!("m{i} 0 en-{} 1\n", i % 48);
    }
    sandbox.write("many.tsv", queries);
    sandbox.write("many_qrels.tsv", qrels);
}

#[test]
fn killed_and_started_again_it_ends_in_the_same_bytes() {
    let sandbox = with_corpus();
    many(&sandbox);
    let source = ALL.replace("queries.jsonl", "en=many.tsv");
    for (verb, ends) in [("negatives", "--qrels many_qrels.tsv --pick random"), ("pairs", "--lead 0")] {
        let line = |out: &str| format!("mine {verb} {source} {ends} --out {out}");
        let whole = format!("{verb}-whole.jsonl");
        sandbox.ok(&line(&whole));
        let killed = format!("{verb}-killed.jsonl");
        let mut kills = 0;
        for file in ["queries/vectors-00000.iso", "report-00000.json", "report-00001.json", "report-00003.json"] {
            let reached = || sandbox.path(&format!("{killed}.mining/{file}")).exists();
            kills += usize::from(kill_when(&sandbox, &line(&killed), reached));
        }
        assert!(kills >= 2, "too fast to be killed: {kills}");
        if sandbox.path(&format!("{killed}.mining/report-00000.json")).exists() {
            let changed = line(&killed) + " --near-duplicate 0.7";
            common::check(
                &changed,
                &sandbox.run(&changed),
                &["plan.json", "options.near_duplicate", "delete the folder"],
            );
        }
        sandbox.ok(&line(&killed));
        assert!(sandbox.read(&whole) == sandbox.read(&killed), "{verb}");
        for report in ["report.json", "report.txt"] {
            assert!(
                sandbox.read(&format!("{whole}.{report}")) == sandbox.read(&format!("{killed}.{report}")),
                "{verb}"
            );
        }
        assert!(!sandbox.path(&format!("{killed}.mining")).exists());
        let one = sandbox.ok(&(line("one.jsonl") + " --threads 1"));
        assert!(!one.is_empty() && sandbox.read("one.jsonl") == sandbox.read(&whole), "{verb}");
    }
}

#[test]
fn bad_input_is_refused_with_its_cure_and_nothing_is_left() {
    let sandbox = with_corpus();
    let corpus = String::from_utf8(sandbox.read("corpus.jsonl")).unwrap();
    let write = |name: &str, text: &str| sandbox.write(name, text);
    write("short.jsonl", &corpus.lines().take(90).map(|line| format!("{line}\n")).collect::<String>());
    write("broken.jsonl", &format!("{}\n{{\"_id\":\"x\"}}\n", corpus.lines().next().unwrap()));
    write("other_docs.tsv", "en-q0 0 nowhere 1\n");
    write("other_queries.tsv", "zz-q0 0 en-0 1\n");
    write("zero.tsv", "en-q0 0 en-0 0\n");
    write("alone.tsv", "en-0\tde-0\nen-1\n");
    write("unknown.tsv", "en-0\tko-0\n");
    write("twice.tsv", "en-0\tde-0\nde-0\ten-1\n");
    write("foreign.trec", "zz Q0 en-0 1 1 t\n");
    write("nan.trec", "en-q0 Q0 en-0 1 NaN t\n");
    write("letters/letter", "dear");
    sandbox.write("run.toml", static_run("u", 1).replace("seed = 3", "seed = 4"));
    sandbox.ok("train run.toml");
    sandbox.ok("encode t/model queries.jsonl --side query --out q");
    sandbox.ok("encode u/model queries.jsonl --side query --out other_q");
    let negatives =
        |from: &str, to: &str| format!("mine negatives {ALL} --qrels qrels.tsv --out n.jsonl").replace(from, to);
    let pairs = |options: &str| format!("mine pairs {ALL} --out n.jsonl {options}");
    let plus = |options: &str| negatives("--out", &format!("{options} --out"));
    let stored = |vectors: &str| negatives("--model t/model", &format!("--query-vectors {vectors}"));
    let cases: Vec<(String, &[&str])> = vec![
        (negatives("--bm25 words --vectors vectors --model t/model", ""), &["the lists", "--bm25"]),
        (negatives("--model t/model", ""), &["--vectors", "--query-vectors"]),
        (negatives("--corpus corpus.jsonl", "--corpus short.jsonl"), &["words", "is not in short.jsonl", "one corpus"]),
        (negatives("--corpus corpus.jsonl", "--corpus broken.jsonl"), &["broken.jsonl:2", "missing field"]),
        (negatives("--corpus corpus.jsonl", "--corpus none.jsonl"), &["none.jsonl", "check the path"]),
        (negatives("qrels.tsv", "other_docs.tsv"), &["other_docs.tsv", "\"nowhere\"", "corpus.jsonl"]),
        (negatives("qrels.tsv", "other_queries.tsv"), &["other_queries.tsv", "\"zz-q0\"", "queries.jsonl"]),
        (negatives("qrels.tsv", "zero.tsv"), &["zero.tsv", "grade 1"]),
        (negatives("--model t/model", "--model u/model"), &["vectors", "another model"]),
        (negatives("--vectors vectors", "--vectors q"), &["q: ", "--side doc"]),
        (stored("vectors"), &["vectors", "--side query"]),
        (stored("other_q"), &["other_q", "another model"]),
        (stored("none"), &["none", "check the path"]),
        (plus("--bm25-ranks 5-2"), &["--bm25-ranks", "1-100"]),
        (plus("--quota de"), &["--quota", "sw=2"]),
        (plus("--near-duplicate 1.5"), &["near-duplicates = 1.5", "at most 1"]),
        (plus("--dense-margin nan"), &["finite"]),
        (plus("--pick best"), &["\"best\"", "random"]),
        (plus("--parallel alone.tsv"), &["alone.tsv:2", "one id alone"]),
        (plus("--parallel unknown.tsv"), &["unknown.tsv:1", "\"ko-0\""]),
        (plus("--parallel twice.tsv"), &["twice.tsv:2", "\"de-0\""]),
        (plus("--reranker foreign.trec"), &["foreign.trec", "none of the queries"]),
        (plus("--reranker nan.trec"), &["nan.trec:1", "NaN"]),
        (plus("--reranker-most 1"), &["--reranker"]),
        (negatives("n.jsonl", "letters"), &["letters", "name a file"]),
        (negatives("n.jsonl", "none/n.jsonl"), &["none", "check the path"]),
        (pairs("--lists both --top 0"), &["--top", "at least 1"]),
        (pairs("--negatives-top 50 --negatives-beyond 40"), &["50 beside 40"]),
        (pairs("--alpha inf"), &["finite"]),
        (pairs("--qrels none.tsv"), &["none.tsv"]),
        (pairs("").replace("--bm25 words", ""), &["the agreement = both", "--lists"]),
    ];
    for (line, told) in &cases {
        refused(&sandbox, line, told);
    }
    assert!(!sandbox.path("n.jsonl.mining/rows-00000.jsonl").exists());
}
