//! The paired randomisation test (Fisher 1935; for retrieval: Smucker, Allan and Carterette 2007).

use super::Resampling;
use crate::random::SplitMix;
use serde::Serialize;

/// What [`randomisation_test`] finds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Randomisation {
    /// The share of sign patterns whose sum is at least as far from 0 as the observed one; 1 where nothing differs.
    pub p: f64,
    /// Whether all patterns were counted; else they were drawn and p includes the observed one: (1 + count) / (1 + draws).
    pub exact: bool,
    /// The least p that so few differing pairs can have: 2^(1 - n) for n of them, 1 for none.
    pub least_p: f64,
}

/// A sum counts as at least as large when it is so up to this share of the sum of all |differences|: sums that are
/// equal but for the order of adding must count as equal.
const ROUNDING: f64 = 1e-12;

/// Flips the signs of `differences`: were both systems alike, each sign would be a coin's toss.
///
/// Differences of 0 change nothing and are left out. With n others all 2^n patterns are counted where 2^n is at most
/// `resampling.resamples`; else so many are drawn. Weighted differences test a weighted sum, such as a mean of means.
pub fn randomisation_test(differences: &[f64], resampling: &Resampling) -> Randomisation {
    let differing: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    let n = differing.len();
    if n == 0 {
        return Randomisation { p: 1.0, exact: true, least_p: 1.0 };
    }
    let spread: f64 = differing.iter().map(|d| d.abs()).sum();
    let bar = differing.iter().sum::<f64>().abs() - ROUNDING * spread;
    let least_p = 2f64.powi(1 - i32::try_from(n).unwrap_or(i32::MAX));
    let exact = n < usize::BITS as usize && (1usize << n) <= resampling.resamples;
    let p = match exact {
        // The other half mirrors the patterns that keep the first sign.
        true => patterns_beyond(&differing[1..], differing[0], bar) as f64 / (1u64 << (n - 1)) as f64,
        false => {
            let beyond = drawn_beyond(&differing, bar, resampling);
            (1 + beyond) as f64 / (1 + resampling.resamples) as f64
        }
    };
    Randomisation { p, exact, least_p }
}

/// How many sign patterns of `rest`, added to `sum`, end at `bar` or further from 0.
fn patterns_beyond(rest: &[f64], sum: f64, bar: f64) -> u64 {
    match rest {
        [] => u64::from(sum.abs() >= bar),
        [first, rest @ ..] => patterns_beyond(rest, sum + first, bar) + patterns_beyond(rest, sum - first, bar),
    }
}

fn drawn_beyond(differences: &[f64], bar: f64, resampling: &Resampling) -> usize {
    let mut random = SplitMix(resampling.seed);
    let mut draw = || {
        let mut sum = 0.0;
        for chunk in differences.chunks(64) {
            let mut bits = random.next();
            for difference in chunk {
                sum += if bits & 1 == 1 { *difference } else { -difference };
                bits >>= 1;
            }
        }
        sum.abs() >= bar
    };
    (0..resampling.resamples).filter(|_| draw()).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with(resamples: usize) -> Resampling {
        Resampling { resamples, ..Resampling::default() }
    }

    #[test]
    fn nothing_to_tell_is_a_p_of_one() {
        for differences in [&[][..], &[0.0], &[0.0; 50]] {
            let test = randomisation_test(differences, &Resampling::default());
            assert_eq!(test, Randomisation { p: 1.0, exact: true, least_p: 1.0 });
        }
        assert_eq!(randomisation_test(&[0.3], &Resampling::default()).p, 1.0);
    }

    #[test]
    fn all_of_one_sign_and_size_is_as_rare_as_can_be() {
        let test = randomisation_test(&[0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.0], &Resampling::default());
        assert_eq!((test.p, test.least_p, test.exact), (1.0 / 32.0, 1.0 / 32.0, true));
    }

    #[test]
    fn sums_equal_but_for_their_order_count_as_equal() {
        // 0.1 + 0.2 + 0.3 - 0.6 is not 0 in floating point: every pattern reaches the observed sum.
        let observed = [0.1, 0.2, 0.3, -0.6];
        assert!(observed.iter().sum::<f64>() != 0.0);
        assert_eq!(randomisation_test(&observed, &Resampling::default()).p, 1.0);
    }

    #[test]
    fn drawn_is_never_zero_and_repeats_with_its_seed() {
        let differences = vec![1.0; 40];
        let test = randomisation_test(&differences, &with(99));
        assert_eq!((test.p, test.exact), (0.01, false));
        let mixed: Vec<f64> = (0..40).map(|i| f64::from(i % 7) - 2.5).collect();
        let of_seed = |seed| randomisation_test(&mixed, &Resampling { seed, ..with(1000) }).p;
        assert_eq!(of_seed(1), of_seed(1));
        assert_ne!(of_seed(1), of_seed(2));
    }

    fn differences() -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec((-8i8..=8).prop_map(|d| f64::from(d) / 8.0), 0..11)
    }

    proptest! {
        #[test]
        fn exact_equals_the_naive_count(differences in differences()) {
            let n = differences.len();
            let sum = |pattern: usize| -> f64 {
                differences.iter().enumerate().map(|(i, d)| if pattern >> i & 1 == 0 { *d } else { -d }).sum()
            };
            let beyond = (0..1usize << n).filter(|&pattern| sum(pattern).abs() >= sum(0).abs()).count();
            let test = randomisation_test(&differences, &with(1 << 11));
            prop_assert_eq!(test.p, beyond as f64 / (1usize << n) as f64);
            prop_assert!(test.exact && test.p >= test.least_p && test.p <= 1.0);
        }

        #[test]
        fn drawn_is_near_exact(differences in prop::collection::vec((1i8..=8, any::<bool>()), 10)) {
            let differences: Vec<f64> = differences.iter().map(|(d, up)| f64::from(if *up { *d } else { -d })).collect();
            let exact = randomisation_test(&differences, &with(1 << 10));
            let drawn = randomisation_test(&differences, &with((1 << 10) - 1));
            prop_assert!(exact.exact && !drawn.exact);
            prop_assert!((drawn.p - exact.p).abs() < 0.1, "{} {}", drawn.p, exact.p);
        }

        #[test]
        fn signs_and_scale_do_not_matter(differences in differences(), scale in 1e-6f64..1e6) {
            let p = randomisation_test(&differences, &with(1 << 11)).p;
            let other: Vec<f64> = differences.iter().map(|d| -d * scale).collect();
            prop_assert_eq!(randomisation_test(&other, &with(1 << 11)).p, p);
        }
    }
}
