//! `train --dry-run`: its figures against naive counts and the log of the run itself, its refusals against those of training, and that it writes nothing.

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{Sandbox, sentences, static_run, transformer_run};
use isogloss_model::Tokenizer;
use serde_json::Value;

fn plan(sandbox: &Sandbox, run: &str) -> Value {
    sandbox.write("run.toml", run);
    serde_json::from_str(&sandbox.ok("train run.toml --dry-run --json")).unwrap()
}

/// The lines of the log of steps.
fn log(sandbox: &Sandbox, out: &str) -> Vec<Value> {
    let log = String::from_utf8(sandbox.read(&format!("{out}/log.jsonl"))).unwrap();
    log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// Mean and largest of a figure of every step.
fn spread(log: &[Value], figure: &str) -> (f64, f64) {
    let figures: Vec<f64> = log.iter().map(|line| number(&line[figure])).collect();
    (figures.iter().sum::<f64>() / figures.len() as f64, figures.iter().copied().fold(0.0, f64::max))
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

/// Lengths of texts in tokens, with so many special tokens.
fn lengths(sandbox: &Sandbox, texts: impl Iterator<Item = String>, special: usize) -> Vec<usize> {
    let tokenizer = Tokenizer::load(&sandbox.path("tokenizer")).unwrap();
    texts.map(|text| tokenizer.encode_plain(&text).unwrap().len() + special).collect()
}

#[test]
fn rows_texts_tokens_and_cuts_are_those_of_a_naive_count() {
    let sandbox = Sandbox::with_data();
    let (most, prompt) = (12, "find: ");
    let model = format!("[model]\nmax_tokens = {most}\nquery_prompt = \"{prompt}\"\n[model.new]");
    let plan = plan(&sandbox, &transformer_run("out", 6).replace("[model.new]", &model));
    let set = &plan["tasks"][0]["sets"][0];
    assert_eq!((&set["path"], &set["rows"]), (&"pairs.tsv".into(), &48.into()));
    let (english, german): (Vec<String>, Vec<String>) = sentences().into_iter().unzip();
    let english = english.into_iter().map(|text| format!("{prompt}{text}")).collect();
    for (lang, rows, texts) in [("en", 0, english), ("de", 48, german)] {
        let texts: Vec<String> = texts;
        let lengths = lengths(&sandbox, texts.into_iter(), 2);
        let cut = lengths.iter().filter(|length| **length > most).count();
        let tokens: usize = lengths.iter().map(|length| *length.min(&most)).sum();
        let counts = &set["langs"][lang];
        let got = ["rows", "texts", "tokens", "cut"].map(|count| number(&counts[count]) as usize);
        assert_eq!(got, [rows, 48, tokens, cut], "{lang}");
        assert!(lang == "de" || cut > 0, "the limit is to cut something");
    }
}

#[test]
fn batches_are_those_that_training_draws() {
    let sandbox = Sandbox::with_data();
    // Twice the same pairs: a batch may not hold both, so rows are put back.
    let twice = "[[data]]\npath = \"pairs.tsv\"\nformat = \"parallel\"\n[batch]";
    let chunked = "rows = 16\nchunk_tokens = 100\naccumulate = 2";
    let run = transformer_run("out", 9).replace("[batch]", twice).replace("rows = 16", chunked);
    let plan = plan(&sandbox, &run);
    sandbox.ok("train run.toml");
    let log = log(&sandbox, "out");
    let drawn = &plan["tasks"][0]["drawn"];
    assert_eq!((&plan["steps"], &plan["accumulate"], &drawn["batches"]), (&9.into(), &2.into(), &18.into()));
    let ((rows, _), (tokens, most)) = (spread(&log, "rows"), spread(&log, "tokens"));
    assert!(near(2.0 * number(&drawn["rows"]["mean"]), rows), "{drawn} {rows}");
    assert!(near(2.0 * number(&drawn["tokens"]["mean"]), tokens), "{drawn} {tokens}");
    assert!(near(number(&plan["tokens"]), 9.0 * tokens), "{plan}");
    assert!(2.0 * number(&drawn["tokens"]["largest"]) >= most);
    assert_eq!(number(&drawn["texts"]["mean"]), 2.0 * number(&drawn["rows"]["mean"]));
    let at_once = number(&drawn["tokens_at_once"]);
    assert!(at_once > 80.0 && at_once <= 100.0, "{at_once}");
    assert!(number(&drawn["repeated"]) > 0.0, "{drawn}");
    assert_eq!(drawn["langs"], serde_json::json!({"de": 1.0}));
    let passes: f64 = plan["tasks"][0]["sets"].as_array().unwrap().iter().map(|set| number(&set["passes"])).sum();
    assert!(near(passes, 9.0 * rows / 48.0), "{passes}");
}

#[test]
fn weights_and_memory_are_counted() {
    let sandbox = Sandbox::with_data();
    let plan = plan(&sandbox, &transformer_run("out", 2).replace("rows = 16", "rows = 16\nchunk_tokens = 50"));
    sandbox.ok("train run.toml");
    let header = sandbox.read("out/model/model.safetensors");
    let length = u64::from_le_bytes(header[..8].try_into().unwrap()) as usize;
    // f32 and nothing else follows the header.
    let weights = ((header.len() - 8 - length) / 4) as u64;
    assert_eq!((&plan["model_parameters"], &plan["recipe_parameters"]), (&weights.into(), &0.into()));
    let memory: BTreeMap<String, u64> = serde_json::from_value(plan["memory"].clone()).unwrap();
    assert_eq!((memory["weights"], memory["moments"]), (4 * weights, 8 * weights));
    assert!(memory["gradients"] > memory["weights"], "chunks add to what other chunks left");
    assert!(memory["activations"] < memory["activations_without_chunks"] / 2);
    let parts = ["weights", "gradients", "moments", "held", "texts", "activations", "similarities"];
    assert_eq!(memory["total"], parts.iter().map(|part| memory[*part]).sum::<u64>());
}

const DOCUMENTS: &str = "[[task.data]]\npath = \"documents.jsonl\"\n";

/// A task of every recipe but distillation: its name, options and data, and what its plan should say: languages and rows.
fn tasks() -> [(&'static str, &'static str, &'static str, BTreeSet<&'static str>, usize); 5] {
    let pairs = "[[task.data]]\npath = \"pairs.tsv\"\nformat = \"parallel\"\n";
    let pairs_and_texts =
        "[[task.data]]\npath = \"pairs.tsv\"\n[[task.data]]\npath = \"documents.jsonl\"\nrole = \"text\"\n";
    let rows = "[[task.data]]\npath = \"clear.jsonl\"\nlang = \"en\"\n";
    [
        ("contrastive", "", pairs, ["de", "en"].into(), 48),
        ("la_mir", "texts = 5\nunit_tokens = 1\n", pairs_and_texts, ["de", "en", "sw"].into(), 48 + 16),
        ("clear", "", rows, ["en", "sw"].into(), 2),
        ("ccp", "unit_tokens = 1\nwarm_up_batches = 3\n", DOCUMENTS, ["sw"].into(), 16),
        ("mlm", "", DOCUMENTS, ["sw"].into(), 8),
    ]
}

#[test]
fn every_recipe_has_a_plan_and_a_mixture_has_one_of_each() {
    let sandbox = Sandbox::with_data();
    let document = |n: usize| format!("{{\"lang\":\"sw\",\"sentences\":[\"horse {n}\",\"sheep {n}\"]}}\n");
    sandbox.write("documents.jsonl", (0..8).map(document).collect::<String>());
    let clear = |n: usize| {
        format!(
            "{{\"anchor\":\"a{n}\",\"positive\":\"b{n}\",\"negative_1\":\"c{n}\",\"cross_anchor\":\"d{n}\",\"cross_lang\":\"sw\"}}\n"
        )
    };
    sandbox.write("clear.jsonl", (0..2).map(clear).collect::<String>());
    let mut all = String::new();
    for (recipe, options, data, ..) in tasks() {
        all += &format!("[[task]]\nshare = 1.0\n[task.recipe]\nname = \"{recipe}\"\n{options}{data}");
    }
    let run = transformer_run("out", 100);
    let (head, tail) = (run.split("[recipe]").next().unwrap(), run.split("[batch]").nth(1).unwrap());
    let plan = plan(&sandbox, &format!("{head}{all}[batch]{tail}"));
    let planned = plan["tasks"].as_array().unwrap();
    assert_eq!(planned.len(), 5);
    for (task, (recipe, _, _, langs, rows)) in planned.iter().zip(tasks()) {
        assert_eq!(task["name"], recipe);
        assert_eq!(number(&task["batches"]), 20.0, "{recipe}");
        let sets = task["sets"].as_array().unwrap();
        let found: BTreeSet<&str> =
            sets.iter().flat_map(|set| set["langs"].as_object().unwrap().keys().map(String::as_str)).collect();
        assert_eq!(found, langs, "{recipe}");
        assert_eq!(sets.iter().map(|set| number(&set["rows"]) as usize).sum::<usize>(), rows, "{recipe}");
        assert!(number(&task["drawn"]["tokens"]["mean"]) > 0.0, "{recipe}");
    }
    let la_mir = planned[1]["sets"].as_array().unwrap();
    assert_eq!([0, 1].map(|n| number(&la_mir[n]["rows_per_batch"])), [16.0, 5.0]);
    assert!(number(&plan["recipe_parameters"]) > 0.0, "two heads");
    assert!(number(&plan["memory"]["held"]) >= f64::from(4096 * 32 * 4), "a bank of one language");
}

#[test]
fn nothing_is_written_and_a_table_says_it() {
    let sandbox = Sandbox::with_data();
    sandbox.write("run.toml", static_run("out", 3));
    let before = sandbox.files("");
    let told = sandbox.ok("train run.toml --dry-run");
    for part in ["3 steps of 1 batch", "pairs.tsv", "de", "16", "texts encoded", "memory", "total"] {
        assert!(told.contains(part), "{part:?} is not in\n{told}");
    }
    assert_eq!(sandbox.files(""), before);
}

#[test]
fn an_unfinished_run_says_what_is_done() {
    let sandbox = Sandbox::with_data();
    let run = static_run("out", 100_000);
    sandbox.write("run.toml", &run);
    let stopped = common::kill_when(&sandbox, "train run.toml", || sandbox.path("out/checkpoint.safetensors").exists());
    assert!(stopped);
    let before = sandbox.files("");
    let plan: Value = serde_json::from_str(&sandbox.ok("train run.toml --resume --dry-run --json")).unwrap();
    assert!(number(&plan["done"]) >= 3.0 && number(&plan["done"]) % 3.0 == 0.0, "{}", plan["done"]);
    common::refused(&sandbox, "train run.toml --dry-run", &["--resume"]);
    assert_eq!(sandbox.files(""), before);
}

#[test]
fn what_training_refuses_is_refused_in_the_same_words() {
    let sandbox = Sandbox::with_data();
    sandbox.write("broken.tsv", "src_lang\ttgt_lang\tsrc\n");
    sandbox.write("done.toml", static_run("done", 1));
    sandbox.ok("train done.toml");
    let run = static_run("out", 3);
    let transformer = transformer_run("out", 3);
    for (what, run) in [
        ("missing data", run.replace("pairs.tsv", "none.tsv")),
        ("broken data", run.replace("pairs.tsv", "broken.tsv")),
        ("an unknown format", run.replace("parallel\"", "parallels\"")),
        ("no row left", run.replace("[batch]", "languages = [\"sw\"]\n[batch]")),
        ("an unknown language", run.replace("[batch]", "languages = [\"klingon\"]\n[batch]")),
        ("an unknown key", run.replace("symmetric", "symetric")),
        ("an unknown decay", run.replace("steps = 3", "steps = 3\ndecay = \"steep\"")),
        ("no room for tokens", transformer.replace("[model.new]", "[model]\nmax_tokens = 2\n[model.new]")),
        ("heads that do not divide", transformer.replace("heads = 2", "heads = 5")),
        ("no tokenizer", run.replace("\"tokenizer\"", "\"none\"")),
        ("a finished run", run.replace("\"out\"", "\"done\"")),
        ("a place below a file", run.replace("\"out\"", "\"pairs.tsv/out\"")),
        ("a place that is a file", run.replace("\"out\"", "\"pairs.tsv\"")),
        ("a missing development set", run.clone() + "[evaluate]\nevery = 1\nparallel = \"none.tsv\"\n"),
        ("lengths that are not there", run.clone() + "[matryoshka]\ndims = [64, 16]\n"),
        ("a table without context", run.replace("contrastive\"\nsymmetric = true", "mlm\"")),
        ("rows without question", run.replace("contrastive\"\nsymmetric = true", "clear\"")),
        ("documents of one unit", transformer.replace("contrastive\"\nsymmetric = true", "ccp\"")),
        ("no teacher", run.replace("contrastive\"\nsymmetric = true", "distill\"\nteacher = \"./none\"")),
    ] {
        sandbox.write("run.toml", run);
        let (trained, planned) = (sandbox.run("train run.toml"), sandbox.run("train run.toml --dry-run"));
        let message = String::from_utf8(planned.stderr).unwrap();
        assert_eq!(String::from_utf8(trained.stderr).unwrap(), message, "{what}");
        assert_eq!((trained.status.code(), planned.status.code()), (Some(2), Some(2)), "{what}: {message}");
        assert!(message.starts_with("error: ") && planned.stdout.is_empty(), "{what}: {message}");
    }
    common::refused(&sandbox, "train run.toml --json", &["--dry-run"]);
}

#[test]
fn clear_rows_made_as_its_page_says_are_read_whole() {
    // What the page's jq program (docs/methods/clear.md) makes of two labelled questions, translated once and twice.
    let rows = r#"{"anchor":"where do goats climb?","positive":"Goats climb whatever carries them.","cross_anchor":"mbuzi hupanda wapi?","lang":"en","cross_lang":"sw","negative_1":"Loaves are baked at four.","negative_2":"Stone arches fail.","neg_query_1":"mkate huokwa lini?"}
{"anchor":"when is bread baked?","positive":"Loaves are baked at four.","cross_anchor":"wann wird Brot gebacken?","lang":"en","cross_lang":"de","negative_1":"Goats climb whatever carries them."}
{"anchor":"when is bread baked?","positive":"Loaves are baked at four.","cross_anchor":"mkate huokwa lini?","lang":"en","cross_lang":"sw","negative_1":"Goats climb whatever carries them.","neg_query_1":"mbuzi hupanda wapi?"}
"#;
    let sandbox = Sandbox::with_data();
    sandbox.write("clear.jsonl", rows);
    let run = static_run("out", 8).replace("contrastive\"\nsymmetric = true", "clear\"");
    let plan = plan(&sandbox, &run.replace("pairs.tsv\"\nformat = \"parallel\"", "clear.jsonl\""));
    let task = &plan["tasks"][0];
    let counts = |lang: &str| ["rows", "texts"].map(|count| number(&task["sets"][0]["langs"][lang][count]) as usize);
    // Questions, passages and negatives; target-language questions, and those of negatives.
    assert_eq!([counts("en"), counts("sw"), counts("de")], [[0, 3 + 3 + 4], [2, 2 + 2], [1, 1]]);
    // Every two of the rows share a text.
    assert_eq!(task["drawn"]["rows"]["largest"], 1);
}
