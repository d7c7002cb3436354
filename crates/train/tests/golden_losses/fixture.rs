//! A case of cases.json with its tensors, and the comparison with what was computed.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use isogloss_engine::{Gradients, Tensor};
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

pub fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/losses").join(name)
}

pub fn cases() -> Vec<Value> {
    serde_json::from_slice(&fs::read(golden("cases.json")).unwrap()).unwrap()
}

/// The tensors of a file, whatever their type, as doubles.
pub struct Fixture(HashMap<String, (Vec<f64>, Vec<usize>)>);

impl Fixture {
    pub fn read(name: &str) -> Fixture {
        let bytes = fs::read(golden(&format!("{name}.f32.safetensors"))).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let values = |data: &[u8], dtype: Dtype| -> Vec<f64> {
            match dtype {
                Dtype::F32 => {
                    data.chunks_exact(4).map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap()))).collect()
                }
                Dtype::I64 => data.chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap()) as f64).collect(),
                Dtype::BOOL => data.iter().map(|b| f64::from(*b)).collect(),
                other => panic!("{name}: a tensor of type {other:?}"),
            }
        };
        let read = |(key, view): (String, safetensors::tensor::TensorView)| {
            (key, (values(view.data(), view.dtype()), view.shape().to_vec()))
        };
        Fixture(tensors.tensors().into_iter().map(read).collect())
    }

    pub fn values(&self, name: &str) -> &[f64] {
        &self.0.get(name).unwrap_or_else(|| panic!("no tensor {name}")).0
    }

    pub fn shape(&self, name: &str) -> &[usize] {
        &self.0[name].1
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A tensor as a leaf: a vector, or a matrix of its last dimension.
    pub fn leaf(&self, name: &str) -> Tensor {
        let shape = self.shape(name);
        let shape = match shape {
            [n] => vec![*n],
            _ => vec![shape[..shape.len() - 1].iter().product(), shape[shape.len() - 1]],
        };
        Tensor::parameter(self.values(name).iter().map(|x| *x as f32).collect::<Vec<f32>>(), &shape)
    }
}

/// Compares a tensor with the expected one: largest difference over largest expected value.
pub fn close(what: &str, got: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(got.len(), expected.len(), "{what}: number of elements");
    let largest = expected.iter().fold(f64::from(f32::MIN_POSITIVE), |a, x| a.max(x.abs()));
    let error = distance(got, expected) / largest;
    assert!(error <= tolerance, "{what}: relative error {error:e}");
}

pub fn distance(got: &[f32], expected: &[f64]) -> f64 {
    got.iter().zip(expected).map(|(a, b)| (f64::from(*a) - b).abs()).fold(0.0, f64::max)
}

pub fn number(value: &Value, key: &str) -> f32 {
    value[key].as_f64().unwrap_or_else(|| panic!("no number {key}")) as f32
}

/// What a case's function computed.
pub struct Computed {
    pub total: Tensor,
    /// Components by the oracle's names.
    pub components: Vec<(String, f32)>,
    /// Leaves by the oracle's names.
    pub inputs: Vec<(&'static str, Tensor)>,
}

impl Computed {
    /// Compares value, components and gradients with those of the case.
    pub fn check(&self, case: &Value, fixture: &Fixture) {
        let name = case["name"].as_str().unwrap();
        let expected = case["loss"].as_f64().unwrap();
        close(&format!("{name} loss"), self.total.data(), &[expected], 1e-5);
        for (key, expected) in case["components"].as_object().unwrap().iter().filter(|(key, _)| *key != "loss") {
            let (_, got) = self.components.iter().find(|(k, _)| k == key).unwrap_or_else(|| panic!("{name}: {key}"));
            let expected = expected.as_f64().unwrap();
            let scale = expected.abs().max(case["loss"].as_f64().unwrap().abs());
            assert!((f64::from(*got) - expected).abs() <= 1e-5 * scale, "{name} {key}: {got} instead of {expected}");
        }
        let mut gradients = Gradients::default();
        self.total.backward(&mut gradients);
        for key in case["gradients"].as_array().unwrap() {
            let key = key.as_str().unwrap();
            let (_, input) =
                self.inputs.iter().find(|(k, _)| format!("grad.{k}") == key).expect("an input of that name");
            let zeros = vec![0.0; input.data().len()];
            let got = gradients.get(input).map_or(&zeros[..], |g| g.data());
            close(&format!("{name} {key}"), got, fixture.values(key), 1e-4);
        }
        for (key, input) in &self.inputs {
            let expected = case["gradients"].as_array().unwrap().iter().any(|g| *g == format!("grad.{key}"));
            assert!(expected || gradients.get(input).is_none(), "{name}: a gradient flows to {key}");
        }
    }
}
