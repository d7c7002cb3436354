//! Best GFLOP/s of `op::linear` forward and backward over the shapes of MiniLM-L12 and XLM-R base.

use std::time::Instant;

use isogloss_engine::op::{self, Activation};
use isogloss_engine::{Gradients, Key, Tensor, no_grad};

fn tensor(seed: u64, shape: [usize; 2]) -> Tensor {
    let n = (shape[0] * shape[1]) as u64;
    Tensor::parameter((0..n).map(|i| Key::new(seed).uniform(i) - 0.5).collect::<Vec<f32>>(), &shape)
}

fn best(repetitions: usize, mut f: impl FnMut()) -> f64 {
    let seconds = (0..repetitions).map(|_| {
        let start = Instant::now();
        f();
        start.elapsed().as_secs_f64()
    });
    seconds.fold(f64::INFINITY, f64::min)
}

fn main() {
    for (t, k, n) in
        [(512, 384, 1152), (512, 384, 1536), (512, 1536, 384), (4096, 384, 1536), (4096, 1536, 384), (1024, 768, 3072)]
    {
        let (x, w, dy) = (tensor(1, [t, k]), tensor(2, [n, k]), tensor(3, [t, n]).detach());
        let flop = 2e-9 * (t * k * n) as f64;
        let forward = best(7, || drop(no_grad(|| op::linear(&x, &w, None, Activation::Identity))));
        let backward = best(5, || {
            let y = op::linear(&x, &w, None, Activation::Identity);
            y.backward_from(dy.clone(), &mut Gradients::default());
        });
        println!(
            "{t}x{k}x{n}: forward {:.0} GFLOP/s, forward and backward {:.0} GFLOP/s",
            flop / forward,
            3.0 * flop / backward
        );
    }
}
