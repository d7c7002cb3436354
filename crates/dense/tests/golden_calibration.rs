//! Statistics, rotations and neighbours against every tests/golden/calibration*, in f64 and as stored in f32.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use isogloss_dense::calibration::{
    Calibration, CalibrationPlan, Csls, LangFit, Method, Missing, Moments, Procrustes, Solution, orthogonalize,
};
use isogloss_dense::{Side, Vectors};
use isogloss_ir::Lang;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

/// Singular values are sums of many products: their tolerance is relative to the largest.
const EXACT: f64 = 1e-10;

fn folders() -> Vec<PathBuf> {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden");
    let entries = fs::read_dir(golden).unwrap().map(|entry| entry.unwrap().path());
    let ours = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with("calibration");
    let folders: Vec<_> = entries.filter(ours).collect();
    assert!(!folders.is_empty());
    folders
}

/// The tensors of one file, as f64.
struct Golden(BTreeMap<String, (Vec<f64>, usize)>);

impl Golden {
    fn read(path: &Path) -> Self {
        let bytes = fs::read(path).unwrap();
        let widen = |dtype: Dtype, data: &[u8]| -> Vec<f64> {
            match dtype {
                Dtype::F32 => {
                    data.chunks_exact(4).map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap()))).collect()
                }
                Dtype::F64 => data.chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect(),
                other => panic!("{other:?}"),
            }
        };
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let read = |(name, view): (String, safetensors::tensor::TensorView<'_>)| {
            (name, (widen(view.dtype(), view.data()), *view.shape().last().unwrap()))
        };
        Self(tensors.tensors().into_iter().map(read).collect())
    }

    fn numbers(&self, name: &str) -> &[f64] {
        &self.0.get(name).unwrap_or_else(|| panic!("no tensor {name}")).0
    }

    /// Inputs are exact in f32.
    fn vectors(&self, name: &str) -> Vectors {
        let (numbers, dim) = &self.0[name];
        Vectors::new(*dim, numbers.iter().map(|x| *x as f32).collect()).unwrap()
    }
}

fn near(what: &str, got: impl IntoIterator<Item = f64>, want: &[f64], tolerance: f64) {
    let got: Vec<f64> = got.into_iter().collect();
    assert_eq!(got.len(), want.len(), "{what}");
    let error = got.iter().zip(want).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(error <= tolerance, "{what}: error {error:e}");
}

fn wide(numbers: &[f32]) -> impl Iterator<Item = f64> + '_ {
    numbers.iter().copied().map(f64::from)
}

fn moments(golden: &Golden, lang: &str) -> Moments {
    let mono = golden.vectors(&format!("{lang}.mono"));
    let mut moments = Moments::new(mono.dim());
    (0..mono.len()).for_each(|i| moments.push(mono.row(i)));
    moments
}

fn scaled(golden: &Golden, lang: &str, part: &str) -> Vec<Vec<f64>> {
    let (moments, vectors) = (moments(golden, lang), golden.vectors(&format!("{lang}.{part}")));
    (0..vectors.len()).map(|i| moments.standardize(vectors.row(i))).collect()
}

fn procrustes(golden: &Golden, lang: &str, target: &str) -> Solution {
    let (x, y) = (scaled(golden, lang, "pairs"), scaled(golden, target, "pairs"));
    let mut procrustes = Procrustes::new(x[0].len());
    x.iter().zip(&y).for_each(|(x, y)| procrustes.push(x, y));
    procrustes.solve().unwrap()
}

fn residual(golden: &Golden, lang: &str, target: &str, w: &[f64]) -> f64 {
    let (x, y) = (scaled(golden, lang, "pairs"), scaled(golden, target, "pairs"));
    let dot = |w: &[f64], x: &[f64]| w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>();
    let of_pair = |(x, y): (&Vec<f64>, &Vec<f64>)| -> f64 {
        w.chunks_exact(x.len()).zip(y).map(|(w, y)| (dot(w, x) - y).powi(2)).sum()
    };
    x.iter().zip(&y).map(of_pair).sum::<f64>().sqrt()
}

/// By elimination with pivots.
fn determinant(w: &[f64], dim: usize) -> f64 {
    let mut rows: Vec<Vec<f64>> = w.chunks_exact(dim).map(<[f64]>::to_vec).collect();
    let mut product = 1.0;
    for i in 0..dim {
        let pivot = (i..dim).max_by(|a, b| rows[*a][i].abs().total_cmp(&rows[*b][i].abs())).unwrap();
        if pivot != i {
            rows.swap(pivot, i);
            product = -product;
        }
        product *= rows[i][i];
        let (above, below) = rows.split_at_mut(i + 1);
        for row in below {
            let factor = row[i] / above[i][i];
            row.iter_mut().zip(&above[i]).for_each(|(x, pivot)| *x -= factor * pivot);
        }
    }
    product
}

fn lang(code: &str) -> Lang {
    code.parse().unwrap()
}

/// The calibration that the golden statistics give, learnt here and rounded to f32.
fn calibration(golden: &Golden, langs: &[&str], target: &str, method: Method) -> Calibration {
    let narrow = |numbers: &[f64]| -> Vec<f32> { numbers.iter().map(|x| *x as f32).collect() };
    let fit = |code: &&str| {
        let moments = moments(golden, code);
        let turned = method == Method::Rotate && *code != target;
        let fit = LangFit {
            texts: moments.count(),
            mean: narrow(moments.mean()),
            std: (method >= Method::Scale).then(|| narrow(&moments.std())),
            rotation: turned.then(|| narrow(&procrustes(golden, code, target).rotation)),
        };
        (lang(code), fit)
    };
    let target = (method == Method::Rotate).then(|| lang(target));
    let plan = CalibrationPlan { method, target, normalize: false, pooling: "mean".into(), side: Side::Doc };
    let dim = golden.vectors(&format!("{}.mono", langs[0])).dim();
    Calibration::new(plan, dim, langs.iter().map(fit).collect()).unwrap()
}

fn applied(golden: &Golden, code: &str, calibration: &Calibration) -> Vectors {
    let mut vectors = golden.vectors(&format!("{code}.test"));
    let langs = vec![Some(lang(code)); vectors.len()];
    calibration.apply(&mut vectors, &langs, Missing::Error).unwrap();
    vectors
}

/// Runs `check` on every folder: its f64 and f32 tensors, its `expected.json`, its languages, the target among them.
fn each(check: impl Fn(&Golden, &Golden, &Value, &[&str], &str)) {
    for folder in folders() {
        let expected: Value = serde_json::from_slice(&fs::read(folder.join("expected.json")).unwrap()).unwrap();
        let golden = Golden::read(&folder.join("calibration.f64.safetensors"));
        let rounded = Golden::read(&folder.join("calibration.f32.safetensors"));
        let langs: Vec<&str> = expected["languages"].as_object().unwrap().keys().map(String::as_str).collect();
        let target = langs.iter().find(|lang| !golden.0.contains_key(&format!("{lang}.rotation"))).unwrap();
        check(&golden, &rounded, &expected, &langs, target);
    }
}

#[test]
fn means_and_deviations_are_the_oracles() {
    each(|golden, rounded, expected, langs, _| {
        for lang in langs {
            let moments = moments(golden, lang);
            near("mean", moments.mean().iter().copied(), golden.numbers(&format!("{lang}.mean")), EXACT);
            near("std", moments.std(), golden.numbers(&format!("{lang}.std")), EXACT);
            let scalar = expected["languages"][lang]["scalar_std"].as_f64().unwrap();
            near("scalar", [moments.scalar_std()], &[scalar], EXACT);
            let narrow = |numbers: &[f64]| -> Vec<f64> { numbers.iter().map(|x| f64::from(*x as f32)).collect() };
            near("mean, f32", narrow(moments.mean()), rounded.numbers(&format!("{lang}.mean")), 1e-6);
            near("std, f32", narrow(&moments.std()), rounded.numbers(&format!("{lang}.std")), 1e-6);
            let flat = scaled(golden, lang, "test").concat();
            near("scaled", flat, golden.numbers(&format!("{lang}.test_scaled")), EXACT);
        }
    });
}

#[test]
fn every_method_changes_vectors_as_the_oracle_does() {
    each(|golden, rounded, _, langs, target| {
        for (method, name) in [(Method::Shift, "shifted"), (Method::Scale, "scaled"), (Method::Rotate, "rotated")] {
            let calibration = calibration(golden, langs, target, method);
            for code in langs {
                let name = if method == Method::Rotate && code == &target { "scaled" } else { name };
                let got = applied(golden, code, &calibration);
                near(name, wide(got.data()), rounded.numbers(&format!("{code}.test_{name}")), 1e-5);
            }
        }
    });
}

#[test]
fn rotations_are_the_oracles() {
    each(|golden, _, expected, langs, target| {
        for lang in langs.iter().filter(|lang| *lang != &target) {
            let found = procrustes(golden, lang, target);
            near("rotation", found.rotation.iter().copied(), golden.numbers(&format!("{lang}.rotation")), EXACT);
            let singular = golden.numbers(&format!("{lang}.singular_values"));
            near("singular values", found.singular_values.iter().copied(), singular, EXACT * singular[0]);
            let number = |key: &str| expected["languages"][lang][key].as_f64().unwrap();
            near("residual", [residual(golden, lang, target, &found.rotation)], &[number("procrustes_residual")], 1e-9);
            let dim = found.singular_values.len();
            near("determinant", [determinant(&found.rotation, dim)], &[number("determinant")], EXACT);
            let step = orthogonalize(golden.numbers(&format!("{lang}.drift")), dim, 0.001);
            near("drift", step, golden.numbers(&format!("{lang}.drift_orthogonalised")), EXACT);
        }
    });
}

/// Share of rows whose largest cosine is that of their own row.
fn accuracy(a: Vectors, b: Vectors) -> f64 {
    let csls = Csls::new(a, b, 1).unwrap();
    let n = csls.r_source().len();
    let largest = |i: usize| (0..n).rev().max_by(|a, b| csls.cosine(i, *a).total_cmp(&csls.cosine(i, *b)));
    (0..n).filter(|i| largest(*i) == Some(*i)).count() as f64 / n as f64
}

#[test]
fn neighbours_are_the_oracles() {
    each(|golden, rounded, expected, langs, target| {
        let k = expected["k"].as_u64().unwrap() as usize;
        let stages =
            [(None, "raw cosine"), (Some(Method::Shift), "shifted cosine"), (Some(Method::Scale), "scaled cosine")];
        for code in langs.iter().filter(|lang| *lang != &target) {
            let want = &expected["languages"][code];
            let rotate = calibration(golden, langs, target, Method::Rotate);
            let (source, aim) = (applied(golden, code, &rotate), applied(golden, target, &rotate));
            for (method, name) in stages {
                let of = |code: &str| match method {
                    None => golden.vectors(&format!("{code}.test")),
                    Some(method) => applied(golden, code, &calibration(golden, langs, target, method)),
                };
                near(name, [accuracy(of(code), of(target))], &[want["accuracy"][name].as_f64().unwrap()], 1e-12);
            }
            let rotated = want["accuracy"]["rotated cosine"].as_f64().unwrap();
            near("rotated", [accuracy(source.clone(), aim.clone())], &[rotated], 1e-12);
            let n = source.len();
            let csls = Csls::new(source, aim, k).unwrap();
            let all = || (0..n * n).map(|at| (at / n, at % n));
            let tensor = |name: &str| rounded.numbers(&format!("{code}.{name}"));
            near("cosine", all().map(|(i, j)| csls.cosine(i, j)), tensor("cosine"), 1e-5);
            near("csls", all().map(|(i, j)| csls.score(i, j)), tensor("csls"), 1e-5);
            near("r of sources", csls.r_source().iter().copied(), tensor("csls_r_source"), 1e-5);
            near("r of targets", csls.r_target().iter().copied(), tensor("csls_r_target"), 1e-5);
            let (nearest, mutual) = (csls.nearest().unwrap(), csls.mutual_pairs().unwrap());
            assert_eq!(serde_json::to_value(&nearest).unwrap(), want["csls_nearest"], "{code}");
            assert_eq!(serde_json::to_value(csls.nearest_backward().unwrap()).unwrap(), want["csls_nearest_backward"]);
            assert_eq!(serde_json::to_value(csls.top(5).unwrap()).unwrap(), want["csls_top5"], "{code}");
            assert_eq!(serde_json::to_value(mutual).unwrap(), want["mutual_pairs"], "{code}");
            let right = nearest.iter().enumerate().filter(|(i, j)| *i == **j as usize).count();
            near("CSLS", [right as f64 / n as f64], &[want["accuracy"]["rotated CSLS"].as_f64().unwrap()], 1e-12);
            let mean = nearest.iter().enumerate().map(|(i, j)| csls.score(i, *j as usize)).sum::<f64>() / n as f64;
            near("mean CSLS", [mean], &[want["mean_csls_of_nearest"].as_f64().unwrap()], 1e-5);
            let selection = want["model_selection_mean_cosine"].as_f64().unwrap();
            near("selection", [csls.mean_cosine().unwrap()], &[selection], 1e-5);
        }
    });
}
