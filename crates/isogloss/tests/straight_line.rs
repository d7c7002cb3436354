//! The whole line through the program: tokenizer, training, vectors, search, measures.

mod common;

use common::{Sandbox, static_run, transformer_run};
use isogloss_dense::VectorStore;

#[test]
fn a_static_model_learns_to_translate() {
    let sandbox = Sandbox::with_data();
    sandbox.write("run.toml", static_run("out", 60));
    assert_eq!(sandbox.ok("train run.toml"), "out/model\n");
    sandbox.ok("search --model out/model --corpus corpus.jsonl --queries queries.jsonl --k 10 --out run.trec");
    let report: serde_json::Value =
        serde_json::from_str(&sandbox.ok("evaluate qrels.tsv run.trec nDCG@10 --json")).unwrap();
    let ndcg = report["mean"]["nDCG@10"].as_f64().unwrap();
    assert!(ndcg > 0.9, "{ndcg}");
}

#[test]
fn a_transformer_goes_the_whole_line() {
    let sandbox = Sandbox::with_data();
    sandbox.write("run.toml", transformer_run("out", 6));
    sandbox.ok("train run.toml");
    sandbox.ok("encode out/model corpus.jsonl --out vectors --rows-per-shard 20");
    sandbox.ok("encode out/model corpus.jsonl --out npy --format npy");
    let store = VectorStore::open(&sandbox.path("vectors")).unwrap();
    assert_eq!((store.rows(), store.dim(), store.shards().len()), (48, 32, 3));
    let shards: Vec<u8> = (0..store.rows()).flat_map(|row| store.row(row)).flat_map(f32::to_le_bytes).collect();
    assert!(sandbox.read("npy/vectors.npy")[128..] == shards, "both formats hold the same numbers");
    let ids: String = (0..store.rows()).map(|row| format!("{}\n", store.id(row))).collect();
    assert_eq!(String::from_utf8(sandbox.read("npy/ids.txt")).unwrap(), ids);

    sandbox.ok("search --model out/model --corpus vectors --queries queries.jsonl --k 5 --out run.trec");
    let run = String::from_utf8(sandbox.read("run.trec")).unwrap();
    assert_eq!(run.lines().count(), 48 * 5);
    let piped = sandbox.ok("search --model out/model --corpus corpus.jsonl --queries queries.jsonl --k 5");
    assert_eq!(piped, run, "a corpus of text or of vectors, to a file or to stdout");
    assert!(sandbox.ok("evaluate qrels.tsv run.trec").contains("all queries"));
}

#[test]
fn options_reach_the_vectors_and_the_search_follows_them() {
    let sandbox = Sandbox::with_data();
    sandbox.write("run.toml", transformer_run("out", 2));
    sandbox.ok("train run.toml");
    sandbox.ok("encode out/model corpus.jsonl --out a --pooling cls --normalize false --max-tokens 5 --dtype f16");
    let store = VectorStore::open(&sandbox.path("a")).unwrap();
    let plan = &store.manifest().plan;
    assert_eq!((plan.pooling.as_str(), plan.settings.as_str()), ("cls", "normalize=false max_tokens=5"));
    let length = store.row(0).iter().map(|x| x * x).sum::<f32>().sqrt();
    assert!((length - 1.0).abs() > 1e-3, "{length}");
    let top =
        |line: &str| sandbox.ok(&format!("{line} --queries queries.jsonl --k 1")).lines().next().unwrap().to_owned();
    let score: f32 = top("search --model out/model --corpus a").split(' ').nth(4).unwrap().parse().unwrap();
    assert!(score > 1.0, "an inner product of vectors left as they are: {score}");
    sandbox.ok("encode out/model queries.jsonl --out b --side query --lang en");
    assert_eq!(VectorStore::open(&sandbox.path("b")).unwrap().id(0), "q0");
}

#[test]
fn narrower_products_are_stored_with_the_vectors_and_the_search_follows_them() {
    let sandbox = Sandbox::with_data();
    let narrow = transformer_run("out", 2).replacen("[model.new]", "[model]\nprecision = \"bf16\"\n[model.new]", 1);
    sandbox.write("run.toml", narrow);
    sandbox.ok("train run.toml");
    assert!(String::from_utf8(sandbox.read("out/run.toml")).unwrap().contains("precision = \"bf16\""));
    let mut all = Vec::new();
    for precision in ["f32", "bf16", "int8"] {
        sandbox.ok(&format!("encode out/model corpus.jsonl --out {precision} --precision {precision}"));
        let store = VectorStore::open(&sandbox.path(precision)).unwrap();
        let settings = store.manifest().plan.settings.clone();
        assert_eq!(settings.contains(&format!("precision={precision}")), precision != "f32", "{settings}");
        all.push((0..store.rows()).flat_map(|row| store.row(row)).collect::<Vec<f32>>());
        let search =
            |line: &str| sandbox.ok(&format!("search --model out/model --queries queries.jsonl --k 3 --corpus {line}"));
        assert_eq!(search(precision), search(&format!("{precision} --precision {precision}")));
        assert_eq!(search(precision), search(&format!("corpus.jsonl --precision {precision}")));
    }
    for narrow in &all[1..] {
        assert_ne!(*narrow, all[0]);
        for (a, b) in narrow.chunks(32).zip(all[0].chunks(32)) {
            let cosine: f32 = a.iter().zip(b).map(|(x, y)| x * y).sum();
            assert!(cosine > 0.99, "{cosine}");
        }
    }
    common::refused(&sandbox, "encode out/model corpus.jsonl --out x --precision f16", &["f16", "f32, bf16, int8"]);
}

#[test]
fn every_thread_count_and_a_second_run_give_the_same_bytes() {
    let sandbox = Sandbox::with_data();
    for (out, threads) in [("a", 1), ("b", 3)] {
        sandbox.write("run.toml", transformer_run(out, 4));
        sandbox.ok(&format!("train run.toml --threads {threads}"));
    }
    assert!(sandbox.read("a/model/model.safetensors") == sandbox.read("b/model/model.safetensors"));
    sandbox.ok("tokenizer train pairs.tsv --vocab-size 90 --out again");
    assert_eq!(sandbox.read("again/tokenizer.json"), sandbox.read("tokenizer/tokenizer.json"));
}

#[test]
fn the_portable_kernels_agree() {
    let sandbox = Sandbox::with_data();
    sandbox.write("run.toml", transformer_run("out", 2));
    sandbox.ok("train run.toml");
    let run =
        |cpu: &str| sandbox.ok(&format!("search --model out/model --corpus corpus.jsonl --queries queries.jsonl{cpu}"));
    let scores = |run: String| -> Vec<f32> {
        run.lines().map(|line| line.split(' ').nth(4).unwrap().parse().unwrap()).collect()
    };
    let (fast, portable) = (scores(run("")), scores(run(" --cpu portable")));
    assert!(fast.iter().zip(&portable).all(|(a, b)| (a - b).abs() < 1e-4));
}
