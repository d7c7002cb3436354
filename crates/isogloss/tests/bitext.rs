//! `isogloss mine bitext` from the outside.

mod common;

use common::{Sandbox, refused, sentences, static_run};

/// 48 sentences in two languages, the German ones from the last to the first, and a model that knows their words.
fn with_sides() -> Sandbox {
    let sandbox = Sandbox::with_data();
    let (english, german): (Vec<String>, Vec<String>) = sentences().into_iter().unzip();
    let reversed: Vec<String> = german.iter().rev().cloned().collect();
    for (name, texts) in [("en.txt", &english), ("de.txt", &german), ("reversed.txt", &reversed)] {
        sandbox.write(name, texts.join("\n") + "\n");
    }
    sandbox.write("gold.tsv", (0..48).map(|i| format!("{i}\t{}\n", 47 - i)).collect::<String>());
    sandbox.write("run.toml", static_run("t", 60));
    sandbox.ok("train run.toml");
    sandbox
}

fn rows(text: &str) -> Vec<(f64, String, String)> {
    let row = |row: &str| {
        let [score, a, b] = row.split('\t').collect::<Vec<_>>().try_into().unwrap();
        (score.parse().unwrap(), a.to_owned(), b.to_owned())
    };
    text.lines().map(row).collect()
}

#[test]
fn texts_and_vectors_of_them_give_the_same_pairs() {
    let sandbox = with_sides();
    let told = sandbox.ok("mine bitext en=en.txt de=de.txt --model t/model --aligned --out pairs.tsv");
    assert!(told.contains("xSIM error, ratio: ") && told.contains("of 48 pairs") && told.contains("F1"), "{told}");
    let pairs = rows(&String::from_utf8(sandbox.read("pairs.tsv")).unwrap());
    let right = pairs.iter().filter(|(_, a, b)| sentences().contains(&(a.clone(), b.clone()))).count();
    assert!(pairs.is_sorted_by(|a, b| a.0 >= b.0) && right >= 24, "{right} of {}", pairs.len());
    assert!(!sandbox.path("pairs.tsv.mining").exists());
    sandbox.ok("encode t/model en.txt --side query --out a --rows-per-shard 10");
    sandbox.ok("encode t/model de.txt --side query --out b");
    let by_id = rows(&sandbox.ok("mine bitext a b"));
    let texts = sentences();
    let named = by_id.iter().map(|(score, a, b)| {
        (*score, texts[a.parse::<usize>().unwrap()].0.clone(), texts[b.parse::<usize>().unwrap()].1.clone())
    });
    assert_eq!(named.collect::<Vec<_>>(), pairs);
    let mixed = rows(&sandbox.ok("mine bitext a de.txt --model t/model"));
    assert_eq!(mixed.iter().map(|row| &row.2).collect::<Vec<_>>(), pairs.iter().map(|row| &row.2).collect::<Vec<_>>());
    let small = rows(&sandbox.ok("mine bitext en.txt de.txt --model t/model --dtype int8"));
    let same = small.iter().filter(|(_, a, b)| pairs.iter().any(|pair| (&pair.1, &pair.2) == (a, b))).count();
    assert!(same * 10 >= pairs.len() * 9, "{same} of {}", pairs.len());
    // What was mined trains.
    sandbox.write("again.toml", static_run("again", 2));
    sandbox.ok("train again.toml");
}

#[test]
fn thresholds_strategies_and_known_pairs() {
    let sandbox = with_sides();
    let mine = |options: &str| rows(&sandbox.ok(&format!("mine bitext en.txt reversed.txt --model t/model {options}")));
    let [forward, backward, both, max] =
        ["forward", "backward", "intersection", "max"].map(|strategy| mine(&format!("--strategy {strategy}")));
    assert_eq!((forward.len(), backward.len()), (48, 48));
    assert!(both.iter().all(|pair| forward.contains(pair) && backward.contains(pair)));
    assert!(max.iter().all(|pair| forward.contains(pair) || backward.contains(pair)) && both.len() <= max.len());
    let least = max[max.len() / 2].0;
    assert!(mine(&format!("--threshold {least}")).iter().all(|pair| pair.0 >= least - 1e-6));
    assert!(mine("--threshold 99").is_empty());
    assert_ne!(mine("--margin absolute")[0].0, mine("--margin distance")[0].0);
    let told = sandbox.ok("mine bitext en.txt reversed.txt --model t/model --gold gold.tsv --out p.tsv");
    let straight = sandbox.ok("mine bitext en.txt de.txt --model t/model --aligned --out p.tsv");
    assert_eq!(told, straight);
}

#[test]
fn bad_input_is_refused_with_its_cure_and_nothing_is_left() {
    let sandbox = with_sides();
    sandbox.write("empty.txt", "");
    sandbox.write("latin.txt", b"caf\xe9\n");
    sandbox.write("three.tsv", "0\t1\t2\n");
    sandbox.write("far.tsv", "0\t47\n1\t48\n");
    sandbox.write("short.txt", "one\ntwo\n");
    sandbox.write("u.toml", static_run("u", 1).replace("seed = 3", "seed = 4"));
    sandbox.ok("train u.toml");
    sandbox.ok("encode t/model en.txt --side query --out a");
    sandbox.ok("encode u/model de.txt --side query --out other");
    let vectors = sandbox.read("a/vectors-00000.iso");
    sandbox.copy(&sandbox.path("a"), "cut");
    sandbox.write("cut/vectors-00000.iso", &vectors[..vectors.len() - 5]);
    let cases: [(&str, &[&str]); 17] = [
        ("en.txt", &["2 values"]),
        ("en.txt de.txt --out p.tsv", &["en.txt", "--model"]),
        ("none.txt de.txt --model t/model --out p.tsv", &["none.txt", "check the path"]),
        ("en.txt empty.txt --model t/model --out p.tsv", &["empty.txt:1", "empty"]),
        ("en.txt latin.txt --model t/model --out p.tsv", &["latin.txt:1", "UTF-8"]),
        ("en.txt de.txt --model none --out p.tsv", &["none"]),
        ("a other --out p.tsv", &["other", "another model", "with one"]),
        ("a a --model t/model --out p.tsv", &["--model", "leave it out"]),
        ("a cut --out p.tsv", &["cut/vectors-00000.iso", "bytes expected"]),
        ("en.txt de.txt --model t/model --margin cosine --out p.tsv", &["cosine", "ratio"]),
        ("en.txt de.txt --model t/model --strategy best --out p.tsv", &["best", "intersection"]),
        ("en.txt de.txt --model t/model --k 0 --out p.tsv", &["--k", "at least 1"]),
        ("en.txt de.txt --model t/model --threshold inf --out p.tsv", &["--threshold", "finite"]),
        ("a a --gold three.tsv --out p.tsv", &["three.tsv:1", "got 3 column"]),
        ("a a --gold far.tsv --out p.tsv", &["far.tsv:2", "\"48\"", "second side"]),
        ("en.txt de.txt --model t/model --out none/p.tsv", &["none", "check the path"]),
        ("en.txt de.txt --model t/model --out a", &["a: is a folder"]),
    ];
    for (line, told) in cases {
        refused(&sandbox, &format!("mine bitext {line}"), told);
    }
    let uneven = sandbox.run("mine bitext en.txt short.txt --model t/model --aligned");
    common::check("mine bitext", &uneven, &["short.txt: 2 texts, but 48 in en.txt", "--gold"]);
}
