//! Requests that make no sense or cannot be met: what is in the way, damaged vectors, other models, full disks.

mod common;

use common::{Sandbox, refused, static_run};

/// Data, two models of other weights, and the vectors of one.
fn with_vectors() -> Sandbox {
    let sandbox = Sandbox::with_data();
    for (name, seed) in [("s", "seed = 3"), ("other", "seed = 4")] {
        sandbox.write("run.toml", static_run(name, 1).replace("seed = 3", seed));
        sandbox.ok("train run.toml");
    }
    sandbox.ok("encode s/model corpus.jsonl --out v --rows-per-shard 20");
    sandbox
}

#[test]
fn command_lines() {
    let sandbox = Sandbox::with_data();
    let cases: [(&str, &[&str]); 17] = [
        ("trian run.toml", &["trian", "train"]),
        ("train", &["<RUN.toml>"]),
        ("train a b", &["'b'"]),
        ("train none.toml --threads 0", &["--threads"]),
        ("completions bash --cpu mmx", &["mmx", "avx2"]),
        ("evaluate qrels.tsv run nDCG@x", &["nDCG@x"]),
        ("evaluate qrels.tsv run --by-lang", &["--queries"]),
        ("search --model m --corpus c --queries q --k 0", &["--k", "at least 1"]),
        ("encode m c --out v --max-tokens 0", &["--max-tokens", "at least 1"]),
        ("encode m c --out v --dtype f64", &["f64", "f16"]),
        ("encode m c --out v --side passage", &["passage", "doc"]),
        ("encode m c --out v --pooling max", &["max", "mean"]),
        ("encode m c --out v --lang klingon", &["klingon"]),
        ("encode m c --out v --format npy --dtype int8", &["--dtype", "npy"]),
        ("tokenizer train pairs.tsv --vocab-size 9 --out t", &["vocab_size", "9"]),
        ("tokenizer train pairs.tsv --vocab-size 90 --out tokenizer", &["tokenizer", "already there"]),
        ("quickstart --data corpus.jsonl", &["corpus.jsonl", "--data"]),
    ];
    for (line, told) in cases {
        refused(&sandbox, line, told);
    }
    sandbox.write("bare.tsv", "1\tx\n");
    refused(&sandbox, "tokenizer train bare.tsv --vocab-size 90 --out t", &["bare.tsv", "--kind"]);
}

#[test]
fn a_gpu_that_is_not_there() {
    let sandbox = with_vectors();
    refused(&sandbox, "encode s/model corpus.jsonl --out on-gpu --device cuda", &["--device cpu"]);
    refused(&sandbox, "encode s/model corpus.jsonl --out on-gpu --device tpu", &["tpu", "auto, cpu, cuda"]);
    sandbox
        .write("gpu.toml", static_run("on-gpu", 1).replace("[model.new]", "[model]\ndevice = \"cuda\"\n[model.new]"));
    refused(&sandbox, "train gpu.toml", &["--device cpu"]);
    sandbox.ok("encode s/model corpus.jsonl --out on-gpu --device auto");
    assert!(sandbox.ok("doctor --gpu").contains("no GPU can be used"));
}

#[test]
fn places_that_are_taken_or_cannot_be() {
    let sandbox = with_vectors();
    sandbox.write("letters/letter", "dear");
    sandbox.write("file", "");
    let search = "search --model s/model --corpus v --queries queries.jsonl --out";
    let cases: [(String, &[&str]); 12] = [
        ("encode s/model corpus.jsonl --out file".into(), &["file", "choose a folder"]),
        ("encode s/model corpus.jsonl --out file/v".into(), &["file/v", "choose another path"]),
        ("encode s/model corpus.jsonl --out letters".into(), &["letters", "holds other files"]),
        ("encode s/model corpus.jsonl --out v".into(), &["v/plan.json", "rows_per_shard", "another output directory"]),
        ("encode other/model corpus.jsonl --out v --rows-per-shard 20".into(), &["v/plan.json", "model_hash"]),
        ("encode s/model queries.jsonl --out v --rows-per-shard 20".into(), &["vectors-00000.iso", "row 0"]),
        ("tokenizer train pairs.tsv --vocab-size 90 --out file/t".into(), &["file", "choose another path"]),
        ("quickstart --out letters".into(), &["letters", "holds other files"]),
        (format!("{search} letters"), &["letters", "name a file"]),
        (format!("{search} file/run"), &["file/run", "choose another path"]),
        (format!("{search} none/run"), &["none/run", "check the path"]),
        (format!("{search} /dev/full"), &["/dev/full", "free some space"]),
    ];
    for (line, told) in &cases {
        refused(&sandbox, line, told);
    }
    let mut command = sandbox.command("search --model s/model --corpus v --queries queries.jsonl");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = command.stdout(full).output().unwrap();
    common::check("search > /dev/full", &output, &["stdout", "free some space"]);
}

#[test]
fn inputs_that_do_not_go_together() {
    let sandbox = with_vectors();
    sandbox.ok("encode s/model queries.jsonl --side query --out q");
    sandbox.write("empty.jsonl", "");
    let cases: [(&str, &[&str]); 10] = [
        ("encode s/model corpus.jsonl corpus.jsonl --out w", &["corpus.jsonl", "\"d0\"", "rename"]),
        ("encode s/model corpus.jsonl --lang ko --out w", &["corpus.jsonl", "ko"]),
        (
            "search --model other/model --corpus v --queries queries.jsonl",
            &["v: ", "another model", "encode the corpus"],
        ),
        ("search --model s/model --corpus q --queries queries.jsonl", &["q: ", "--side doc"]),
        ("search --model s/model --corpus v --queries queries.jsonl --pooling cls", &["v: ", "pooling mean"]),
        ("search --model s/model --corpus v --queries queries.jsonl --normalize false", &["v: ", "normalize true"]),
        ("search --model s/model --corpus v --queries empty.jsonl", &["empty.jsonl:1", "empty"]),
        ("search --model s/model --corpus none --queries queries.jsonl", &["none", "check the path"]),
        ("search --model s/model --corpus tokenizer --queries queries.jsonl", &["tokenizer", "corpus.jsonl"]),
        ("evaluate qrels.tsv corpus.jsonl", &["corpus.jsonl:1", "got"]),
    ];
    for (line, told) in cases {
        refused(&sandbox, line, told);
    }
}

#[test]
fn damaged_vectors() {
    let sandbox = with_vectors();
    let search = "search --model s/model --corpus v --queries queries.jsonl";
    let shard = sandbox.read("v/vectors-00001.iso");
    let ids = sandbox.read("v/ids-00001.iso");
    let flipped = |bytes: &[u8], at: usize| {
        let mut bytes = bytes.to_vec();
        bytes[at] ^= 0x40;
        bytes
    };
    let cases: [(&str, Vec<u8>, &[&str]); 8] = [
        ("vectors-00001.iso", shard[..shard.len() - 5].to_vec(), &["bytes expected", "run encode again"]),
        ("vectors-00001.iso", shard[..20].to_vec(), &["64 bytes expected"]),
        ("vectors-00001.iso", flipped(&shard, 200), &["checksum", "damaged"]),
        ("vectors-00001.iso", flipped(&shard, 20), &["checksum"]),
        ("vectors-00001.iso", b"\x93NUMPY".repeat(20), &["not a shard of vectors"]),
        ("ids-00001.iso", flipped(&ids, 90), &["checksum"]),
        ("ids-00001.iso", ids[..70].to_vec(), &["bytes expected"]),
        ("manifest.json", b"{\"rows\": ".to_vec(), &["manifest.json"]),
    ];
    for (name, bytes, told) in cases {
        let place = format!("v/{name}");
        let good = sandbox.read(&place);
        sandbox.write(&place, bytes);
        refused(&sandbox, search, &[&[&place[..]], told].concat());
        sandbox.write(&place, good);
    }
    std::fs::remove_file(sandbox.path("v/vectors-00002.iso")).unwrap();
    refused(&sandbox, search, &["v/vectors-00002.iso"]);
    std::fs::remove_file(sandbox.path("v/manifest.json")).unwrap();
    refused(&sandbox, search, &["v: ", "did not finish"]);
    sandbox.ok("encode s/model corpus.jsonl --out v --rows-per-shard 20");
    sandbox.ok(search);
}
