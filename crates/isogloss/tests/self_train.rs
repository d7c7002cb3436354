//! `isogloss self-train` from the outside: the verbs' own results in one line, the same bytes after a kill, and what is refused.

mod common;

use common::{Sandbox, kill_when, refused};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

/// Paragraphs of a language, questions made of their first sentences, and which belongs to which.
const PARAGRAPHS: usize = 90;

fn data(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../data/train").join(name);
    String::from_utf8(zstd::decode_all(fs::File::open(path).unwrap()).unwrap()).unwrap()
}

/// English labels, German and Japanese paragraphs of the bundled text, a tokenizer and M₀.
fn with_texts() -> Sandbox {
    let sandbox = Sandbox::new();
    let first = |text: &str, rows: usize| text.lines().take(rows).map(|line| format!("{line}\n")).collect::<String>();
    let qrels = data("english/qrels.tsv.zst");
    let qrels = first(&qrels, 121);
    let kept = |text: &str, column: usize| {
        let ids: Vec<&str> = qrels.lines().skip(1).map(|row| row.split('\t').nth(column).unwrap()).collect();
        let row = |line: &&str| {
            let row: Value = serde_json::from_str(line).unwrap();
            ids.contains(&row["_id"].as_str().unwrap())
        };
        text.lines().filter(row).map(|line| format!("{line}\n")).collect::<String>()
    };
    sandbox.write("english/queries.jsonl", kept(&data("english/queries.jsonl.zst"), 0));
    sandbox.write("english/corpus.jsonl", kept(&data("english/corpus.jsonl.zst"), 1));
    sandbox.write("english/qrels.tsv", &qrels);
    let parallel = data("parallel.tsv.zst");
    let mut plain = String::new();
    for (lang, end) in [("de", ". "), ("ja", "。")] {
        let [mut corpus, mut queries, mut qrels] = [const { String::new() }; 3];
        let texts = parallel.lines().filter(|row| row.split('\t').nth(1) == Some(lang));
        let halves = texts.filter_map(|row| row.split('\t').nth(3).unwrap().split_once(end));
        let long = |text: &str| text.chars().count() >= 20;
        for (i, (question, rest)) in halves.filter(|(a, b)| long(a) && long(b)).take(PARAGRAPHS).enumerate() {
            corpus += &format!("{lang}-d{i}\t{rest} {question}\n");
            plain += &format!("{rest} {question}\n");
            queries += &format!("{lang}-q{i}\t{question}\n");
            qrels += &format!("{lang}-q{i} 0 {lang}-d{i} 1\n");
        }
        assert_eq!(corpus.lines().count(), PARAGRAPHS);
        for (name, text) in [("corpus.tsv", corpus), ("queries.tsv", queries), ("qrels.txt", qrels)] {
            sandbox.write(&format!("{lang}/{name}"), text);
        }
    }
    sandbox.write("plain.txt", plain);
    sandbox.ok("tokenizer train english/corpus.jsonl plain.txt --vocab-size 2500 --out tokenizer");
    sandbox.write(
        "m0.toml",
        "out = \"m0\"\n[model.new]\narchitecture = \"static\"\ntokenizer = \"tokenizer\"\nhidden_size = 32\n[recipe]\n\
         name = \"contrastive\"\n[[data]]\npath = \"english\"\nlang = \"en\"\n[batch]\nrows = 32\n[optimizer]\n\
         learning_rate = 0.02\nweight_decay = 0.0\n[schedule]\nsteps = 20\n",
    );
    sandbox.ok("train m0.toml");
    sandbox
}

/// A loop over both languages.
fn file(out: &str) -> String {
    let lang = |lang: &str| {
        format!(
            "[[language]]\nlang = \"{lang}\"\ncorpus = \"{lang}/corpus.tsv\"\nqueries = \"{lang}/queries.tsv\"\n\
             qrels = \"{lang}/qrels.txt\"\n[language.dev]\ncorpus = \"{lang}/corpus.tsv\"\n\
             queries = \"{lang}/queries.tsv\"\nqrels = \"{lang}/qrels.txt\"\n"
        )
    };
    format!(
        "out = \"{out}\"\nseed = 5\nmodel = \"m0/model\"\nrounds = 2\nmin_gain = -100.0\n\
         [[english]]\npath = \"english\"\nlang = \"en\"\ndoc_lang = \"en\"\n{}{}[mine]\nround_trip = 20\n\
         [batch]\nrows = 16\n[optimizer]\nlearning_rate = 0.01\nweight_decay = 0.0\n[schedule]\nsteps = 15\n\
         [checkpoint]\nevery = 5\n",
        lang("de"),
        lang("ja")
    )
}

/// With a generator that hardly learns anything: what it writes is kept if it finds its passage somewhere.
const GENERATE: &str = "[generate]\npassages = 30\nqueries = 3\ntop = 60\nmin_chars = 1\nmax_new_tokens = 8\nmin_kept = 1\n\
    check_language = false\n[generate.model.new]\narchitecture = \"mt5\"\ntokenizer = \"tokenizer\"\n\
    hidden_size = 16\nlayers = 1\nheads = 2\nmax_tokens = 48\n[generate.batch]\nrows = 8\n[generate.optimizer]\n\
    learning_rate = 0.01\n[generate.schedule]\nsteps = 12\n[generate.checkpoint]\nevery = 4\n";

fn json(sandbox: &Sandbox, name: &str) -> Value {
    serde_json::from_slice(&sandbox.read(name)).unwrap()
}

/// Everything that is to be the same, by its place: not the speed in logs, nor the names of other folders.
fn results(sandbox: &Sandbox, out: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let root = sandbox.path(out);
    let told = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        !name.starts_with('.') && name != "log.jsonl"
    };
    let files = sandbox.files(out).into_iter().filter(|(path, _)| told(path));
    let own = |bytes: Vec<u8>| match String::from_utf8(bytes) {
        Ok(text) => text.replace(&format!("{out}/"), "").replace(&format!("\"{out}\""), "").into_bytes(),
        Err(bytes) => bytes.into_bytes(),
    };
    files.map(|(path, bytes)| (path.strip_prefix(&root).unwrap().to_owned(), own(bytes))).collect()
}

#[test]
fn a_round_is_what_the_verbs_give_one_by_one() {
    let sandbox = with_texts();
    sandbox.write("loop.toml", file("loop").replace("rounds = 2", "rounds = 1") + GENERATE);
    assert!(sandbox.ok("self-train loop.toml").ends_with("\nloop/model\n"));

    let mine = |lang: &str| {
        sandbox.ok(&format!("index --bm25 {lang}={lang}/corpus.tsv --out words.{lang}"));
        sandbox.ok(&format!("encode m0/model {lang}={lang}/corpus.tsv --out vectors.{lang}"));
        sandbox.ok(&format!(
            "mine pairs --corpus {lang}={lang}/corpus.tsv --queries {lang}={lang}/queries.tsv --bm25 words.{lang} \
             --vectors vectors.{lang} --model m0/model --round-trip 20 --out {lang}.mined.jsonl"
        ));
        let mined = sandbox.read(&format!("{lang}.mined.jsonl"));
        assert!(mined.len() > 1000, "{}", mined.len());
        assert_eq!(sandbox.read(&format!("loop/round-1/{lang}/mined.jsonl")), mined);
    };
    mine("de");
    mine("ja");

    // The generator and the retriever are those of the run files that were left.
    for name in ["generator", "retriever"] {
        let run = String::from_utf8(sandbox.read(&format!("loop/round-1/{name}.toml"))).unwrap();
        sandbox.write("again.toml", run.replace(&format!("loop/round-1/{name}\""), &format!("again.{name}\"")));
        sandbox.ok("train again.toml");
        let weights = |folder: &str| sandbox.read(&format!("{folder}/model/model.safetensors"));
        assert!(weights(&format!("loop/round-1/{name}")) == weights(&format!("again.{name}")));
    }

    // What was written, searched and kept by hand.
    let written = "loop/round-1/de/written/queries.jsonl";
    sandbox.ok(&format!("search --bm25 words.de --queries de={written} --out bm25.trec"));
    sandbox.ok(&format!("search --model m0/model --corpus vectors.de --queries de={written} --out dense.trec"));
    sandbox.ok("fuse bm25.trec dense.trec --method mrtydi --alpha 0.8 --out fused.trec");
    sandbox.ok(&format!("filter {written} --run fused.trec --top 60 --out kept.jsonl"));
    let kept = sandbox.read("kept.jsonl");
    assert_eq!(sandbox.read("loop/round-1/de/kept/queries.jsonl"), kept);

    let report = json(&sandbox, "loop/round-1/report.json");
    let of = &report["langs"]["de"];
    assert_eq!(of["generated"]["read"], 90);
    let kept = String::from_utf8(kept).unwrap().lines().count();
    assert_eq!(of["generated"]["kept"], kept);
    let dropped: u64 = of["generated"]["dropped"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(dropped + kept as u64, 90);
    let mined = &of["mined"]["de"];
    assert!(mined["right"].as_u64().unwrap() > 0 && mined["right"].as_u64() <= mined["mined"].as_u64(), "{mined}");
    assert!(of["dev"]["after"].as_f64().unwrap() > 0.0);
    let text = String::from_utf8(sandbox.read("loop/round-1/report.txt")).unwrap();
    let shown: usize = [kept, json_kept(&report, "ja")].map(|n| n.min(20)).iter().sum();
    assert_eq!(text.matches("\n  passage  ").count(), shown);
}

#[test]
fn languages_with_too_few_written_queries_are_left_out_of_the_training() {
    let sandbox = with_texts();
    // Fewer passages, and queries written for them, in one language than in the other.
    for name in ["ja/corpus.tsv", "ja/queries.tsv", "ja/qrels.txt"] {
        let text = String::from_utf8(sandbox.read(name)).unwrap();
        sandbox.write(name, text.lines().take(18).map(|line| format!("{line}\n")).collect::<String>());
    }
    // Enough are kept in one language, or in neither: then nothing written is trained on.
    sandbox.write("loop.toml", file("loop").replace("rounds = 2", "rounds = 1") + GENERATE);
    sandbox.ok("self-train loop.toml");
    let all = json(&sandbox, "loop/round-1/report.json");
    let kept = ["de", "ja"].map(|lang| json_kept(&all, lang));
    assert!(kept[0] != kept[1] && kept.iter().all(|kept| *kept > 0), "{kept:?}");
    let most = *kept.iter().max().unwrap();
    for (least, left_out) in [(most, kept.map(|kept| kept < most)), (most + 1, [true, true])] {
        let out = format!("least{least}");
        let generate = GENERATE.replace("min_kept = 1\n", &format!("min_kept = {least}\n"));
        sandbox.write("loop.toml", file(&out).replace("rounds = 2", "rounds = 1") + &generate);
        sandbox.ok("self-train loop.toml");
        let report = json(&sandbox, &format!("{out}/round-1/report.json"));
        let text = String::from_utf8(sandbox.read(&format!("{out}/round-1/report.txt"))).unwrap();
        let run = String::from_utf8(sandbox.read(&format!("{out}/round-1/retriever.toml"))).unwrap();
        for ((lang, left_out), kept) in ["de", "ja"].into_iter().zip(left_out).zip(kept) {
            let counts = &report["langs"][lang]["generated"];
            assert_eq!(
                (&counts["left_out"], &counts["kept"]),
                (&Value::from(left_out), &Value::from(kept)),
                "{counts}"
            );
            assert_eq!(counts["min_kept"], least);
            let told = format!("the {kept} kept are left out of the training: fewer than min_kept {least}");
            assert_eq!(text.contains(&told), left_out, "{text}");
            let trained_on = run.contains(&format!("round-1/{lang}/generated.train.jsonl"));
            assert_eq!(trained_on, !left_out, "{run}");
        }
        assert_eq!(run.contains("name = \"generated\""), left_out != [true, true], "{run}");
    }
}

fn json_kept(report: &Value, lang: &str) -> usize {
    report["langs"][lang]["generated"]["kept"].as_u64().unwrap() as usize
}

#[test]
fn killed_and_started_again_it_ends_in_the_same_bytes() {
    let sandbox = with_texts();
    sandbox.write("whole.toml", file("whole") + GENERATE);
    sandbox.write("killed.toml", file("killed") + GENERATE);
    let said = sandbox.ok("self-train whole.toml");
    let mut kills = 0;
    for reached in [
        "manifest.json",
        "words/de",
        "round-1/ja/vectors/manifest.json",
        "round-1/ja/mined.jsonl.mining",
        "round-1/generator/checkpoint.safetensors",
        "round-1/de/generated.jsonl",
        "round-1/retriever.toml",
        "round-1/retriever/checkpoint.safetensors",
        "round-2/de/mined.jsonl",
        "round-2/generator/log.jsonl",
        "round-2/ja/kept",
        "round-2/report.json",
    ] {
        let path = sandbox.path(&format!("killed/{reached}"));
        kills += usize::from(kill_when(&sandbox, "self-train killed.toml", || path.exists()));
    }
    assert!(kills >= 9, "too fast to be killed: {kills}");
    assert_eq!(sandbox.ok("self-train killed.toml"), said.replace("whole/model", "killed/model"));
    let (whole, killed) = (results(&sandbox, "whole"), results(&sandbox, "killed"));
    assert_eq!(whole.keys().collect::<Vec<_>>(), killed.keys().collect::<Vec<_>>());
    for (path, bytes) in &whole {
        // The manifest hashes run files, which name their folder.
        if path.to_str() != Some("manifest.json") {
            assert!(*bytes == killed[path], "{} differs", path.display());
        }
    }
    assert!(whole.keys().any(|path| path.starts_with("round-2/retriever/model")));

    // What is done is not done again.
    let before = sandbox.files("whole");
    assert_eq!(sandbox.ok("self-train whole.toml"), said);
    assert!(sandbox.files("whole") == before);

    // Another file or other data are refused, and so is what somebody else wrote there.
    let other = file("whole") + &GENERATE.replace("top = 60", "top = 3");
    sandbox.write("other.toml", other);
    refused(&sandbox, "self-train other.toml", &["config.generate.top has changed", "another `out`"]);
    sandbox.write("de/qrels.txt", "de-q0 0 de-d0 1\n");
    refused(&sandbox, "self-train whole.toml", &["inputs.de/qrels.txt has changed"]);
    sandbox.write("de/qrels.txt", before_qrels());
    sandbox.write("whole/round-1/ja/mined.jsonl", "");
    refused(&sandbox, "self-train whole.toml", &["ja/mined.jsonl", "is not as it was written", "delete it"]);
    fs::remove_file(sandbox.path("whole/round-1/ja/mined.jsonl")).unwrap();
    sandbox.ok("self-train whole.toml");
    assert!(sandbox.files("whole") == before);
}

fn before_qrels() -> String {
    (0..PARAGRAPHS).map(|i| format!("de-q{i} 0 de-d{i} 1\n")).collect()
}

#[test]
fn the_loop_ends_where_a_round_gains_too_little_and_gives_the_best_model() {
    let sandbox = with_texts();
    sandbox.write("loop.toml", file("loop").replace("min_gain = -100.0", "min_gain = 100.0"));
    let said = sandbox.ok("self-train loop.toml");
    assert!(!sandbox.path("loop/round-2").exists());
    let result = json(&sandbox, "loop/result.json");
    let means: Vec<f64> =
        result["rounds"].as_array().unwrap().iter().map(|round| round["mean"].as_f64().unwrap()).collect();
    assert_eq!(means.len(), 2);
    let chosen = if means[1] > means[0] { 1 } else { 0 };
    assert_eq!(result["chosen"], chosen, "{means:?}");
    assert!(said.contains(&format!("{chosen} (chosen)")), "{said}");
    let folder = ["m0/model", "loop/round-1/retriever/model"][chosen];
    let weights = |folder: &str| sandbox.read(&format!("{folder}/model.safetensors"));
    assert!(weights("loop/model") == weights(folder));
}

#[test]
fn bad_loops_are_refused_with_the_cure_and_leave_nothing() {
    let sandbox = with_texts();
    let whole = file("loop") + GENERATE;
    let swap = |from: &str, to: &str| {
        assert!(whole.contains(from), "{from}");
        whole.replacen(from, to, 1)
    };
    sandbox.write("empty", "");
    sandbox.write("bad.jsonl", "{\"query\":\"q\",\"pos\":[\"p\"]}\n{\"query\":\"q\"}\n");
    sandbox.write("taken/letter", "dear");
    sandbox.write("shared/x", "");
    for (text, told) in [
        (swap("seed = 5", "sed = 5"), &["loop.toml:2", "sed"][..]),
        (swap("round_trip = 20", "round_trip = 20\nmargin = 1"), &["loop.toml:", "margin"]),
        (swap("model = \"m0/model\"\n", ""), &["loop.toml:", "model"]),
        (swap("model = \"m0/model\"", "model = \"none\""), &["none"]),
        (swap("rounds = 2", "rounds = 0"), &["loop.toml: rounds: must be at least 1"]),
        (swap("min_gain = -100.0", "min_gain = nan"), &["min_gain"]),
        (swap("lang = \"ja\"", "lang = \"de\""), &["de stands twice"]),
        (swap("lang = \"ja\"", "lang = \"japanese language\""), &["loop.toml:", "japanese language"]),
        (swap("corpus = \"de/corpus.tsv\"", "corpus = \"de/none.tsv\""), &["de/none.tsv", "check the path"]),
        (swap("[language.dev]\ncorpus = \"de/corpus.tsv\"\n", "[language.dev]\n"), &["loop.toml:", "corpus"]),
        (swap("qrels = \"de/qrels.txt\"\n", "analyzer = \"lucene:xx\"\n"), &["lucene:xx"]),
        (swap("round_trip = 20", "lists = \"all\""), &["loop.toml:", "all"]),
        (swap("round_trip = 20", "top = 0"), &["the top of a list = 0"]),
        (swap("[mine]", "[bm25]\nb = 2.0\n[mine]"), &["b"]),
        (swap("steps = 15", "steps = 0"), &["loop.toml: schedule.steps: must be positive"]),
        (swap("rows = 16", "rows = 0"), &["loop.toml: batch.rows: must be positive"]),
        (swap("[batch]", "[recipe]\nname = \"mlm\"\n[batch]"), &["recipe.name", "must be contrastive"]),
        (swap("[batch]", "[shares]\nmined = 0.0\n[batch]"), &["share", "positive"]),
        (file("loop") + "[shares]\ngenerated = 2.0\n", &["shares.generated", "[generate]"]),
        (swap("[generate]", "[generate]\ntrained = \"m0/model\""), &["generate.trained", "keep one"]),
        (file("loop") + "[generate]\ntrained = \"m0/model\"\n", &["m0/model"]),
        (swap("steps = 12", ""), &["loop.toml:", "steps"]),
        (swap("[generate.schedule]\nsteps = 12\n", ""), &["generate: needs", "trained"]),
        (
            swap("architecture = \"mt5\"", "architecture = \"static\""),
            &["loop.toml: generate.model.new.architecture", "mt5"],
        ),
        (swap("heads = 2", "heads = 3"), &["loop.toml: generate.model.new: ", "heads"]),
        (swap("hidden_size = 16", "hidden_size = 16\ndecoder_layers = 0"), &["generate.model.new.decoder_layers"]),
        (swap("tokenizer = \"tokenizer\"", "tokenizer = \"no\""), &["no/tokenizer.json"]),
        (
            swap("[generate.model.new]", "[generate.model]\npooling = \"cls\"\n[generate.model.new]"),
            &["generate.model.pooling"],
        ),
        (swap("steps = 12", "steps = 0"), &["loop.toml: generate.schedule.steps: must be positive"]),
        (swap("rows = 8", "rows = 0"), &["loop.toml: generate.batch.rows"]),
        (swap("[generate.batch]", "[generate.recipe]\nname = \"mlm\"\n[generate.batch]"), &["generate.recipe.name"]),
        (
            swap(
                "[generate.batch]",
                "[generate.recipe]\nname = \"query_generation\"\nlabel_smoothing = 2.0\n[generate.batch]",
            ),
            &["loop.toml: generate.recipe.label_smoothing"],
        ),
        (swap("queries = 3", "queries = 0"), &["loop.toml: generate.queries: is 0, must be at least 1"]),
        (swap("queries = 3", "queries = 3\ntop_k = 0"), &["loop.toml: generate.top_k"]),
        (swap("max_new_tokens = 8", "max_new_tokens = 0"), &["loop.toml: generate.max_new_tokens"]),
        (swap("min_kept = 1", "min_kept = -1"), &["loop.toml:"]),
        // Labels are looked at before anything is mined.
        (swap("path = \"english\"\nlang = \"en\"\n", "path = \"english\"\n"), &["english/queries.jsonl:1: ", "`lang`"]),
        (swap("path = \"english\"", "path = \"bad.jsonl\""), &["bad.jsonl:2", "pos"]),
        (swap("path = \"english\"\n", "path = \"english\"\nlimit = 0\n"), &["english"]),
        (swap("passages = 30", "passages = 0"), &["generate.passages"]),
        (
            swap("queries = 3", "queries = 3\ntemperature = 0.0"),
            &["loop.toml: generate.temperature: is 0, must be above 0"],
        ),
        (swap("min_chars = 1", "min_chars = 500"), &["generate.min_chars"]),
        (swap("out = \"loop\"", "out = \"taken\""), &["taken", "holds other files"]),
        (swap("out = \"loop\"", "out = \"empty\""), &["empty", "choose a folder"]),
        (String::from("out = "), &["loop.toml:1"]),
    ] {
        sandbox.write("loop.toml", text);
        refused(&sandbox, "self-train loop.toml", told);
    }
    refused(&sandbox, "self-train none.toml", &["none.toml", "check the path"]);
}

#[test]
fn where_nothing_agrees_the_loop_says_so() {
    let sandbox = with_texts();
    sandbox.write("loop.toml", file("loop").replace("round_trip = 20", "lead = 50.0"));
    let output = sandbox.run("self-train loop.toml");
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("loop.toml: no pair was mined in any language; loosen [mine]"), "{message}");
}
