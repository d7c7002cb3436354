//! A piece of the GPU's memory.

use super::driver::Gpu;
use super::error::CudaError;

/// Types without padding whose every bit pattern is a value on both sides.
///
/// # Safety
/// Only for such types.
pub(crate) unsafe trait Plain: Copy {}

// SAFETY: numbers.
unsafe impl Plain for f32 {}
// SAFETY: numbers.
unsafe impl Plain for f64 {}
// SAFETY: numbers.
unsafe impl Plain for i32 {}
// SAFETY: numbers.
unsafe impl Plain for u8 {}
// SAFETY: numbers.
unsafe impl Plain for u16 {}
// SAFETY: numbers.
unsafe impl Plain for u32 {}
// SAFETY: numbers.
unsafe impl Plain for u64 {}

/// Memory on the GPU; given back to the arena when dropped.
pub(crate) struct Memory {
    gpu: &'static Gpu,
    address: u64,
    bytes: usize,
}

impl Memory {
    /// `bytes` bytes of any content.
    pub(super) fn take(gpu: &'static Gpu, bytes: usize) -> Result<Memory, CudaError> {
        let address = if bytes == 0 { 0 } else { gpu.arena.take(bytes)? };
        Ok(Memory { gpu, address, bytes })
    }

    /// Where it begins; 0 if it is empty.
    pub(crate) fn address(&self) -> u64 {
        self.address
    }

    /// Its size.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The GPU that it is on.
    pub(crate) fn gpu(&self) -> &'static Gpu {
        self.gpu.current();
        self.gpu
    }

    /// Another piece with the same content.
    pub(crate) fn duplicate(&self) -> Memory {
        let other = self.gpu.scratch::<u8>(self.bytes);
        self.gpu.copy(self, 0, &other, 0, self.bytes);
        other
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.gpu.arena.put_back(self.address);
        }
    }
}
