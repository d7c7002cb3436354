//! The rows of a store as an index sees them: some of them, cut to their first numbers, and of length 1 again where they were.

use crate::VectorStore;

/// Rows read at once.
const BLOCK: usize = 2048;

/// How a vector is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// Numbers that stay.
    pub(crate) dim: usize,
    /// Whether what stays is brought to length 1.
    pub(crate) renormalize: bool,
}

impl Cut {
    /// Cuts `vector`, replacing what is in `out`.
    pub(crate) fn apply(&self, vector: &[f32], out: &mut Vec<f32>) {
        out.clear();
        out.extend_from_slice(&vector[..self.dim]);
        let norm = out.iter().map(|x| x * x).sum::<f32>().sqrt();
        if self.renormalize && self.dim < vector.len() && norm > 0.0 {
            out.iter_mut().for_each(|x| *x /= norm);
        }
    }
}

/// Rows `start..end` of a store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Source<'a> {
    pub(crate) store: &'a VectorStore,
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) cut: Cut,
}

impl Source<'_> {
    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        self.end - self.start
    }

    /// Every row in order, block by block: the number of the first, counted from `start`, and the numbers of all.
    pub(crate) fn blocks(&self, mut see: impl FnMut(usize, &[f32])) {
        let (mut scratch, mut row, mut block) = (Vec::new(), Vec::new(), Vec::new());
        for from in (self.start..self.end).step_by(BLOCK) {
            let stored = self.store.rows_of(from, self.end.min(from + BLOCK), &mut scratch);
            block.clear();
            for vector in stored.chunks_exact(self.store.dim()) {
                self.cut.apply(vector, &mut row);
                block.extend_from_slice(&row);
            }
            see(from - self.start, &block);
        }
    }

    /// Every row in order.
    pub(crate) fn each(&self, mut see: impl FnMut(&[f32])) {
        self.blocks(|_, block| block.chunks_exact(self.cut.dim).for_each(&mut see));
    }

    /// One row, counted from `start`.
    pub(crate) fn row(&self, row: usize) -> Vec<f32> {
        let mut out = Vec::new();
        self.cut.apply(&self.store.row(self.start + row), &mut out);
        out
    }
}
