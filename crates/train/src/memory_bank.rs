//! Embeddings of earlier batches, the negatives of later ones (Wu et al. 2022): a ring per language, so that negatives tell sentences apart and
//! not languages.

use std::collections::{BTreeMap, VecDeque};

use isogloss_engine::{Tensor, op};

use crate::error::{Error, Result};

/// Whose rows share a ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BankScope {
    /// Those of a language, as published.
    #[default]
    Language,
    /// All: what the published design is to be compared with.
    Mixed,
}

/// The newest `capacity` rows of every language, without gradient, where they were computed. In a checkpoint row n ever pushed lies in slot
/// `n mod capacity`.
pub struct MemoryBank {
    capacity: usize,
    scope: BankScope,
    rings: BTreeMap<String, Ring>,
}

struct Ring {
    dim: usize,
    /// What was pushed, oldest first: the newest `capacity` rows, and perhaps some before them.
    pushes: VecDeque<Tensor>,
    pushed: u64,
}

impl Ring {
    /// Rows of `pushes`.
    fn held(&self) -> usize {
        self.pushes.iter().map(|rows| rows.matrix().0).sum()
    }

    /// The newest `n` rows, oldest first.
    fn newest(&self, n: usize) -> Tensor {
        let (first, rest) = self.pushes.as_slices();
        let all: Vec<&Tensor> = first.iter().chain(rest).collect();
        let (surplus, oldest) = (self.held() - n, all[0]);
        let kept: Vec<usize> = (surplus..oldest.matrix().0).collect();
        let oldest = if surplus == 0 { oldest.clone() } else { op::gather_rows(oldest, &kept) };
        let parts: Vec<&Tensor> = std::iter::once(&oldest).chain(all[1..].iter().copied()).collect();
        op::concat_rows(&parts)
    }
}

/// The name of the one ring of [`BankScope::Mixed`].
const MIXED: &str = "*";

impl MemoryBank {
    /// An empty bank. Published: rings of thousands of rows; 4096 is the authors' sibling code's. Capacity 0 keeps nothing.
    pub fn new(capacity: usize, scope: BankScope) -> MemoryBank {
        MemoryBank { capacity, scope, rings: BTreeMap::new() }
    }

    fn ring(&self, lang: &str) -> Option<&Ring> {
        self.rings.get(self.name(lang))
    }

    fn name<'a>(&self, lang: &'a str) -> &'a str {
        match self.scope {
            BankScope::Language => lang,
            BankScope::Mixed => MIXED,
        }
    }

    /// Appends the values of `rows: [n, D]`, in order, over the oldest ones.
    ///
    /// # Panics
    /// If D is another than that of earlier rows.
    pub fn push(&mut self, lang: &str, rows: &Tensor) {
        let (n, dim) = rows.matrix();
        if self.capacity == 0 || n == 0 {
            return;
        }
        let ring = self.rings.entry(self.name(lang).to_string());
        let ring = ring.or_insert_with(|| Ring { dim, pushes: VecDeque::new(), pushed: 0 });
        assert_eq!(ring.dim, dim, "memory bank: rows of another width");
        ring.pushes.push_back(rows.detach());
        ring.pushed += n as u64;
        while ring.held() - ring.pushes[0].matrix().0 >= self.capacity {
            ring.pushes.pop_front();
        }
    }

    /// The rows of a language, from oldest to newest: a constant `[filled, D]`; `None` if there is none.
    pub fn rows(&self, lang: &str) -> Option<Tensor> {
        Some(self.ring(lang)?.newest(self.filled(lang)))
    }

    /// Rows that a language has.
    pub fn filled(&self, lang: &str) -> usize {
        self.pushed(lang).min(self.capacity as u64) as usize
    }

    /// Rows that a language was ever given.
    pub fn pushed(&self, lang: &str) -> u64 {
        self.ring(lang).map_or(0, |ring| ring.pushed)
    }

    /// What a checkpoint keeps, in main memory: per ring its slots `[capacity, D]`, and the number of rows ever pushed, by the ring's language (`*` for the one
    /// mixed ring).
    pub fn state(&self) -> (BTreeMap<String, Tensor>, BTreeMap<String, u64>) {
        let slots = |(lang, ring): (&String, &Ring)| {
            let (filled, dim) = (self.filled(lang), ring.dim);
            let rows = ring.newest(filled);
            let mut slots = vec![0.0; self.capacity * dim];
            for (n, row) in (ring.pushed - filled as u64..).zip(rows.data().chunks_exact(dim)) {
                let slot = (n % self.capacity as u64) as usize;
                slots[slot * dim..(slot + 1) * dim].copy_from_slice(row);
            }
            (lang.clone(), Tensor::new(slots, &[self.capacity, dim]))
        };
        let tensors = self.rings.iter().map(slots).collect();
        (tensors, self.rings.iter().map(|(lang, ring)| (lang.clone(), ring.pushed)).collect())
    }

    /// Takes up what [`MemoryBank::state`] gave, in place of what it holds.
    ///
    /// # Errors
    /// A ring has another capacity, or its slots or its count are missing.
    pub fn restore(&mut self, tensors: &BTreeMap<String, Tensor>, counts: &BTreeMap<String, u64>) -> Result<()> {
        if let Some(lang) =
            tensors.keys().chain(counts.keys()).find(|l| !tensors.contains_key(*l) || !counts.contains_key(*l))
        {
            return Err(Error::value(
                &format!("bank.{lang}"),
                "its slots or its count are missing; start the run over",
            ));
        }
        let mut rings = BTreeMap::new();
        for ((lang, slots), pushed) in tensors.iter().zip(counts.values()) {
            let (capacity, dim) = slots.matrix();
            if capacity != self.capacity {
                let problem = format!("holds {capacity} rows, the run asks for {}; start the run over", self.capacity);
                return Err(Error::value(&format!("bank.{lang}"), problem));
            }
            let filled = capacity.min(*pushed as usize);
            let in_order = (*pushed - filled as u64..*pushed).map(|n| (n % capacity as u64) as usize);
            let rows = op::gather_rows(slots, &in_order.collect::<Vec<usize>>());
            rings.insert(lang.clone(), Ring { dim, pushes: VecDeque::from([rows]), pushed: *pushed });
        }
        self.rings = rings;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(values: &[f32]) -> Tensor {
        Tensor::parameter(values.to_vec(), &[values.len(), 1])
    }

    #[test]
    fn rows_come_from_oldest_to_newest_around_the_end() {
        let mut bank = MemoryBank::new(3, BankScope::Language);
        assert!(bank.rows("sw").is_none());
        bank.push("sw", &rows(&[1.0, 2.0]));
        assert_eq!(bank.rows("sw").unwrap().data(), &[1.0, 2.0]);
        bank.push("sw", &rows(&[3.0, 4.0]));
        bank.push("te", &rows(&[9.0]));
        assert_eq!(bank.rows("sw").unwrap().data(), &[2.0, 3.0, 4.0]);
        assert_eq!((bank.filled("sw"), bank.pushed("sw"), bank.filled("te")), (3, 4, 1));
        assert!(!bank.rows("sw").unwrap().needs_grad());
    }

    #[test]
    fn one_mixed_ring_holds_all_languages() {
        let mut bank = MemoryBank::new(3, BankScope::Mixed);
        bank.push("sw", &rows(&[1.0, 2.0]));
        bank.push("te", &rows(&[3.0, 4.0]));
        assert_eq!(bank.rows("yo").unwrap().data(), &[2.0, 3.0, 4.0]);
    }

    #[test]
    fn a_bank_without_capacity_stays_empty() {
        let mut bank = MemoryBank::new(0, BankScope::Language);
        bank.push("sw", &rows(&[1.0]));
        assert!(bank.rows("sw").is_none());
    }

    #[test]
    fn a_restored_bank_goes_on_as_the_first_would_have() {
        let mut bank = MemoryBank::new(3, BankScope::Language);
        bank.push("sw", &rows(&[1.0, 2.0, 3.0, 4.0]));
        bank.push("te", &rows(&[5.0]));
        let (tensors, counts) = bank.state();
        let mut other = MemoryBank::new(3, BankScope::Language);
        other.restore(&tensors, &counts).unwrap();
        for bank in [&mut bank, &mut other] {
            bank.push("sw", &rows(&[6.0]));
            bank.push("te", &rows(&[7.0]));
        }
        for lang in ["sw", "te"] {
            assert_eq!(bank.rows(lang).unwrap().data(), other.rows(lang).unwrap().data());
        }
    }

    #[test]
    fn a_state_that_does_not_fit_is_refused() {
        let mut bank = MemoryBank::new(3, BankScope::Language);
        bank.push("sw", &rows(&[1.0]));
        let (tensors, counts) = bank.state();
        let error = MemoryBank::new(4, BankScope::Language).restore(&tensors, &counts).unwrap_err();
        assert_eq!(error.to_string(), "bank.sw: holds 3 rows, the run asks for 4; start the run over");
        let error = bank.restore(&tensors, &BTreeMap::new()).unwrap_err();
        assert_eq!(error.to_string(), "bank.sw: its slots or its count are missing; start the run over");
    }
}
