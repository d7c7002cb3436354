//! A node and its score, as one number that orders them.

/// Orders as its score does; of equal scores, the lower node is the greater candidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Candidate(u64);

impl Candidate {
    #[inline(always)]
    pub(crate) fn new(score: f32, node: u32) -> Self {
        let bits = score.to_bits();
        let ordered = if bits >> 31 == 1 { !bits } else { bits | 1 << 31 };
        Self(u64::from(ordered) << 32 | u64::from(!node))
    }

    #[inline(always)]
    pub(crate) fn node(self) -> u32 {
        !(self.0 as u32)
    }

    #[inline(always)]
    pub(crate) fn score(self) -> f32 {
        let ordered = (self.0 >> 32) as u32;
        f32::from_bits(if ordered >> 31 == 1 { ordered & !(1 << 31) } else { !ordered })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_that_of_scores_then_of_lower_nodes() {
        let scores = [f32::NEG_INFINITY, -3.0, -1e-30, 0.0, 1e-30, 0.5, 2.0, f32::INFINITY];
        for (i, &low) in scores.iter().enumerate() {
            assert!(Candidate::new(low, 3) > Candidate::new(low, 4));
            assert_eq!((Candidate::new(low, 7).score(), Candidate::new(low, 7).node()), (low, 7));
            for &high in &scores[i + 1..] {
                assert!(Candidate::new(low, 0) < Candidate::new(high, u32::MAX - 1), "{low} {high}");
            }
        }
    }
}
