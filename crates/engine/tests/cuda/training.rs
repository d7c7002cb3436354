//! Norms of gradients and updates.

use isogloss_engine::cuda::copies_down;
use isogloss_engine::optim::{AdamW, AdamWConfig, clip};
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
            norms.extend(clip(&parameters, &gradients, 0.0, &[], &[]).told.wait());
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

/// The parameter after one clipped update, and what was told.
fn clipped(mut parameter: Tensor, gradient: &[f32], limit: f64, loss: f32) -> (Tensor, Vec<f64>) {
    let mut gradients = Gradients::default();
    parameter.backward_from(Tensor::new(gradient.to_vec(), parameter.shape()), &mut gradients);
    let (mut loss, other) = (Tensor::scalar(loss), Tensor::scalar(f32::NAN));
    loss.set_device(parameter.device()).unwrap();
    let clipped = clip([&parameter], &gradients, limit, &[&loss], &[&other]);
    assert_eq!(clipped.told.is_here(), parameter.device() == Device::Cpu);
    AdamW::new(AdamWConfig::default()).step([("w".to_string(), &mut parameter)], &gradients, 1e-2, clipped.factor);
    (parameter, clipped.told.wait())
}

#[test]
#[ignore = "in a process of its own"]
fn an_update_is_clipped_without_waiting_and_left_out_where_loss_or_norm_is_not_finite() {
    let start = random(5, &[3]);
    let finite = [3.0, -4.0, 1e-9];
    for (gradient, limit, loss, updates) in [
        (finite, 1.0, 2.5, true),
        (finite, 100.0, 2.5, true),
        (finite, 0.0, -0.5, true),
        (finite, 1.0, f32::INFINITY, false),
        (finite, 1.0, f32::NAN, false),
        ([3.0, f32::NAN, 0.0], 1.0, 2.5, false),
        ([3.0, f32::INFINITY, 0.0], 0.0, 2.5, false),
    ] {
        let (expected, expected_told) = clipped(start.leaf(), &gradient, limit, loss);
        let before = copies_down().unwrap();
        let (got, told) = clipped(on_gpu(&start), &gradient, limit, loss);
        assert_eq!(copies_down().unwrap(), before, "nothing waited");
        close("updated", got.data(), expected.data(), 1e-6);
        assert_eq!(got.data() != start.data(), updates, "{gradient:?} {loss}");
        assert_eq!(told.len(), 3);
        let same = |(a, b): (&f64, &f64)| (a - b).abs() < 1e-6 || a.is_nan() && b.is_nan() || a == b;
        assert!(told.iter().zip(&expected_told).all(same), "{told:?} {expected_told:?}");
    }
}
