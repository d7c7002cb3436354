//! The gradient's norm, clipping and updates, over all tensors at once.

use super::launch;
use crate::cuda::{Geometry, Gpu, Landing, Memory, Operand, Plain, demand, operand};
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

/// What a step is clipped by.
pub(crate) struct Clip<'a> {
    /// Gradients, of which the norm is taken.
    pub gradients: &'a [&'a Tensor],
    /// Sum of squares of the gradients that are elsewhere.
    pub elsewhere: f64,
    /// Most that the norm may be; 0 for any.
    pub limit: f64,
    /// Scalars to be told; the first ones are losses.
    pub scalars: &'a [&'a Tensor],
    /// How many are losses: one that is not finite stops the update.
    pub losses: usize,
}

/// What gradients are to be multiplied by (one f32, negative where nothing may be updated), and the scalars with the norm behind them, on their way to
/// main memory.
pub(crate) fn clip(gpu: &'static Gpu, clip: &Clip) -> (Memory, Landing) {
    let held: Vec<_> = clip.gradients.iter().map(|t| operand(gpu, t)).collect();
    let parts = clip.gradients.iter().zip(&held);
    let all: Vec<Chunk> = parts.flat_map(|(t, at)| chunks(t.elements(), [0, 0, 0, at.address()], 0.0)).collect();
    let (partial, list) = (gpu.scratch::<f64>(all.len()), gpu.upload(&all));
    let scalars: Vec<_> = clip.scalars.iter().map(|t| operand(gpu, t)).collect();
    let addresses: Vec<u64> = scalars.iter().map(|scalar| scalar.address()).collect();
    let (factor, told) = (gpu.scratch::<f32>(1), gpu.scratch::<f64>(scalars.len() + 1));
    // SAFETY: chunks lie in tensors that are held; there is a sum for each, a place for every scalar and one for the norm.
    unsafe {
        launch!(gpu, optimizer::sum_squares, Geometry::blocks(all.len()), &partial, &list, all.len());
        launch!(
            gpu,
            optimizer::clip_factor,
            Geometry::blocks(1),
            &factor,
            &told,
            &gpu.upload(&addresses),
            scalars.len(),
            clip.losses,
            &partial,
            all.len(),
            clip.elsewhere,
            clip.limit,
        )
    }
    (factor, Landing::of(&told))
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

/// AdamW on all parameters, by the numbers `[rate, beta1, beta2, eps, correction of the first, of the second moment]`. Gradients are multiplied by
/// `factor`, one f32; a negative one updates nothing.
pub(crate) fn adamw(gpu: &'static Gpu, updates: &mut [Update], factor: &Operand, numbers: [f32; 6]) {
    let addresses: Vec<[u64; 3]> = updates.iter_mut().map(Update::addresses).collect();
    let held: Vec<_> = updates.iter().map(|update| operand(gpu, &update.gradient)).collect();
    let parts = updates.iter().zip(addresses).zip(&held);
    let all: Vec<Chunk> = parts
        .flat_map(|((update, [weight, first, second]), gradient)| {
            chunks(update.weight.elements(), [weight, first, second, gradient.address()], update.decay)
        })
        .collect();
    let [rate, beta1, beta2, eps, c1, c2] = numbers;
    let (list, blocks) = (gpu.upload(&all), Geometry::blocks(all.len()));
    // SAFETY: chunks lie in tensors that are held, and no two overlap.
    unsafe { launch!(gpu, optimizer::adamw, blocks, &list, all.len(), factor, rate, beta1, beta2, eps, c1, c2) }
}
