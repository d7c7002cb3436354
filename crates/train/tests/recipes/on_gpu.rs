//! Every recipe on a GPU: the losses of the CPU, nothing waited for within a step, the same bytes after a kill. Runs on the libraries of
//! `engine/tests/cuda_host`, in a process of its own.

use isogloss_engine::cuda::copies_down;
use isogloss_train::Error;

use super::resumed::{Killed, mixed, timeless};
use super::*;

#[test]
fn runs_on_a_gpu_are_those_of_the_cpu() {
    cuda_host::run_ignored();
}

/// The run file on a device: a model as small as can be, with dropout.
fn on(device: &str, precision: &str, folder: &Folder, out: &str, steps: usize, text: &str) -> RunConfig {
    let mut config = folder.config(out, steps, text).unwrap();
    let of_text = if text.contains("query_generation") { "mt5" } else { "xlm_roberta" };
    let new = serde_json::json!({
        "architecture": of_text, "tokenizer": backbone("xlmr"), "hidden_size": 16, "layers": 1, "heads": 2,
        "intermediate_size": 24, "max_tokens": 24,
    });
    config.model.path = None;
    config.model.new = Some(serde_json::from_value(new).unwrap());
    config.model.device = Some(device.into());
    config.model.precision = Some(precision.into());
    config.model.dropout = true;
    config
}

/// Every recipe, one at several widths, and several in one run, in batches of four rows.
fn all() -> Vec<(&'static str, String)> {
    let cut = recipe("contrastive") + "[matryoshka]\ndims = [16, 8]\n";
    let names = RECIPES.iter().map(|(name, _)| match *name {
        // The teacher is wider.
        "distill" => ("distill", with("distill", "projection = true")),
        name => (name, recipe(name)),
    });
    let all = names.chain([("matryoshka", cut), ("mixed", mixed())]);
    all.map(|(name, text)| (name, text.replace("rows = 8", "rows = 4"))).collect()
}

/// Loss, gradient norm and terms of every line.
fn figures(log: &[Value]) -> Vec<Vec<(String, f64)>> {
    let of = |line: &Value| {
        let terms = line["terms"].as_object().unwrap().iter();
        let named = ["loss", "gradient_norm"].map(|name| (name, &line[name]));
        let all = named.into_iter().chain(terms.map(|(name, value)| (name.as_str(), value)));
        all.map(|(name, value)| (name.to_string(), value.as_f64().unwrap())).collect()
    };
    log.iter().map(of).collect()
}

#[test]
#[ignore = "in a process of its own"]
fn every_recipe_has_the_losses_of_the_cpu() {
    for (name, text) in all() {
        let folder = Folder::new();
        for (precision, steps, tolerance) in [("f32", 3, 2e-3), ("bf16", 2, 5e-2)] {
            let run = |device: &str| {
                let out = format!("{device}-{precision}");
                folder.train(on(device, precision, &folder, &out, steps, &text), false).unwrap();
                figures(&folder.log(&out))
            };
            let (expected, got) = (run("cpu"), run("cuda"));
            assert_eq!((expected.len(), got.len()), (steps, steps), "{name}");
            for (step, (expected, got)) in expected.iter().zip(&got).enumerate() {
                let what = format!("{name} {precision} step {step}: {got:?}, expected {expected:?}");
                assert_eq!(expected.len(), got.len(), "{what}");
                for ((a, x), (b, y)) in expected.iter().zip(got) {
                    // The probe counts languages told apart.
                    let near = (x - y).abs() <= tolerance * x.abs().max(1.0) || a.ends_with("language_probe");
                    assert!(a == b && near, "{what}");
                }
            }
        }
    }
}

/// Copies down that had been waited for whenever a step's figures were read.
#[derive(Default)]
struct Waits(Vec<(usize, u64)>);

impl Observer for Waits {
    fn step(&mut self, log: &StepLog, _: usize) {
        self.0.push((log.step, copies_down().unwrap()));
    }
    fn evaluated(&mut self, _: usize, _: &str, _: f64, _: bool) {}
}

#[test]
#[ignore = "in a process of its own"]
fn a_step_waits_for_nothing() {
    let cut = |name: &str| ["contrastive", "mlm", "query_generation"].contains(&name);
    let chunked = all().into_iter().filter(|(name, _)| cut(name));
    let chunked = chunked.map(|(name, text)| (name, text.replace("rows = 4\n", "rows = 4\nchunk_tokens = 40\n")));
    for (name, text) in all().into_iter().chain(chunked) {
        let text = text.replace("monitor_every = 2", "monitor_every = 0");
        let (folder, mut waits) = (Folder::new(), Waits::default());
        train(on("cuda", "f32", &folder, "out", 3, &text), false, &mut waits).unwrap();
        let (steps, copies): (Vec<usize>, Vec<u64>) = waits.0.into_iter().unzip();
        assert_eq!(steps, [1, 2, 3]);
        // The first figures are read after the second step was put on its way. A teacher's embeddings are taken down once.
        assert!(copies[1] == copies[2] && (name == "distill" || copies[0] == copies[1]), "{name}: {copies:?}\n{text}");
    }
}

#[test]
#[ignore = "in a process of its own"]
fn every_recipe_resumes_to_the_identical_result() {
    for (name, text) in all() {
        let folder = Folder::new();
        let text = text + "[checkpoint]\nevery = 2\n";
        let config = |out: &str| on("cuda", "f32", &folder, out, 3, &text);
        folder.train(config("whole"), false).unwrap();
        let killed = std::panic::catch_unwind(|| train(config("stopped"), false, &mut Killed(3)));
        assert!(killed.is_err(), "{name} was not interrupted");
        folder.train(config("stopped"), true).unwrap();
        let weights = |out: &str| fs::read(folder.path(out).join("model/model.safetensors")).unwrap();
        assert!(weights("whole") == weights("stopped"), "{name}: other weights");
        assert_eq!(timeless(&folder, "whole"), timeless(&folder, "stopped"), "{name}");
    }
}

#[test]
#[ignore = "in a process of its own"]
fn a_loss_that_is_not_finite_ends_the_run_at_its_step() {
    let run = |device: &str| {
        let folder = Folder::new();
        let mut config = on(device, "f32", &folder, "out", 6, &recipe("contrastive"));
        config.optimizer.learning_rate = 1e30;
        let Err(Error::NotFinite { step, what, .. }) = folder.train(config, false) else { panic!("{device}: finite") };
        (step, what, folder.log("out").len())
    };
    assert_eq!(run("cuda"), run("cpu"));
}
