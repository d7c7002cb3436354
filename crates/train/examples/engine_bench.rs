//! Times encoder forward passes and training steps of fresh models, for benches/peers/engine.py: prints `name seconds
//! processor-seconds` per repetition.
//!
//! Arguments: `forward|train`, hidden, heads, layers, sequences, tokens per sequence, repetitions, precision.

use std::time::Instant;

use isogloss_engine::op::{self, Activation};
use isogloss_engine::optim::{AdamW, AdamWConfig};
use isogloss_engine::{Gradients, Key, Packed, Precision, no_grad, sequential};
use isogloss_model::{Bert, BertConfig, BertFamily, Positions};
use rayon::prelude::*;

fn config(hidden_size: usize, heads: usize, layers: usize, length: usize) -> BertConfig {
    BertConfig {
        family: BertFamily::Bert,
        vocab_size: 30522,
        hidden_size,
        layers,
        heads,
        intermediate_size: 4 * hidden_size,
        max_position_embeddings: length.max(512),
        type_vocab_size: 2,
        layer_norm_eps: 1e-12,
        activation: isogloss_model::Activation::Gelu,
        hidden_dropout: 0.0,
        attention_dropout: 0.0,
        pad_id: 0,
        positions: Positions::FromZero,
    }
}

/// Seconds that the threads of this process have computed.
fn processor_seconds() -> f64 {
    let threads = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let nanoseconds = threads.filter_map(|thread| {
        let stat = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        stat.split(' ').next()?.parse::<f64>().ok()
    });
    nanoseconds.sum::<f64>() * 1e-9
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let number = |i: usize| args[i].parse::<usize>().expect("a number");
    let (rows, length) = (number(5), number(6));
    let mut model = Bert::fresh(&config(number(2), number(3), number(4), length), Key::new(1));
    let precision: Precision = args[8].parse().expect("a precision");
    model.parameters_mut().into_iter().for_each(|(_, weight)| weight.set_precision(precision));
    let ids: Vec<u32> = (0..rows * length).map(|i| Key::new(2).below(i as u64, 30_000) as u32).collect();
    let mut optimizer = AdamW::new(AdamWConfig::default());
    for _ in 0..number(7) {
        let (start, computed) = (Instant::now(), processor_seconds());
        match args[1].as_str() {
            "forward" => {
                // As BiEncoder::encode does: chunks of about 512 tokens, one core each.
                let per_chunk = (512 / length).max(1);
                ids.par_chunks(per_chunk * length).with_max_len(1).for_each(|chunk| {
                    let packed = Packed::new(std::iter::repeat_n(length, chunk.len() / length), 0);
                    sequential(|| no_grad(|| model.forward(chunk, None, &packed, None)));
                });
            }
            _ => {
                let packed = Packed::new(std::iter::repeat_n(length, rows), 0);
                let hidden = model.forward(&ids, None, &packed, None);
                let x = op::l2_normalize(&op::pool(&hidden, &packed, op::Pooling::Cls, &[]));
                let half = |start: usize| op::gather_rows(&x, &(start..start + rows / 2).collect::<Vec<_>>());
                let scores = op::scale(&op::linear(&half(0), &half(rows / 2), None, Activation::Identity), 20.0);
                let loss = op::softmax_cross_entropy(&scores, &(0..rows / 2).collect::<Vec<_>>(), None);
                let mut gradients = Gradients::default();
                loss.backward(&mut gradients);
                drop((loss, scores, x, hidden));
                optimizer.step(model.parameters_mut(), &gradients, 1e-5, 1.0);
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        println!("{} {seconds:.6} {:.6}", args[1], processor_seconds() - computed);
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find(|l| l.starts_with("VmHWM")).unwrap_or("VmHWM: unknown");
    println!("{peak}");
}
