//! Properties that any recipe and model must have: every parameter moves, eight examples are learnt by heart, cached gradients are the direct ones.

#[path = "../../engine/tests/cuda_host/mod.rs"]
mod cuda_host;

use std::fs;
use std::path::{Path, PathBuf};

use isogloss_dense::{Encoder, Side, translation_accuracy};
use isogloss_engine::cuda::{World, copies_down};
use isogloss_engine::optim::{AdamW, AdamWConfig};
use isogloss_engine::{Device, Gradients, Isa, Key, Precision, with_isa};
use isogloss_ir::Example;
use isogloss_model::{BiEncoder, FolderLayout, Overrides, Pooling};
use isogloss_train::recipes::{Contrastive, ContrastiveConfig};
use isogloss_train::{StepOptions, accumulate};

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/encoder").join(name)
}

/// A fresh model of a golden folder's architecture, with its dropout.
fn fresh(name: &str) -> BiEncoder {
    let layout = FolderLayout::read(&golden(name), Some(Pooling::Mean)).unwrap();
    BiEncoder::fresh(FolderLayout { normalize: true, ..layout }, Key::new(7)).unwrap()
}

fn examples() -> Vec<Example> {
    let texts: Vec<String> = serde_json::from_slice(&fs::read(golden("texts.json")).unwrap()).unwrap();
    let texts: Vec<&String> = texts.iter().filter(|t| t.chars().count() > 12).collect();
    let example = |i: usize| Example {
        query: texts[i].clone(),
        positives: vec![texts[i + 8].clone()],
        // Marked in front, since a mark at the end of a long text is cut off.
        negatives: (0..i % 3).map(|k| format!("! {}", texts[(i + 5 * k) % 8 + 8])).collect(),
        ..Example::default()
    };
    (0..8).map(example).collect()
}

fn recipe() -> Contrastive {
    Contrastive::new(ContrastiveConfig { negatives: 2, symmetric: true, ..ContrastiveConfig::default() })
}

fn options(chunk_tokens: Option<usize>, dropout: bool) -> StepOptions<'static> {
    StepOptions { key: Key::new(11), dropout, chunk_tokens, weight: 1.0, world: World::alone() }
}

fn gradients(model: &BiEncoder, options: StepOptions) -> (f32, Gradients) {
    let mut gradients = Gradients::default();
    let (loss, _) = accumulate(model, &mut recipe(), &examples(), options, &mut gradients).unwrap();
    (loss.total.item(), gradients)
}

#[test]
fn cached_gradients_are_the_direct_ones_with_dropout_and_ragged_chunks() {
    for name in ["xlmr", "bert", "modernbert"] {
        let model = fresh(name);
        let (direct_loss, direct) = gradients(&model, options(None, true));
        let (plain_loss, _) = gradients(&model, options(None, false));
        assert!(name == "modernbert" || direct_loss != plain_loss, "{name}: dropout is on");
        for chunk_tokens in [1, 70, 333] {
            let (loss, cached) = gradients(&model, options(Some(chunk_tokens), true));
            assert!((loss - direct_loss).abs() <= 1e-6 * direct_loss.abs(), "{name}: {loss} {direct_loss}");
            for (parameter, tensor) in model.parameters() {
                let (a, b) = (cached.get(tensor).unwrap().data(), direct.get(tensor).unwrap().data());
                let largest = b.iter().fold(1e-6f32, |m, x| m.max(x.abs()));
                let error = a.iter().zip(b).map(|(x, y)| (x - y).abs()).fold(0f32, f32::max) / largest;
                // The gradient of a key bias is zero but for rounding.
                let tolerance = if parameter.ends_with("qkv.bias") { 1e-3 } else { 1e-4 };
                assert!(error <= tolerance, "{name} {parameter} in chunks of {chunk_tokens}: {error:e}");
            }
        }
    }
}

#[test]
fn gradients_in_bf16_are_near_those_in_f32_and_the_same_in_chunks_and_on_any_number_of_threads() {
    for name in ["xlmr", "bert", "modernbert"] {
        let (exact, mut model) = (fresh(name), fresh(name));
        model.set_precision(Precision::Bf16);
        let (loss, direct) = gradients(&model, options(None, true));
        let (exact_loss, expected) = gradients(&exact, options(None, true));
        assert!(loss != exact_loss && (loss - exact_loss).abs() < 0.02 * exact_loss, "{name}: {loss} {exact_loss}");
        let pool = rayon::ThreadPoolBuilder::new().num_threads(3).build().unwrap();
        let (_, threaded) = pool.install(|| gradients(&model, options(None, true)));
        let (chunked_loss, cached) = gradients(&model, options(Some(70), true));
        assert!((chunked_loss - loss).abs() < 1e-5 * loss, "{name}: {chunked_loss} {loss}");
        for ((parameter, tensor), (_, of_exact)) in model.parameters().into_iter().zip(exact.parameters()) {
            let of = |gradients: &Gradients, tensor| gradients.get(tensor).unwrap().data().to_vec();
            let (a, b, c) = (of(&direct, tensor), of(&expected, of_exact), of(&cached, tensor));
            assert_eq!(a, of(&threaded, tensor), "{name} {parameter}");
            // The gradient of a key bias is zero but for rounding.
            if !parameter.ends_with("qkv.bias") {
                assert!(cosine(&a, &b) > 0.999, "{name} {parameter}: {} to f32", cosine(&a, &b));
                assert!(cosine(&a, &c) > 0.99999, "{name} {parameter}: {} in chunks", cosine(&a, &c));
            }
        }
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[test]
fn every_parameter_moves_and_the_result_is_the_same_each_time() {
    for name in ["xlmr", "bert", "modernbert"] {
        let step = || {
            let mut model = fresh(name);
            let (_, gradients) = gradients(&model, options(None, true));
            AdamW::new(AdamWConfig::default()).step(model.parameters_mut(), &gradients, 1e-3, 1.0);
            model
        };
        let (before, after, again) = (fresh(name), step(), step());
        for (((parameter, a), (_, b)), (_, c)) in
            before.parameters().into_iter().zip(after.parameters()).zip(again.parameters())
        {
            assert_ne!(a.data(), b.data(), "{name} {parameter} did not move");
            assert_eq!(b.data(), c.data(), "{name} {parameter} moved differently the second time");
        }
    }
}

#[test]
fn the_result_does_not_depend_on_the_number_of_threads() {
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let model = fresh("bert");
            let (_, gradients) = gradients(&model, options(Some(100), true));
            let parameters = model.parameters();
            parameters.iter().map(|(_, t)| gradients.get(t).unwrap().data().to_vec()).collect::<Vec<_>>()
        })
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn kernels_of_a_gpu_give_the_gradients_of_the_cpu() {
    cuda_host::run_ignored();
}

#[test]
#[ignore = "in a process of its own"]
fn on_a_gpu_loss_and_gradients_are_those_of_the_cpu_with_dropout() {
    for (name, precision, tolerance) in [
        ("xlmr", Precision::F32, 1e-4),
        ("bert", Precision::F32, 1e-4),
        ("modernbert", Precision::F32, 1e-4),
        ("xlmr", Precision::Bf16, 3e-2),
    ] {
        let mut model = fresh(name);
        model.set_precision(precision);
        let (expected_loss, expected) = gradients(&model, options(None, true));
        let expected: Vec<Vec<f32>> =
            model.parameters().iter().map(|(_, t)| expected.get(t).unwrap().data().to_vec()).collect();
        model.set_device(Device::Cuda).unwrap();
        for chunk_tokens in [None, Some(70)] {
            let before = copies_down().unwrap();
            let (loss, got) = gradients(&model, options(chunk_tokens, true));
            let what = format!("{name} {precision} {chunk_tokens:?}");
            assert_eq!(copies_down().unwrap() - before, 1, "{what}: nothing but the loss that is asked for comes down");
            assert!((loss - expected_loss).abs() <= tolerance * expected_loss, "{what}: {loss} {expected_loss}");
            for ((parameter, tensor), expected) in model.parameters().iter().zip(&expected) {
                let got = got.get(tensor).unwrap();
                assert_eq!(got.device(), Device::Cuda);
                let largest = expected.iter().fold(1e-6f32, |m, x| m.max(x.abs()));
                let error = got.data().iter().zip(expected).map(|(x, y)| (x - y).abs()).fold(0f32, f32::max) / largest;
                // The gradient of a key bias is zero but for rounding.
                let tolerance = if parameter.ends_with("qkv.bias") { 10.0 * tolerance } else { tolerance };
                assert!(error <= tolerance, "{what} {parameter}: {error:e}");
            }
        }
    }
}

#[test]
#[ignore = "in a process of its own"]
fn on_a_gpu_gradients_in_bf16_are_near_those_in_f32_and_the_same_in_chunks() {
    for name in ["xlmr", "bert", "modernbert"] {
        let (exact, mut model) = (fresh(name), fresh(name));
        model.set_precision(Precision::Bf16);
        model.set_device(Device::Cuda).unwrap();
        let (exact_loss, expected) = gradients(&exact, options(None, true));
        let (loss, direct) = gradients(&model, options(None, true));
        assert!(loss != exact_loss && (loss - exact_loss).abs() < 0.02 * exact_loss, "{name}: {loss} {exact_loss}");
        let (chunked_loss, cached) = gradients(&model, options(Some(70), true));
        assert!((chunked_loss - loss).abs() < 1e-5 * loss, "{name}: {chunked_loss} {loss}");
        let mut least = (1f64, 1f64);
        for ((parameter, tensor), (_, of_exact)) in model.parameters().into_iter().zip(exact.parameters()) {
            let of = |gradients: &Gradients, tensor| gradients.get(tensor).unwrap().data().to_vec();
            let (a, b, c) = (of(&direct, tensor), of(&expected, of_exact), of(&cached, tensor));
            // The gradient of a key bias is zero but for rounding.
            if !parameter.ends_with("qkv.bias") {
                assert!(cosine(&a, &b) > 0.999, "{name} {parameter}: {} to f32", cosine(&a, &b));
                assert!(cosine(&a, &c) > 0.99999, "{name} {parameter}: {} in chunks", cosine(&a, &c));
                least = (least.0.min(cosine(&a, &b)), least.1.min(cosine(&a, &c)));
            }
        }
        println!("{name}: least cosines {least:?}");
    }
}

#[test]
fn eight_examples_are_learnt_by_heart_on_every_instruction_set_in_f32_and_bf16() {
    let bf16 = Isa::available().into_iter().map(|isa| (isa, Precision::Bf16));
    for (isa, precision) in Isa::available().into_iter().map(|isa| (isa, Precision::F32)).chain(bf16) {
        with_isa(isa, || {
            let (mut model, mut recipe, examples) = (fresh("xlmr"), recipe(), examples());
            model.set_precision(precision);
            let mut optimizer = AdamW::new(AdamWConfig::default());
            let mut loss = f32::INFINITY;
            for _ in 0..100 {
                let mut gradients = Gradients::default();
                let (value, _) =
                    accumulate(&model, &mut recipe, &examples, options(None, false), &mut gradients).unwrap();
                optimizer.step(model.parameters_mut(), &gradients, 3e-3, 1.0);
                loss = value.total.item();
            }
            assert!(loss < 0.05, "{isa} {precision}: loss {loss}");
            let encode = |texts: Vec<&str>| model.encode(&texts, Side::Doc).unwrap();
            let queries = encode(examples.iter().map(|e| e.query.as_str()).collect());
            let positives = encode(examples.iter().map(|e| e.positives[0].as_str()).collect());
            assert_eq!(translation_accuracy(&queries, &positives).unwrap(), (1.0, 1.0), "{isa}");
        });
    }
}

#[test]
fn overrides_reach_the_vectors() {
    let dir = golden("xlmr");
    let load = |normalize| {
        let overrides = Overrides {
            pooling: Some(Pooling::Cls),
            normalize: Some(normalize),
            max_tokens: Some(8),
            ..Overrides::default()
        };
        BiEncoder::load(dir.to_str().unwrap(), &overrides).unwrap()
    };
    let norm = |model: &BiEncoder| {
        model.encode(&["a b c"], Side::Doc).unwrap().row(0).iter().map(|x| x * x).sum::<f32>().sqrt()
    };
    assert!((norm(&load(true)) - 1.0).abs() < 1e-5 && (norm(&load(false)) - 1.0).abs() > 1e-2);
}
