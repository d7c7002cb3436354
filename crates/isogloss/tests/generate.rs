//! `isogloss generate`: a model from scratch to the queries it writes, and what is refused.

mod common;

use common::{Sandbox, kill_when, refused, static_run};
use serde_json::Value;

/// Data, and an encoder–decoder that was trained a little.
fn with_generator() -> Sandbox {
    let sandbox = Sandbox::with_data();
    sandbox.write(
        "run.toml",
        "out = \"g\"\nseed = 3\n[model.new]\narchitecture = \"mt5\"\ntokenizer = \"tokenizer\"\nhidden_size = 32\nlayers = 1\n\
         decoder_layers = 2\nheads = 2\n[recipe]\nname = \"query_generation\"\n[[data]]\npath = \"pairs.tsv\"\n\
         format = \"parallel\"\n[batch]\nrows = 16\n[optimizer]\nlearning_rate = 0.005\n[schedule]\nsteps = 12\n",
    );
    let plan = sandbox.ok("train run.toml --dry-run");
    assert!(plan.contains("query_generation") && plan.contains("pairs.tsv"), "{plan}");
    sandbox.ok("train run.toml");
    sandbox
}

fn rows(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn texts_come_in_the_order_of_their_sources_and_the_same_every_time() {
    let sandbox = with_generator();
    let generate = "generate --model g/model --input corpus.jsonl --max-new-tokens 8";
    let drawn = format!("{generate} --top-k 5 --num-return 3 --seed 7 --out drawn.jsonl");
    sandbox.ok(&drawn);
    let first = sandbox.read("drawn.jsonl");
    sandbox.ok(&format!("{drawn} --threads 1"));
    assert!(first == sandbox.read("drawn.jsonl"));
    let made = rows(std::str::from_utf8(&first).unwrap());
    assert_eq!(made.len(), 3 * 48);
    for (i, row) in made.iter().enumerate() {
        let (doc, id) = (format!("d{}", i / 3), format!("d{}-{}", i / 3, i % 3));
        assert_eq!((row["doc"].as_str(), row["id"].as_str()), (Some(doc.as_str()), Some(id.as_str())));
        assert_eq!(row["lang"].as_str(), Some("de"));
        assert!(row["text"].is_string() && row["score"].as_f64().unwrap() < 0.0, "{row}");
    }
    let greedy = rows(&sandbox.ok(generate));
    assert_eq!(greedy.len(), 48);
    assert!(greedy.iter().enumerate().all(|(i, row)| row["id"] == format!("d{i}") && row["id"] == row["doc"]));
    assert_ne!(greedy, rows(&sandbox.ok(&format!("{generate} --prompt ask:"))), "the prompt changes nothing");
    assert_ne!(greedy, rows(&sandbox.ok(&format!("{generate} --prompt-lang sw"))), "its language changes nothing");
    let best = rows(&sandbox.ok(&format!("{generate} --beams 3 --early-stopping --num-return 2 --length-penalty 0")));
    assert_eq!(best.len(), 96);
    assert!(best.chunks(2).all(|pair| pair[0]["score"].as_f64() >= pair[1]["score"].as_f64()));
}

#[test]
fn a_killed_call_goes_on_to_the_same_bytes() {
    let sandbox = with_generator();
    let rows = (0..2200).map(|i| format!("{{\"id\":\"{i}\",\"text\":\"das Pferd {i} schläft\",\"lang\":\"de\"}}\n"));
    sandbox.write("many.jsonl", rows.collect::<String>());
    let line = "generate --model g/model --input many.jsonl --max-new-tokens 3 --top-k 5 --out";
    sandbox.ok(&format!("{line} whole.jsonl"));
    let state = sandbox.path(".killed.jsonl.state");
    assert!(kill_when(&sandbox, &format!("{line} killed.jsonl"), || state.exists()), "it ended before it was killed");
    assert!(!sandbox.path("killed.jsonl").exists());
    sandbox.ok(&format!("{line} killed.jsonl"));
    assert!(sandbox.read("whole.jsonl") == sandbox.read("killed.jsonl") && !state.exists());
}

#[test]
fn what_cannot_be_is_refused() {
    let sandbox = with_generator();
    sandbox.write("run.toml", static_run("s", 1));
    sandbox.ok("train run.toml");
    sandbox.write("bare.txt", "one text\nanother\n");
    sandbox.write("empty.jsonl", "");
    let model = "generate --model g/model --input corpus.jsonl --out q.jsonl";
    let cases: [(String, &[&str]); 13] = [
        ("generate --input corpus.jsonl".into(), &["--model"]),
        ("generate --model g/model".into(), &["--input"]),
        (format!("{model} --beams 2 --top-k 3"), &["--beams", "--top-k"]),
        (format!("{model} --early-stopping"), &["--beams"]),
        (format!("{model} --num-return 2"), &["num_return", "must be 1"]),
        (format!("{model} --beams 2 --num-return 3"), &["num_return", "beams"]),
        (format!("{model} --temperature 0"), &["temperature", "above 0"]),
        (format!("{model} --top-p 1.5"), &["top_p"]),
        (format!("{model} --max-new-tokens 0"), &["--max-new-tokens", "at least 1"]),
        ("generate --model s/model --input corpus.jsonl".into(), &["s/model", "config.json"]),
        ("generate --model g/model --input none.jsonl --out q.jsonl".into(), &["none.jsonl"]),
        ("generate --model g/model --input empty.jsonl --out q.jsonl".into(), &["empty.jsonl"]),
        ("generate --model g/model --input bare.txt --out q.jsonl".into(), &["--prompt-lang", "\"0\""]),
    ];
    for (line, told) in cases {
        refused(&sandbox, &line, told);
    }
    assert_eq!(rows(&sandbox.ok("generate --model g/model --input de=bare.txt --max-new-tokens 3")).len(), 2);
}
