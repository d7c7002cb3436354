//! The program with `--device cuda`, on the libraries of `engine/tests/cuda_host`, against the same without.

mod common;
#[path = "../../engine/tests/cuda_host/mod.rs"]
mod cuda_host;

use common::{Sandbox, transformer_run};
use isogloss_dense::VectorStore;
use isogloss_model::read_calibration;
use serde_json::Value;

/// What the program says with `--device cuda`; it must succeed.
fn on_gpu(sandbox: &Sandbox, line: &str) -> String {
    let line = format!("{line} --device cuda");
    let output = cuda_host::in_place_of_a_gpu(&mut sandbox.command(&line)).output().unwrap();
    assert!(output.status.success(), "isogloss {line}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Data, and a model in `m/model`.
fn with_model() -> Sandbox {
    let sandbox = Sandbox::with_data();
    sandbox.write("run.toml", transformer_run("m", 2));
    sandbox.ok("train run.toml");
    sandbox
}

fn near(what: &str, got: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let error = got.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(error < tolerance, "{what}: {error:e}");
}

fn vectors(sandbox: &Sandbox, folder: &str) -> Vec<f32> {
    let store = VectorStore::open(&sandbox.path(folder)).unwrap();
    (0..store.rows()).flat_map(|row| store.row(row)).collect()
}

#[test]
fn training_has_the_losses_of_the_cpu_and_writes_them_all() {
    let sandbox = Sandbox::with_data();
    let losses = |out: &str| -> Vec<(u64, f64)> {
        let log = String::from_utf8(sandbox.read(&format!("{out}/log.jsonl"))).unwrap();
        let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.map(|line| (line["step"].as_u64().unwrap(), line["loss"].as_f64().unwrap())).collect()
    };
    for out in ["cpu", "cuda"] {
        sandbox.write(&format!("{out}.toml"), transformer_run(out, 4));
    }
    sandbox.ok("train cpu.toml");
    assert_eq!(on_gpu(&sandbox, "train cuda.toml"), "cuda/model\n");
    let (expected, got) = (losses("cpu"), losses("cuda"));
    assert_eq!(expected.len(), 4);
    for ((step, expected), (at, got)) in expected.iter().zip(&got) {
        assert!(step == at && (expected - got).abs() < 1e-3, "{step}: {got}, expected {expected}");
    }
}

#[test]
fn vectors_and_what_is_found_are_those_of_the_cpu() {
    let sandbox = with_model();
    for (precision, tolerance) in [("f32", 1e-5), ("bf16", 2e-2)] {
        let line = |out: &str| format!("encode m/model corpus.jsonl --precision {precision} --out {out}-{precision}");
        sandbox.ok(&line("cpu"));
        on_gpu(&sandbox, &line("cuda"));
        let of = |device: &str| vectors(&sandbox, &format!("{device}-{precision}"));
        near(precision, &of("cuda"), &of("cpu"), tolerance);
    }
    let line = "search --model m/model --corpus cpu-f32 --queries queries.jsonl --k 3";
    let (expected, got) = (sandbox.ok(line), on_gpu(&sandbox, line));
    assert_eq!(expected.lines().count(), got.lines().count());
    let score = |row: &str| row.split(' ').nth(4).unwrap().parse::<f32>().unwrap();
    for (expected, got) in expected.lines().zip(got.lines()) {
        assert!((score(expected) - score(got)).abs() < 1e-5, "{got}, expected {expected}");
    }
}

#[test]
fn what_is_mined_and_calibrated_is_that_of_the_cpu() {
    let sandbox = with_model();
    sandbox.ok("encode m/model corpus.jsonl --out vectors");
    let mine = "mine negatives --corpus corpus.jsonl --queries queries.jsonl --qrels qrels.tsv --vectors vectors \
                --model m/model --negatives 2";
    sandbox.ok(&format!("{mine} --out cpu.jsonl"));
    on_gpu(&sandbox, &format!("{mine} --out cuda.jsonl"));
    let mined = |name: &str| String::from_utf8(sandbox.read(name)).unwrap();
    assert!(!mined("cpu.jsonl").is_empty());
    assert_eq!(mined("cuda.jsonl"), mined("cpu.jsonl"));
    let calibrate = "calibrate m/model --text corpus.jsonl queries.jsonl --min-texts 48 --method scale";
    sandbox.ok(&format!("{calibrate} --out cpu"));
    on_gpu(&sandbox, &format!("{calibrate} --out cuda"));
    let [expected, got] = ["cpu", "cuda"].map(|folder| read_calibration(&sandbox.path(folder), 32).unwrap().unwrap());
    assert_eq!(expected.langs().len(), 2);
    for ((lang, expected), got) in expected.langs().iter().zip(got.langs().values()) {
        near(&lang.to_string(), &got.mean, &expected.mean, 1e-5);
        near(&lang.to_string(), got.std.as_ref().unwrap(), expected.std.as_ref().unwrap(), 1e-5);
    }
}
