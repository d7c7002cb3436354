//! Holm's correction of several p-values (Holm 1979).

/// Adjusted p-values in the order given: `max over j ≤ i of min(1, (m - j) · p_(j))` for the i-th smallest of m, from 0.
///
/// Rejecting where the adjusted p is below a level keeps the chance of any false rejection below it, whatever the
/// dependence between the tests.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut adjusted = vec![0.0; p.len()];
    let mut least = 0.0f64;
    for (smaller, at) in order.into_iter().enumerate() {
        least = least.max(((p.len() - smaller) as f64 * p[at]).min(1.0));
        adjusted[at] = least;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The largest Bonferroni p over all sets of hypotheses that hold this one: the closed test that Holm's is.
    fn closed(p: &[f64], at: usize) -> f64 {
        let sets = (1usize..1 << p.len()).filter(|set| set >> at & 1 == 1);
        let bonferroni = |set: usize| {
            let smallest = (0..p.len()).filter(|i| set >> i & 1 == 1).map(|i| p[i]).fold(f64::INFINITY, f64::min);
            (f64::from(set.count_ones()) * smallest).min(1.0)
        };
        sets.map(bonferroni).fold(0.0, f64::max)
    }

    proptest! {
        #[test]
        fn it_is_the_closed_test(p in prop::collection::vec((0u8..=40).prop_map(|i| f64::from(i) / 40.0), 0..8)) {
            let adjusted = holm(&p);
            for (at, adjusted) in adjusted.iter().enumerate() {
                prop_assert!((adjusted - closed(&p, at)).abs() < 1e-12);
            }
        }
    }
}
