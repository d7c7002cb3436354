//! What a GPU encodes of a batch that several of them share.

use std::ops::Range;

use isogloss_model::TokenIds;

use crate::step::{StepOptions, chunks};

/// The rows of a batch that a GPU encodes.
pub(crate) struct Share {
    /// The rows, in chunks that are encoded at once.
    pub chunks: Vec<Range<usize>>,
    /// What their gradient is multiplied by: 0 for a GPU that is left without a row that counts, else 1. It encodes one of another's rows, so
    /// that its walk back reaches the weights that theirs reach: a weight either has a gradient everywhere or nowhere.
    pub weight: f32,
}

impl Share {
    /// The share of the GPU of `options`; `counts` says of which rows there is a loss.
    pub(crate) fn of(sequences: &[TokenIds], options: &StepOptions, counts: impl Fn(usize) -> bool) -> Share {
        let rows = rows_by_rank(sequences, options.world.size())[options.world.rank()].clone();
        if options.world.size() == 1 || rows.clone().any(&counts) {
            let chunks = chunks(&sequences[rows.clone()], options.chunk_tokens).into_iter();
            return Share { chunks: chunks.map(|c| rows.start + c.start..rows.start + c.end).collect(), weight: 1.0 };
        }
        let any = (0..sequences.len()).find(|row| counts(*row));
        Share { chunks: any.map(|row| row..row + 1).into_iter().collect(), weight: 0.0 }
    }
}

/// The rows of every GPU, in order: as many tokens each as whole rows allow. A GPU may be left without.
pub(crate) fn rows_by_rank(sequences: &[TokenIds], gpus: usize) -> Vec<Range<usize>> {
    let all: usize = sequences.iter().map(|sequence| sequence.ids.len()).sum();
    let (mut shares, mut before) = (vec![0; gpus], 0);
    for sequence in sequences {
        let middle = 2 * before + sequence.ids.len();
        shares[(middle * gpus / (2 * all).max(1)).min(gpus - 1)] += 1;
        before += sequence.ids.len();
    }
    let mut start = 0;
    let range = |rows: usize| {
        start += rows;
        start - rows..start
    };
    shares.into_iter().map(range).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(lengths: &[usize], gpus: usize) -> Vec<Range<usize>> {
        let sequence = |n: &usize| TokenIds { ids: vec![7; *n], ..TokenIds::default() };
        rows_by_rank(&lengths.iter().map(sequence).collect::<Vec<_>>(), gpus)
    }

    #[test]
    fn rows_are_shared_by_their_tokens() {
        assert_eq!(shares(&[4, 4, 4, 4], 2), [0..2, 2..4]);
        assert_eq!(shares(&[2, 2, 2, 2, 8, 8, 8], 2), [0..5, 5..7]);
        assert_eq!(shares(&[3, 1, 9], 1)[0], 0..3);
    }

    #[test]
    fn every_row_has_one_gpu_and_a_gpu_may_have_none() {
        assert_eq!(shares(&[5], 3), [0..0, 0..1, 1..1]);
        assert_eq!(shares(&[1, 100, 1], 3), [0..1, 1..2, 2..3]);
        assert_eq!(shares(&[0, 0], 2), [0..2, 2..2]);
        assert_eq!(shares(&[], 2), [0..0, 0..0]);
        for gpus in 1..6 {
            let shares = shares(&[3, 1, 4, 1, 5, 9, 2, 6], gpus);
            assert_eq!((shares[0].start, shares[gpus - 1].end), (0, 8));
            assert!(shares.windows(2).all(|pair| pair[0].end == pair[1].start), "{shares:?}");
        }
    }
}
