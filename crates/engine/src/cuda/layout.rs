//! Where the sequences of a batch lie, as kernels read it.

use std::sync::{Arc, OnceLock};

use super::driver::Gpu;
use super::memory::Memory;
use crate::packed::Packed;

/// The numbers of a [`Packed`] on the GPU.
pub(crate) struct Layout {
    /// `Packed::offsets`, i32.
    pub offsets: Memory,
    /// Sequence of every token, i32.
    pub sequence: Memory,
    /// Batch row of every sequence, u64.
    pub rows: Memory,
}

/// A layout, made at its first use and shared by all clones of a [`Packed`]. It is no part of what a batch is: all are equal.
#[derive(Clone, Default)]
pub(crate) struct OnGpu(Arc<OnceLock<Layout>>);

impl OnGpu {
    pub(crate) fn of(&self, packed: &Packed, gpu: &'static Gpu) -> &Layout {
        self.0.get_or_init(|| {
            let number = |n: usize| i32::try_from(n).expect("fewer than 2³¹ tokens");
            let offsets: Vec<i32> = packed.offsets().iter().map(|n| number(*n)).collect();
            let sequence: Vec<i32> =
                (0..packed.len()).flat_map(|s| std::iter::repeat_n(number(s), packed.range(s).len())).collect();
            Layout { offsets: gpu.upload(&offsets), sequence: gpu.upload(&sequence), rows: gpu.upload(packed.rows()) }
        })
    }
}

impl PartialEq for OnGpu {
    fn eq(&self, _: &OnGpu) -> bool {
        true
    }
}

impl std::fmt::Debug for OnGpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.get().is_some() { "OnGpu" } else { "not on a GPU" })
    }
}
