//! Sums of squares and updates over all tensors at once.

use super::launch;
use crate::cuda::{Geometry, Gpu, Plain, demand, operand};
use crate::device::Device;
use crate::optim::Moments;
use crate::tensor::Tensor;

/// Elements that one block updates.
const BLOCK: usize = 1 << 16;

/// What one block works on, as `optimizer.cu` reads it.
#[derive(Clone, Copy)]
#[repr(C)]
struct Chunk {
    weight: u64,
    first: u64,
    second: u64,
    gradient: u64,
    elements: i64,
    decay: f32,
    unused: f32,
}

// SAFETY: numbers that leave no room between them; the last one is there for that.
unsafe impl Plain for Chunk {}

/// The chunks of `n` elements at the given addresses (0: none).
fn chunks(n: usize, [weight, first, second, gradient]: [u64; 4], decay: f32) -> impl Iterator<Item = Chunk> {
    (0..n).step_by(BLOCK).map(move |start| {
        let at = |address: u64| if address == 0 { 0 } else { address + (start * size_of::<f32>()) as u64 };
        Chunk {
            weight: at(weight),
            first: at(first),
            second: at(second),
            gradient: at(gradient),
            elements: BLOCK.min(n - start) as i64,
            decay,
            unused: 0.0,
        }
    })
}

/// `Σ x²` over all elements of all tensors, summed in double precision; waits for the result.
pub(crate) fn square_sum(gpu: &'static Gpu, tensors: &[&Tensor]) -> f64 {
    let held: Vec<_> = tensors.iter().map(|t| operand(gpu, t)).collect();
    let all: Vec<Chunk> =
        tensors.iter().zip(&held).flat_map(|(t, at)| chunks(t.elements(), [0, 0, 0, at.address()], 0.0)).collect();
    let (partial, sum, list) = (gpu.scratch::<f64>(all.len()), gpu.scratch::<f64>(1), gpu.upload(&all));
    // SAFETY: chunks lie in tensors that are held; there is a sum for each.
    unsafe {
        launch!(gpu, optimizer::sum_squares, Geometry::blocks(all.len()), &partial, &list, all.len());
        launch!(gpu, reduce::total_double, Geometry::blocks(1), &sum, &partial, all.len());
    }
    let mut result = [0f64];
    gpu.download(&sum, &mut result);
    result[0]
}

/// One parameter on a GPU and what it is updated by.
pub(crate) struct Update<'a> {
    pub weight: &'a mut Tensor,
    pub moments: &'a mut Moments,
    pub gradient: Tensor,
    /// Weight decay times learning rate.
    pub decay: f32,
}

impl Update<'_> {
    /// Where weight and moments begin, to be changed; moments come to the GPU if they are not there.
    fn addresses(&mut self) -> [u64; 3] {
        for moment in [&mut self.moments.first, &mut self.moments.second] {
            demand(moment.set_device(Device::Cuda));
        }
        let tensors = [&mut *self.weight, &mut self.moments.first, &mut self.moments.second];
        tensors.map(|t| t.memory_mut().expect("the optimiser is the only user of a parameter").address())
    }
}

/// AdamW on all parameters, by the numbers `[factor, rate, beta1, beta2, eps, correction of the first, of the second moment]`.
pub(crate) fn adamw(updates: &mut [Update], numbers: [f32; 7]) {
    let Some(gpu) = updates.first().and_then(|update| crate::cuda::of(&[&*update.weight])) else { return };
    let addresses: Vec<[u64; 3]> = updates.iter_mut().map(Update::addresses).collect();
    let held: Vec<_> = updates.iter().map(|update| operand(gpu, &update.gradient)).collect();
    let parts = updates.iter().zip(addresses).zip(&held);
    let all: Vec<Chunk> = parts
        .flat_map(|((update, [weight, first, second]), gradient)| {
            chunks(update.weight.elements(), [weight, first, second, gradient.address()], update.decay)
        })
        .collect();
    let [factor, rate, beta1, beta2, eps, c1, c2] = numbers;
    let (list, blocks) = (gpu.upload(&all), Geometry::blocks(all.len()));
    // SAFETY: chunks lie in tensors that are held, and no two overlap.
    unsafe { launch!(gpu, optimizer::adamw, blocks, &list, all.len(), factor, rate, beta1, beta2, eps, c1, c2) }
}
