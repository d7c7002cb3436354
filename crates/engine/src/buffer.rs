//! Memory of tensors: buffers return to a pool when dropped and are taken from it again, since a training step
//! asks for the same sizes over and over and fresh pages cost more than the arithmetic on them.

use std::collections::HashMap;
use std::ops::{Deref, DerefMut};
use std::sync::{LazyLock, Mutex};

/// Buffers below this many elements go to the allocator directly.
const POOLED_FROM: usize = 4096;

/// f32 elements of a cache line.
const LINE: usize = 16;

/// A cache line: buffers consist of whole ones, so that no aligned vector load touches two.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Line([f32; LINE]);

const ZERO: Line = Line([0.0; LINE]);

#[derive(Default)]
struct Pool {
    free: HashMap<usize, Vec<Vec<Line>>>,
    free_elements: usize,
    live_elements: usize,
    peak_elements: usize,
}

static POOL: LazyLock<Mutex<Pool>> = LazyLock::new(Mutex::default);

/// Elements given to a request of `n`: an eighth at most above it, so that similar requests share buffers.
fn capacity_for(n: usize) -> usize {
    let step = (n.next_power_of_two() / 16).max(LINE);
    n.div_ceil(step) * step
}

fn pool() -> std::sync::MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// f32 elements owned by a tensor, aligned to a cache line.
#[derive(Debug)]
pub struct Buffer {
    lines: Vec<Line>,
    len: usize,
}

impl Buffer {
    /// `n` elements of any value: to be overwritten.
    pub fn scratch(n: usize) -> Buffer {
        if n < POOLED_FROM {
            return Buffer { lines: vec![ZERO; n.div_ceil(LINE)], len: n };
        }
        let capacity = capacity_for(n);
        let reused = {
            let mut pool = pool();
            pool.live_elements += capacity;
            pool.peak_elements = pool.peak_elements.max(pool.live_elements);
            let found = pool.free.get_mut(&capacity).and_then(Vec::pop);
            if found.is_some() {
                pool.free_elements -= capacity;
            }
            found
        };
        Buffer { lines: reused.unwrap_or_else(|| vec![ZERO; capacity / LINE]), len: n }
    }

    /// `n` zeros.
    pub fn zeros(n: usize) -> Buffer {
        let mut buffer = Buffer::scratch(n);
        buffer.fill(0.0);
        buffer
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.len < POOLED_FROM {
            return;
        }
        let capacity = self.lines.len() * LINE;
        let mut pool = pool();
        pool.live_elements -= capacity;
        // Held memory never exceeds the most that was in use at once.
        if pool.live_elements + pool.free_elements + capacity <= pool.peak_elements {
            pool.free_elements += capacity;
            pool.free.entry(capacity).or_default().push(std::mem::take(&mut self.lines));
        }
    }
}

impl From<Vec<f32>> for Buffer {
    fn from(data: Vec<f32>) -> Buffer {
        let mut buffer = Buffer::scratch(data.len());
        buffer.copy_from_slice(&data);
        buffer
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        // SAFETY: the lines are contiguous, initialised f32 values, at least `len` of them.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        // SAFETY: as above, and borrowed exclusively.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_capacity_holds_its_request_and_wastes_little() {
        for n in (POOLED_FROM..200_000).step_by(977) {
            let capacity = capacity_for(n);
            assert!(capacity >= n && capacity <= n + n / 8 + 1, "{n} {capacity}");
            assert_eq!(capacity_for(capacity), capacity);
        }
    }

    #[test]
    fn zeros_are_zero_after_reuse() {
        for _ in 0..3 {
            let mut buffer = Buffer::zeros(10_000);
            assert!(buffer.iter().all(|x| *x == 0.0));
            buffer.fill(7.0);
        }
    }
}
