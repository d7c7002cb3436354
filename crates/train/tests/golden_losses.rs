//! The InfoNCE family against tests/golden/losses: values and gradients, on every instruction set of the machine.

use std::fs;
use std::path::{Path, PathBuf};

use isogloss_engine::{Gradients, Isa, Tensor, with_isa};
use isogloss_train::loss::{InfoNce, NegativeScope, Similarity, info_nce};
use safetensors::SafeTensors;
use serde_json::Value;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/losses").join(name)
}

/// A tensor as a matrix of its last dimension.
fn tensor(tensors: &SafeTensors, name: &str) -> Option<Tensor> {
    let view = tensors.tensor(name).ok()?;
    let values: Vec<f32> = view.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    let width = *view.shape().last().unwrap();
    let rows = values.len() / width;
    Some(Tensor::parameter(values, &[rows, width]))
}

fn relative_error(got: &[f32], expected: &[f32]) -> f32 {
    let largest = expected.iter().fold(f32::MIN_POSITIVE, |a, x| a.max(x.abs()));
    got.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / largest
}

fn check(case: &Value) {
    let name = case["name"].as_str().unwrap();
    let bytes = fs::read(golden(&format!("{name}.f32.safetensors"))).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let (q, p, n) = (tensor(&tensors, "q").unwrap(), tensor(&tensors, "p").unwrap(), tensor(&tensors, "n"));
    let same: Option<Vec<bool>> =
        tensors.tensor("dup_mask").ok().map(|view| view.data().iter().map(|b| *b != 0).collect());
    let flag = |key: &str| case["params"][key].as_bool().unwrap_or(false);
    let rows = q.shape()[0];
    let negative_rows = vec![n.as_ref().map_or(0, |n| n.shape()[0] / rows); rows];
    let options = InfoNce {
        similarity: if flag("cos") { Similarity::Cosine } else { Similarity::Dot },
        temperature: case["params"]["tau"].as_f64().unwrap() as f32,
        symmetric: flag("sym"),
        negative_rows: &negative_rows,
        scope: if flag("own") { NegativeScope::Own } else { NegativeScope::Batch },
        same: same.as_deref(),
        same_negative: None,
    };
    let loss = info_nce(&q, &p, n.as_ref(), options);
    let expected = case["loss"].as_f64().unwrap();
    let error = (f64::from(loss.total.item()) - expected).abs() / expected;
    assert!(error <= 1e-5, "{name}: loss {} instead of {expected}", loss.total.item());
    let mut gradients = Gradients::default();
    loss.total.backward(&mut gradients);
    for (key, input) in [("grad.q", Some(&q)), ("grad.p", Some(&p)), ("grad.n", n.as_ref())] {
        let (Some(input), Some(expected)) = (input, tensor(&tensors, key)) else { continue };
        let error = relative_error(gradients.get(input).unwrap().data(), expected.data());
        assert!(error <= 1e-4, "{name} {key}: relative error {error:e}");
    }
}

#[test]
fn values_and_gradients_equal_the_oracle() {
    let cases: Vec<Value> = serde_json::from_slice(&fs::read(golden("cases.json")).unwrap()).unwrap();
    let cases: Vec<&Value> = cases.iter().filter(|c| c["kind"] == "infonce").collect();
    assert!(!cases.is_empty());
    for isa in Isa::available() {
        with_isa(isa, || cases.iter().for_each(|case| check(case)));
    }
}
