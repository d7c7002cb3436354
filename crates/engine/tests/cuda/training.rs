//! Norms of gradients and updates.

use isogloss_engine::optim::{AdamW, AdamWConfig, global_norm};
use isogloss_engine::{Device, Gradients, Tensor};

use super::{close, on_gpu, random};

#[test]
#[ignore = "in a process of its own"]
fn updates_and_norms() {
    let shapes: [&[usize]; 5] = [&[3], &[70_000], &[257, 300], &[0], &[1]];
    let names = ["a.bias", "b.weight", "c.weight", "d.weight", "norm.weight"];
    let here: Vec<Tensor> = shapes.iter().zip(1..).map(|(shape, seed)| random(seed, shape)).collect();
    let there: Vec<Tensor> = here.iter().map(on_gpu).collect();
    let run = |mut parameters: Vec<Tensor>| {
        let mut optimizer = AdamW::new(AdamWConfig::default());
        let mut norms = Vec::new();
        for step in 0..3 {
            let mut gradients = Gradients::default();
            for (i, parameter) in parameters.iter().enumerate() {
                parameter.backward_from(random(100 * step + i as u64, parameter.shape()).detach(), &mut gradients);
            }
            norms.push(global_norm(&parameters, &gradients));
            let named = names.iter().map(|name| name.to_string()).zip(&mut parameters);
            optimizer.step(named, &gradients, 1e-2, 0.5);
        }
        (parameters, norms)
    };
    let ((expected, expected_norms), (got, norms)) = (run(here), run(there));
    for (got, expected) in norms.iter().zip(&expected_norms) {
        assert!((got - expected).abs() < 1e-5 * expected, "{got} {expected}");
    }
    for ((name, got), expected) in names.iter().zip(&got).zip(&expected) {
        assert_eq!(got.device(), Device::Cuda);
        close(name, got.data(), expected.data(), 1e-6);
    }
}
