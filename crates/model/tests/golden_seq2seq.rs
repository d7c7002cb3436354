//! Encoder–decoders against tests/golden/seq2seq (mT5) and seq2seq_t5 (the first T5): states, logits, loss, gradients, greedy and beam search.

#[path = "../../engine/tests/cuda_host/mod.rs"]
mod cuda_host;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use isogloss_engine::{Device, Gradients, Isa, Packed, Precision, Tensor, no_grad, op, with_isa};
use isogloss_model::{Beams, Checkpoint, GenerateOptions, Mt5, Mt5Config, Search};
use safetensors::SafeTensors;
use serde_json::Value;

/// A folder of tests/golden.
#[derive(Clone, Copy)]
struct Golden(&'static str);

const GOLDENS: [Golden; 2] = [Golden("seq2seq"), Golden("seq2seq_t5")];

fn golden(of: Golden, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(of.0).join(name)
}

fn model(of: Golden) -> Mt5 {
    let config = Mt5Config::read(&golden(of, "model/config.json")).unwrap();
    Mt5::load(&config, &Checkpoint::open(&golden(of, "model")).unwrap()).unwrap()
}

fn expected(of: Golden) -> Value {
    serde_json::from_slice(&fs::read(golden(of, "expected.json")).unwrap()).unwrap()
}

fn floats(of: Golden, file: &str) -> BTreeMap<String, Vec<f32>> {
    let bytes = fs::read(golden(of, file)).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let values = |data: &[u8]| data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    tensors.iter().map(|(name, view)| (name.to_string(), values(view.data()))).collect()
}

/// Rows of whole numbers.
fn integers(of: Golden, name: &str) -> Vec<Vec<i64>> {
    let bytes = fs::read(golden(of, "golden.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let view = tensors.tensor(name).unwrap();
    let values: Vec<i64> = view.data().chunks_exact(8).map(|b| i64::from_le_bytes(b.try_into().unwrap())).collect();
    values.chunks(view.shape()[1]).map(<[i64]>::to_vec).collect()
}

fn sources(of: Golden) -> Vec<Vec<u32>> {
    let kept = |(ids, mask): (Vec<i64>, Vec<i64>)| {
        ids.iter().zip(mask).filter(|(_, mask)| *mask == 1).map(|(id, _)| *id as u32).collect()
    };
    integers(of, "input_ids").into_iter().zip(integers(of, "attention_mask")).map(kept).collect()
}

/// Fails unless the largest difference is within `tolerance` of the largest expected value.
#[track_caller]
fn close(what: &str, got: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let largest = expected.iter().fold(0f32, |a, x| a.max(x.abs()));
    let error = got.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0f32, f32::max) / largest;
    assert!(error <= tolerance, "{what}: relative error {error:e} above {tolerance:e}");
}

/// The decoder's states for the golden's inputs, all positions, and the encoder's.
fn forward(of: Golden, model: &Mt5) -> (Tensor, Tensor) {
    let (sources, targets) = (sources(of), integers(of, "decoder_input_ids"));
    let source = Packed::new(sources.iter().map(Vec::len), 0);
    let target = Packed::new(targets.iter().map(Vec::len), 0);
    let memory = model.encode(&sources.concat(), &source);
    let ids: Vec<u32> = targets.concat().into_iter().map(|id| id as u32).collect();
    (model.decode(&ids, &target, &memory, &source), memory)
}

fn labels(of: Golden) -> Vec<Option<usize>> {
    integers(of, "labels").concat().into_iter().map(|label| usize::try_from(label).ok()).collect()
}

#[test]
fn states_and_logits_are_within_tolerance_on_every_instruction_set() {
    for of in GOLDENS {
        let (model, golden) = (model(of), floats(of, "golden.safetensors"));
        let (d, length) = (model.config().d_model, integers(of, "input_ids")[0].len());
        for isa in Isa::available() {
            let (states, memory) = with_isa(isa, || no_grad(|| forward(of, &model)));
            let mut start = 0;
            for (row, source) in sources(of).iter().enumerate() {
                let expected = &golden["encoder_last_hidden_state"][row * length * d..][..source.len() * d];
                close(
                    &format!("{isa} encoder, text {row}"),
                    &memory.data()[start..][..source.len() * d],
                    expected,
                    2e-5,
                );
                start += source.len() * d;
            }
            let logits = with_isa(isa, || no_grad(|| model.logits(&states)));
            close(&format!("{isa} logits"), logits.data(), &golden["logits"], 5e-5);
        }
    }
}

#[test]
fn the_loss_and_every_gradient_are_within_tolerance() {
    for of in GOLDENS {
        let (model, golden, stored) = (model(of), floats(of, "golden.safetensors"), floats(of, "grads.safetensors"));
        let (states, _) = forward(of, &model);
        let (logits, labels) = (model.logits(&states), labels(of));
        let loss = op::cross_entropy(&logits, &labels);
        assert!((f64::from(loss.item()) - expected(of)["loss"].as_f64().unwrap()).abs() < 1e-5, "{}", loss.item());
        let columns = labels.len() / golden["loss_per_sequence"].len();
        for (row, expected) in golden["loss_per_sequence"].iter().enumerate() {
            let own = |at: usize| labels[at].filter(|_| at / columns == row);
            let one = op::cross_entropy(&logits, &(0..labels.len()).map(own).collect::<Vec<_>>());
            assert!((one.item() - expected).abs() < 1e-5, "sequence {row}: {} {expected}", one.item());
        }
        let mut gradients = Gradients::default();
        loss.backward(&mut gradients);
        let mut seen = 0;
        for (name, parameter) in model.parameters() {
            let stacks = [
                (".qkv.", vec![".q.", ".k.", ".v."]),
                (".kv.", vec![".k.", ".v."]),
                (".wi_01.", vec![".wi_0.", ".wi_1."]),
            ];
            let parts = match stacks.into_iter().find(|(stack, _)| name.contains(stack)) {
                Some((stack, parts)) => parts.into_iter().map(|part| name.replace(stack, part)).collect(),
                None => vec![name.clone()],
            };
            seen += parts.len();
            let expected: Vec<f32> = parts.iter().flat_map(|part| &stored[part]).copied().collect();
            close(&name, gradients.get(parameter).unwrap().data(), &expected, 1e-4);
        }
        assert_eq!(seen, stored.len());
    }
}

#[test]
fn kernels_of_a_gpu_meet_the_tolerances() {
    cuda_host::run_ignored();
}

/// The mean cross-entropy of the golden's labels, with its gradients, and the states of decoder and encoder.
fn trained(of: Golden, model: &Mt5) -> (f32, Gradients, [Tensor; 2]) {
    let (states, memory) = forward(of, model);
    let kept: Vec<(usize, usize)> =
        labels(of).into_iter().enumerate().filter_map(|(row, label)| Some((row, label?))).collect();
    let (rows, labels): (Vec<usize>, Vec<usize>) = kept.into_iter().unzip();
    let hidden = op::gather_rows(&states, &rows);
    let loss = op::projected_cross_entropy(&hidden, model.output_table(), None, &labels, 0.0);
    let mut gradients = Gradients::default();
    loss.backward(&mut gradients);
    (loss.item(), gradients, [states, memory])
}

#[test]
#[ignore = "in a process of its own"]
fn on_a_gpu_the_gradients_are_those_of_the_cpu_and_in_bf16_near_them() {
    for of in GOLDENS {
        let exact = model(of);
        let (loss, expected, states) = trained(of, &exact);
        let run = |precision, device| {
            let mut model = model(of);
            for (_, parameter) in model.parameters_mut() {
                parameter.set_precision(precision);
                parameter.set_device(device).unwrap();
            }
            let (loss, gradients, states) = trained(of, &model);
            let parameters = model.parameters().into_iter().map(|(_, parameter)| parameter);
            let gradients: Vec<Vec<f32>> = parameters.map(|p| gradients.get(p).unwrap().data().to_vec()).collect();
            (loss, gradients, states)
        };
        let [(f32_loss, in_f32, _), (bf16_loss, in_bf16, bf16_states), (_, cpu_bf16, cpu_states)] =
            [run(Precision::F32, Device::Cuda), run(Precision::Bf16, Device::Cuda), run(Precision::Bf16, Device::Cpu)];
        assert!((f32_loss - loss).abs() <= 1e-5 * loss, "{}: {f32_loss} {loss}", of.0);
        assert!((bf16_loss - loss).abs() <= 1e-2 * loss, "{}: {bf16_loss} {loss}", of.0);
        for ((got, cpu), expected) in bf16_states.iter().zip(&cpu_states).zip(&states) {
            let (got, cpu) = (cosine(got.data(), expected.data()), cosine(cpu.data(), expected.data()));
            println!("{} states {got} {cpu}", of.0);
            assert!(1.0 - got <= 4.0 * (1.0 - cpu), "{}: states at {got}, the CPU's at {cpu}", of.0);
        }
        for (i, (name, parameter)) in exact.parameters().into_iter().enumerate() {
            let expected = expected.get(parameter).unwrap().data();
            close(&format!("{} {name}", of.0), &in_f32[i], expected, 1e-4);
            let (got, cpu) = (cosine(&in_bf16[i], expected), cosine(&cpu_bf16[i], expected));
            println!("{} {name} {got} {cpu}", of.0);
            // Rounding both factors and results does little more harm than rounding the factors.
            assert!(1.0 - got <= 8.0 * (1.0 - cpu), "{} {name}: {got}, the CPU's {cpu}", of.0);
        }
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn generated(of: Golden, model: &Mt5, search: Search, returned: usize) -> Vec<Vec<(Vec<u32>, f64)>> {
    let settings = &expected(of)["settings"];
    let options = GenerateOptions {
        search,
        returned,
        max_new_tokens: settings["max_new_tokens"].as_u64().unwrap() as usize,
        length_penalty: settings["length_penalty"].as_f64().unwrap(),
    };
    options.check().unwrap();
    let sources = sources(of);
    let made = model.generate(&sources.iter().map(Vec::as_slice).collect::<Vec<_>>(), 0, &options);
    made.into_iter().map(|texts| texts.into_iter().map(|text| (text.ids, text.score)).collect()).collect()
}

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

#[test]
fn greedy_ids_are_equal() {
    for of in GOLDENS {
        let model = model(of);
        let made = generated(of, &model, Search::Greedy, 1);
        for (texts, expected) in made.iter().zip(expected(of)["generation"]["greedy"].as_array().unwrap()) {
            assert_eq!(texts[0].0, ids(expected));
        }
    }
}

#[test]
fn the_best_of_a_beam_search_is_equal_and_every_score_is_that_of_its_ids() {
    for of in GOLDENS {
        let (model, expected) = (model(of), expected(of));
        let beams = expected["settings"]["num_beams"].as_u64().unwrap() as usize;
        let penalty = expected["settings"]["length_penalty"].as_f64().unwrap();
        for (name, early_stopping) in [("beam", false), ("beam_early_stopping", true)] {
            let made = generated(of, &model, Search::Beam(Beams { beams, early_stopping }), beams);
            for ((texts, stored), source) in
                made.iter().zip(expected["generation"][name].as_array().unwrap()).zip(sources(of))
            {
                assert_eq!(texts[0].0, ids(&stored[0]["ids"]), "{name}");
                assert!((texts[0].1 - stored[0]["score"].as_f64().unwrap()).abs() < 1e-4, "{name}: {texts:?}");
                assert!(texts.len() == beams && texts.is_sorted_by(|a, b| a.1 >= b.1), "{name}: {texts:?}");
                for (ids, score) in texts {
                    let again = log_likelihood(&model, &source, ids) / ((ids.len() - 1) as f64).powf(penalty);
                    assert!((score - again).abs() < 1e-4, "{name}: {score} {again}");
                }
            }
        }
    }
}

/// The sum of the log-probabilities of all ids but the first, by teacher forcing.
fn log_likelihood(model: &Mt5, source: &[u32], ids: &[u32]) -> f64 {
    let (packed, target) = (Packed::new([source.len()], 0), Packed::new([ids.len() - 1], 0));
    no_grad(|| {
        let memory = model.encode(source, &packed);
        let logits = model.logits(&model.decode(&ids[..ids.len() - 1], &target, &memory, &packed));
        let labels: Vec<Option<usize>> = ids[1..].iter().map(|id| Some(*id as usize)).collect();
        -f64::from(op::cross_entropy(&logits, &labels).item()) * labels.len() as f64
    })
}
