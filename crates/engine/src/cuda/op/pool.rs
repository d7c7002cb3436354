//! Means of token vectors.

use std::ops::Range;

use super::launch;
use crate::cuda::{Geometry, Gpu, Memory, operand};
use crate::packed::Packed;
use crate::tensor::{Backward, Tensor};

/// First rows and ends of ranges, as kernels read them.
fn bounds(gpu: &'static Gpu, ranges: &[Range<usize>]) -> [Memory; 2] {
    let starts: Vec<i32> = ranges.iter().map(|range| range.start as i32).collect();
    let ends: Vec<i32> = ranges.iter().map(|range| range.end as i32).collect();
    [gpu.upload(&starts), gpu.upload(&ends)]
}

/// The mean of each range of rows of `x: [_, h]`; zeros of an empty one.
pub(super) fn means(gpu: &'static Gpu, x: &Memory, ranges: &[Range<usize>], h: usize) -> Memory {
    let out = gpu.scratch::<f32>(ranges.len() * h);
    let [starts, ends] = bounds(gpu, ranges);
    // SAFETY: the ranges lie in x; the result is [ranges, h].
    unsafe { launch!(gpu, pool::pool, Geometry::blocks(ranges.len()), &out, x, &starts, &ends, ranges.len(), h) }
    out
}

struct Pool {
    gpu: &'static Gpu,
    packed: Packed,
    ranges: Vec<Range<usize>>,
}

impl Backward for Pool {
    fn backward(&self, inputs: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        let gpu = self.gpu;
        let (tokens, h) = inputs[0].matrix();
        let (dx, dy, [starts, ends]) = (gpu.scratch::<f32>(tokens * h), operand(gpu, grad), bounds(gpu, &self.ranges));
        let sequence = &self.packed.on_gpu(gpu).sequence;
        // SAFETY: the result is [tokens, h], the gradient [sequences, h]; every token has its sequence.
        unsafe {
            launch!(gpu, pool::pool_backward, Geometry::warps(tokens), &dx, &dy, &starts, &ends, sequence, tokens, h)
        }
        vec![Some(Tensor::constant(dx, inputs[0].shape()))]
    }
}

/// The mean of the given token rows of each sequence.
pub(crate) fn pool(gpu: &'static Gpu, x: &Tensor, packed: &Packed, ranges: Vec<Range<usize>>) -> Tensor {
    let (_, h) = x.matrix();
    let out = means(gpu, &operand(gpu, x), &ranges, h);
    Tensor::result(out, &[packed.len(), h], &[x], Pool { gpu, packed: packed.clone(), ranges })
}
