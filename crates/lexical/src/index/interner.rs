//! Numbers the terms of one batch.

/// Terms in the order in which they were first seen, in an open table.
pub(super) struct Interner {
    text: String,
    ends: Vec<u32>,
    /// Number of the term plus 1 and the upper half of its hash; 0 where free.
    slots: Vec<(u32, u32)>,
}

impl Interner {
    pub(super) fn new() -> Self {
        Self { text: String::new(), ends: Vec::new(), slots: vec![(0, 0); 1 << 12] }
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn term(&self, number: u32) -> &str {
        let number = number as usize;
        let start = if number == 0 { 0 } else { self.ends[number - 1] };
        &self.text[start as usize..self.ends[number] as usize]
    }

    /// The number of `term`, a new one where it was not seen yet.
    pub(super) fn number(&mut self, term: &str) -> u32 {
        if 2 * self.len() >= self.slots.len() {
            self.grow();
        }
        let hash = hash(term.as_bytes());
        let mut at = self.place(hash);
        loop {
            match self.slots[at] {
                (0, _) => break,
                (number, upper) if upper == (hash >> 32) as u32 && self.term(number - 1) == term => return number - 1,
                _ => at = (at + 1) & (self.slots.len() - 1),
            }
        }
        self.text.push_str(term);
        self.ends.push(self.text.len() as u32);
        self.slots[at] = (self.len() as u32, (hash >> 32) as u32);
        self.len() as u32 - 1
    }

    fn place(&self, hash: u64) -> usize {
        hash as usize & (self.slots.len() - 1)
    }

    fn grow(&mut self) {
        self.slots = vec![(0, 0); 2 * self.slots.len()];
        for number in 0..self.len() as u32 {
            let hash = hash(self.term(number).as_bytes());
            let mut at = self.place(hash);
            while self.slots[at].0 != 0 {
                at = (at + 1) & (self.slots.len() - 1);
            }
            self.slots[at] = (number + 1, (hash >> 32) as u32);
        }
    }
}

fn hash(bytes: &[u8]) -> u64 {
    xxhash_rust::xxh3::xxh3_64(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_term_keeps_its_number() {
        let mut interner = Interner::new();
        let terms: Vec<String> = (0..10_000).map(|i| format!("t{}", i % 7_000)).collect();
        let numbers: Vec<u32> = terms.iter().map(|term| interner.number(term)).collect();
        assert_eq!(interner.len(), 7_000);
        assert!(terms.iter().zip(numbers).all(|(term, number)| interner.term(number) == term));
        assert_eq!(interner.number(""), 7_000);
    }
}
