//! Memory that was given back and waits to be taken again: a training step asks for the same sizes over and over, and asking the driver
//! makes it wait for the GPU.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use cudarc::driver::result as cu;

use super::error::{CudaError, Purpose};

/// Smallest piece; every piece begins at a multiple of it.
const SMALLEST: usize = 512;

/// Free pieces by size.
#[derive(Default)]
struct Free {
    pieces: BTreeMap<usize, Vec<u64>>,
    /// Bytes in use.
    held: usize,
    /// Sizes of pieces in use, where they are larger than was asked for.
    sizes: BTreeMap<u64, usize>,
}

/// The GPU's memory as far as the process has taken it.
#[derive(Default)]
pub(super) struct Arena(Mutex<Free>);

/// Bytes given to a request: an eighth at most above it, so that similar requests share pieces.
fn size_for(bytes: usize) -> usize {
    let step = (bytes.next_power_of_two() / 16).max(SMALLEST);
    bytes.div_ceil(step) * step
}

impl Arena {
    fn free(&self) -> MutexGuard<'_, Free> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The beginning of at least `bytes` bytes: the smallest free piece up to a third too large, else fresh ones; free pieces are given
    /// back to the driver where it has none left.
    pub(super) fn take(&self, bytes: usize) -> Result<u64, CudaError> {
        let size = size_for(bytes);
        let mut free = self.free();
        let found = free.pieces.range_mut(size..=size + size / 3).find(|(_, addresses)| !addresses.is_empty());
        if let Some((size, address)) = found.and_then(|(size, addresses)| Some((*size, addresses.pop()?))) {
            free.held += size;
            free.sizes.insert(address, size);
            return Ok(address);
        }
        // SAFETY: the size is not 0.
        let fresh = unsafe { cu::malloc_sync(size) }.or_else(|_| {
            free.release()?;
            // SAFETY: as above.
            unsafe { cu::malloc_sync(size) }.map_err(|_| CudaError::Full { asked: size, held: free.held })
        })?;
        free.held += size;
        free.sizes.insert(fresh, size);
        Ok(fresh)
    }

    /// Takes back what [`Arena::take`] gave.
    pub(super) fn put_back(&self, address: u64) {
        let mut free = self.free();
        let size = free.sizes.remove(&address).expect("a piece in use");
        free.held -= size;
        free.pieces.entry(size).or_default().push(address);
    }
}

impl Free {
    /// Gives all free pieces back to the driver, which waits for the GPU first.
    fn release(&mut self) -> Result<(), CudaError> {
        for address in std::mem::take(&mut self.pieces).into_values().flatten() {
            // SAFETY: the piece came from the driver and nobody holds it.
            unsafe { cu::free_sync(address) }.while_("give memory back")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_holds_its_request_and_wastes_little() {
        for bytes in (1..3_000_000).step_by(7919) {
            let size = size_for(bytes);
            assert!(size >= bytes && size <= (bytes + bytes / 8).max(SMALLEST), "{bytes} {size}");
            assert_eq!((size_for(size), size % SMALLEST), (size, 0));
        }
    }
}
