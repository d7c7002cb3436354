//! Least processor time of `op::linear` on one core, forward in every precision and forward with backward in those that have a gradient, over the
//! shapes of MiniLM-L12 and XLM-R base, as GFLOP/s.
//!
//! Time is the thread's own, so that work beside it counts little.

use isogloss_engine::op::{self, Activation};
use isogloss_engine::{Gradients, Key, Precision, Tensor, no_grad, sequential};

fn tensor(seed: u64, shape: [usize; 2]) -> Tensor {
    let n = (shape[0] * shape[1]) as u64;
    Tensor::parameter((0..n).map(|i| Key::new(seed).uniform(i) - 0.5).collect::<Vec<f32>>(), &shape)
}

/// Seconds that this process has computed, all threads together.
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/schedstat").expect("Linux");
    stat.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).expect("nanoseconds") * 1e-9
}

/// Seconds of a call, the least of five samples. Linux counts a thread's time by ticks: a sample lasts many.
fn best(gflop: f64, mut f: impl FnMut()) -> f64 {
    let calls = (20.0 / gflop).ceil() as usize;
    let seconds = (0..5).map(|_| {
        let start = processor_seconds();
        (0..calls).for_each(|_| f());
        (processor_seconds() - start) / calls as f64
    });
    seconds.fold(f64::INFINITY, f64::min)
}

fn main() {
    for (t, k, n) in [
        (512, 384, 384),
        (512, 384, 1152),
        (512, 384, 1536),
        (512, 1536, 384),
        (4096, 384, 1536),
        (4096, 1536, 384),
        (512, 768, 768),
        (512, 768, 3072),
        (512, 3072, 768),
    ] {
        let (x, dy) = (tensor(1, [t, k]), tensor(3, [t, n]).detach());
        let flop = 2e-9 * (t * k * n) as f64;
        print!("{t:5} x {k:4} x {n:4}");
        for precision in Precision::ALL {
            let mut w = tensor(2, [n, k]);
            w.set_precision(precision);
            let linear = || op::linear(&x, &w, None, Activation::Identity);
            let forward = sequential(|| best(flop, || drop(no_grad(linear))));
            print!("   {precision} {:4.0}", flop / forward);
            if precision != Precision::Int8 {
                let walk = || linear().backward_from(dy.clone(), &mut Gradients::default());
                print!(" ({:3.0})", 3.0 * flop / sequential(|| best(3.0 * flop, walk)));
            }
        }
        println!();
    }
}
