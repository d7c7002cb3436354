//! Memory of tensors: buffers return to a pool when dropped and are taken from it again, since a training step
//! asks for the same sizes over and over and fresh pages cost more than the arithmetic on them.

use std::collections::BTreeMap;
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

/// Free buffers by capacity. What is held, in use and free, stays below the most that was in use at once and an eighth:
/// a step whose largest moment has other sizes than its rest would else give pages back and ask for them again.
#[derive(Default)]
struct Pool {
    free: BTreeMap<usize, Vec<Vec<Line>>>,
    free_elements: usize,
    live_elements: usize,
    peak_elements: usize,
}

impl Pool {
    /// The smallest free buffer of `capacity` elements or up to a third more; `None` after making room for a fresh one.
    fn take(&mut self, capacity: usize) -> Option<Vec<Line>> {
        let fitting = self.free.range_mut(capacity..=capacity + capacity / 3).find(|(_, buffers)| !buffers.is_empty());
        let found = fitting.and_then(|(_, buffers)| buffers.pop());
        let taken = found.as_ref().map_or(capacity, |lines| lines.len() * LINE);
        if found.is_some() {
            self.free_elements -= taken;
        }
        self.live_elements += taken;
        self.peak_elements = self.peak_elements.max(self.live_elements);
        let limit = self.peak_elements + self.peak_elements / 8;
        while self.live_elements + self.free_elements > limit {
            let (largest, mut buffers) = self.free.pop_last().expect("what is not in use is free");
            if buffers.pop().is_some() {
                self.free_elements -= largest;
                self.free.insert(largest, buffers);
            }
        }
        found
    }

    fn put_back(&mut self, lines: Vec<Line>) {
        let capacity = lines.len() * LINE;
        self.live_elements -= capacity;
        self.free_elements += capacity;
        self.free.entry(capacity).or_default().push(lines);
    }
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
        let reused = pool().take(capacity);
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
        pool().put_back(std::mem::take(&mut self.lines));
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
    fn buffers_of_changing_sizes_are_reused_and_the_memory_held_is_bounded() {
        let mut pool = Pool::default();
        let mut fresh = 0;
        for _ in 0..3 {
            fresh = 0;
            // Many of one size at once, then one at a time of others, as in the backward half of a step.
            for (count, capacity) in [(16, 8192), (1, 12288), (1, 4096), (2, 7680)] {
                let taken: Vec<_> = (0..count).map(|_| pool.take(capacity)).collect();
                fresh += taken.iter().filter(|found| found.is_none()).count();
                for lines in taken {
                    pool.put_back(lines.unwrap_or_else(|| vec![ZERO; capacity / LINE]));
                }
                assert!(pool.live_elements + pool.free_elements <= pool.peak_elements + pool.peak_elements / 8);
            }
        }
        assert_eq!((fresh, pool.live_elements), (0, 0));
        pool.take(1 << 20);
        assert!(pool.free_elements <= (1 << 20) / 8, "a fresh buffer of another size takes the room of free ones");
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
