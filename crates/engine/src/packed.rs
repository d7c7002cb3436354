//! Sequences of a batch laid back to back.

use crate::cuda;
use crate::random::Key;

/// Token rows of several sequences without padding: sequence `s` is rows `offsets[s]..offsets[s + 1]`.
///
/// `rows[s]` numbers the sequence within the whole batch: dropout is keyed by it, so that a sequence gets the
/// same mask whether it is encoded with the whole batch or in a chunk of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Packed {
    offsets: Vec<usize>,
    rows: Vec<u64>,
    on_gpu: cuda::OnGpu,
}

impl Packed {
    /// Sequences of the given lengths, numbered from `first_row`.
    pub fn new(lengths: impl IntoIterator<Item = usize>, first_row: u64) -> Packed {
        let mut offsets = vec![0];
        for length in lengths {
            offsets.push(offsets[offsets.len() - 1] + length);
        }
        let rows = (0..offsets.len() as u64 - 1).map(|i| first_row + i).collect();
        Packed { offsets, rows, on_gpu: cuda::OnGpu::default() }
    }

    /// The same sequences under other batch row numbers, one per sequence.
    ///
    /// # Panics
    /// If there are not as many numbers as sequences.
    pub fn with_rows(self, rows: Vec<u64>) -> Packed {
        assert_eq!(rows.len(), self.len(), "one row number per sequence");
        Packed { rows, offsets: self.offsets, on_gpu: cuda::OnGpu::default() }
    }

    /// Number of sequences.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is no sequence.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Number of tokens in all sequences.
    pub fn tokens(&self) -> usize {
        self.offsets[self.len()]
    }

    /// Token rows of sequence `s`.
    pub fn range(&self, s: usize) -> std::ops::Range<usize> {
        self.offsets[s]..self.offsets[s + 1]
    }

    /// Number of every sequence within the whole batch.
    pub(crate) fn rows(&self) -> &[u64] {
        &self.rows
    }

    /// The same numbers on a GPU.
    pub(crate) fn on_gpu(&self, gpu: &'static cuda::Gpu) -> &cuda::Layout {
        self.on_gpu.of(self, gpu)
    }

    /// The key of sequence `s` under a batch key.
    pub(crate) fn key(&self, key: Key, s: usize) -> Key {
        key.derive(self.rows[s])
    }

    /// Tokens before each sequence, and all tokens: `len() + 1` numbers.
    pub fn offsets(&self) -> &[usize] {
        &self.offsets
    }
}
