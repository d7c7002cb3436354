//! Splitting an operation over the cores. The split never changes a result: every output element is computed
//! whole by one task.

use std::cell::Cell;

use rayon::prelude::*;

thread_local! {
    static SEQUENTIAL: Cell<bool> = const { Cell::new(false) };
}

/// Runs `f` with every operation started on this thread kept on this thread: for callers that
/// split their work over the cores themselves.
pub fn sequential<T>(f: impl FnOnce() -> T) -> T {
    let before = SEQUENTIAL.replace(true);
    let result = f();
    SEQUENTIAL.set(before);
    result
}

/// Runs tasks `0..n`, over all cores unless inside [`sequential`].
pub(crate) fn for_each(n: usize, f: impl Fn(usize) + Send + Sync) {
    if n <= 1 || SEQUENTIAL.get() {
        (0..n).for_each(f);
    } else {
        (0..n).into_par_iter().with_max_len(1).for_each(f);
    }
}

/// Runs `f(start, end)` over `0..n` in blocks of at most `block`.
pub(crate) fn blocks(n: usize, block: usize, f: impl Fn(usize, usize) + Send + Sync) {
    for_each(n.div_ceil(block), |i| f(i * block, ((i + 1) * block).min(n)));
}

/// A pointer that tasks writing to disjoint places may share.
#[derive(Clone, Copy)]
pub(crate) struct Shared(*mut f32);

// SAFETY: users write through disjoint ranges only; each use says why its ranges are disjoint.
unsafe impl Send for Shared {}
// SAFETY: as above.
unsafe impl Sync for Shared {}

impl Shared {
    pub(crate) fn new(data: &mut [f32]) -> Shared {
        Shared(data.as_mut_ptr())
    }

    /// Pointer to element `i`.
    ///
    /// # Safety
    /// `i` lies within the slice, and no other task touches what is written through the result.
    pub(crate) unsafe fn at(self, i: usize) -> *mut f32 {
        // SAFETY: the caller's contract.
        unsafe { self.0.add(i) }
    }
}
