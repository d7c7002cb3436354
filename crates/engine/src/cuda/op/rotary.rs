//! Rotation of queries and keys.

use super::launch;
use crate::cuda::{Geometry, Gpu, stored};
use crate::packed::Packed;
use crate::storage::Storage;
use crate::tensor::Tensor;

/// Queries and keys of `x: [tokens, 3·hidden]` rotated by the angles of their positions (sine and cosine, `[positions, width / 2]`), or back.
pub(crate) fn rotate(
    gpu: &'static Gpu,
    x: &Tensor,
    packed: &Packed,
    heads: usize,
    angles: &[(f32, f32)],
    back: bool,
) -> Storage {
    let (tokens, three) = x.matrix();
    let ((from, narrow), layout) = (stored(gpu, x), packed.on_gpu(gpu));
    let out = gpu.elements(x.elements(), narrow);
    let flat: Vec<f32> = angles.iter().flat_map(|(sine, cosine)| [*sine, *cosine]).collect();
    let angles = gpu.upload(&flat);
    // SAFETY: both matrices are [tokens, 3·hidden]; there are angles for every position of the layout.
    unsafe {
        launch!(
            gpu,
            pool::rotary,
            Geometry::warps(tokens),
            &out,
            &from,
            narrow,
            &angles,
            &layout.offsets,
            &layout.sequence,
            tokens,
            three / 3,
            heads,
            back,
        )
    }
    Storage::on_gpu(out, narrow)
}
