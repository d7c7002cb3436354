//! Times losses with their gradients at the sizes that training uses: prints `name seconds` per repetition.
//!
//! Argument: repetitions.

use std::time::Instant;

use isogloss_engine::{Gradients, Key, Tensor};
use isogloss_train::loss::{
    Ccp, Clear, Divergence, Language, Loss, Reduction, Similarity, Slot, ccp, clear, language, masked_lm,
};
use isogloss_train::{ProjectionHead, ProjectionHeadConfig};

fn random(seed: u64, rows: usize, dim: usize) -> Tensor {
    let key = Key::new(seed);
    Tensor::parameter((0..(rows * dim) as u64).map(|i| key.normal(i)).collect::<Vec<f32>>(), &[rows, dim])
}

fn time(name: &str, repetitions: usize, mut loss: impl FnMut() -> Loss) {
    for _ in 0..repetitions {
        let start = Instant::now();
        loss().total.backward(&mut Gradients::default());
        println!("{name} {:.5}", start.elapsed().as_secs_f64());
    }
}

fn main() {
    let repetitions = std::env::args().nth(1).and_then(|n| n.parse().ok()).expect("a number of repetitions");
    let (d, e, l) = (random(1, 1024, 384), random(2, 256, 384), random(3, 256, 384));
    let options =
        Language { similarity: Similarity::Cosine, temperature: 0.05, combinations: None, reduction: Reduction::Mean };
    time("language_256x1024x384", repetitions, || language(&d, &e, &l, options));

    let slots = Slot::role_major(&[5; 64]);
    let texts = [64, 64, 320, 64, 320].map(|rows| random(rows as u64, rows, 1024));
    let options = Clear {
        alpha: 0.4,
        beta: 0.2,
        scale: 20.0,
        divergence: Some(Divergence::ReverseToForward),
        negatives: &slots,
        negative_queries: &slots,
    };
    time("clear_64x384x1024", repetitions, || clear(texts.each_ref(), options));

    let (centre, context, bank) = (random(4, 64, 384), random(5, 64, 384), random(6, 4096, 256).detach());
    let mut head = ProjectionHead::fresh(ProjectionHeadConfig::default(), [384, 384, 256], Key::new(7));
    let options = Ccp { temperature: 0.1, bidirectional: true, same_side: true, bank: Some(&bank), windows: None };
    time("head_and_ccp_64x4224x256", repetitions, || {
        let (u, v) = head.forward(&centre, &context);
        ccp(&u, &v, options)
    });

    let (hidden, embedding) = (random(8, 4096, 384), random(9, 30_000, 384));
    let labels: Vec<Option<usize>> = (0..4096).map(|i| (i % 7 == 0).then_some(i * 7 % 30_000)).collect();
    time("masked_lm_586x30000x384", repetitions, || masked_lm(&hidden, &labels, &embedding, None));
}
