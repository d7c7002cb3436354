//! How often values lie where, in bounded memory and whatever the order they come in.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Bins at most.
const BINS: i64 = 48;
/// The binary exponent of the finest bins.
const FINEST: i32 = -8;

/// Counts of values in bins of one width, a power of two: the finest of at most 48 bins from the lowest to the highest value.
///
/// It depends on the values alone, not on their order, and two of them add up to that of all their values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// Bins are `2^exponent` wide.
    exponent: i32,
    /// Values by bin: bin `i` is from `i · 2^exponent`, its end left out.
    bins: BTreeMap<i64, u64>,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { exponent: FINEST, bins: BTreeMap::new() }
    }
}

impl Histogram {
    /// Counts a value; what is not finite is passed over.
    pub fn add(&mut self, value: f32) {
        if value.is_finite() {
            *self.bins.entry((f64::from(value) / self.width()).floor() as i64).or_default() += 1;
            self.coarsen_while_too_wide();
        }
    }

    /// Counts all that `other` counted.
    pub fn merge(&mut self, mut other: Self) {
        while self.exponent < other.exponent {
            self.coarsen();
        }
        while other.exponent < self.exponent {
            other.coarsen();
        }
        for (bin, count) in other.bins {
            *self.bins.entry(bin).or_default() += count;
        }
        self.coarsen_while_too_wide();
    }

    /// How wide a bin is.
    pub fn width(&self) -> f64 {
        2f64.powi(self.exponent)
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.bins.values().sum()
    }

    /// Where each bin begins, and its count, from the lowest bin with a value to the highest.
    pub fn bins(&self) -> impl Iterator<Item = (f64, u64)> + '_ {
        let ends = self.bins.first_key_value().zip(self.bins.last_key_value());
        let range = ends.map_or(0..0, |((low, _), (high, _))| *low..*high + 1);
        range.map(|bin| (bin as f64 * self.width(), self.bins.get(&bin).copied().unwrap_or(0)))
    }

    fn coarsen_while_too_wide(&mut self) {
        let span = |bins: &BTreeMap<i64, u64>| match (bins.first_key_value(), bins.last_key_value()) {
            (Some((low, _)), Some((high, _))) => high - low + 1,
            _ => 0,
        };
        while span(&self.bins) > BINS {
            self.coarsen();
        }
    }

    fn coarsen(&mut self) {
        self.exponent += 1;
        for (bin, count) in std::mem::take(&mut self.bins) {
            *self.bins.entry(bin.div_euclid(2)).or_default() += count;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: &[f32]) -> Histogram {
        let mut histogram = Histogram::default();
        values.iter().for_each(|value| histogram.add(*value));
        histogram
    }

    proptest! {
        #[test]
        fn order_and_parts_do_not_matter(values in proptest::collection::vec(-300f32..300.0, 0..60), at in 0usize..60) {
            let whole = of(&values);
            let mut reversed = values.clone();
            reversed.reverse();
            prop_assert_eq!(&of(&reversed), &whole);
            let (head, tail) = values.split_at(at.min(values.len()));
            let mut parts = of(head);
            parts.merge(of(tail));
            prop_assert_eq!(&parts, &whole);
            prop_assert_eq!(whole.count(), values.len() as u64);
            prop_assert!(whole.bins().count() <= 48);
            for value in values {
                let bin = whole.bins().find(|(start, _)| (*start..*start + whole.width()).contains(&f64::from(value)));
                prop_assert!(bin.is_some_and(|(_, count)| count > 0));
            }
        }
    }

    #[test]
    fn what_is_no_number_is_not_counted() {
        assert_eq!(of(&[f32::NAN, f32::INFINITY]).count(), 0);
        assert_eq!(of(&[]).bins().count(), 0);
    }
}
