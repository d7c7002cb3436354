//! A set of words, asked once for every token.

/// Words in UTF-16 in an open table twice as large as they are many.
#[derive(Debug, Clone)]
pub(crate) struct WordSet {
    slots: Vec<Option<Box<[u16]>>>,
    /// Which lengths there are, longer ones in the last bit.
    lengths: u64,
}

impl WordSet {
    pub(crate) fn new<'a>(words: impl IntoIterator<Item = &'a str>) -> Self {
        let words: Vec<Box<[u16]>> = words.into_iter().map(|word| word.encode_utf16().collect()).collect();
        let size = (2 * words.len() + 1).next_power_of_two();
        let mut set = Self { slots: vec![None; size], lengths: 0 };
        for word in words {
            set.lengths |= length_bit(&word);
            let slot = set.slot(&word);
            set.slots[slot] = Some(word);
        }
        set
    }

    /// The words of a file with one a line.
    pub(crate) fn of_lines(lines: &str) -> Self {
        Self::new(lines.lines().filter(|line| !line.is_empty()))
    }

    pub(crate) fn contains(&self, word: &[u16]) -> bool {
        self.lengths & length_bit(word) != 0 && self.slots[self.slot(word)].is_some()
    }

    /// Where `word` is, or would be put.
    fn slot(&self, word: &[u16]) -> usize {
        let mask = self.slots.len() - 1;
        let mut at = hash(word) as usize & mask;
        while self.slots[at].as_deref().is_some_and(|other| other != word) {
            at = (at + 1) & mask;
        }
        at
    }
}

fn length_bit(word: &[u16]) -> u64 {
    1 << word.len().min(63)
}

fn hash(word: &[u16]) -> u64 {
    let mixed = word
        .iter()
        .fold(0u64, |hash, &unit| (hash.rotate_left(5) ^ u64::from(unit)).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mixed >> 32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_what_it_was_given_and_nothing_else() {
        let words: Vec<String> = (0..500).map(|i| format!("w{}", i * 7)).collect();
        let set = WordSet::new(words.iter().map(String::as_str));
        let has = |word: &str| set.contains(&word.encode_utf16().collect::<Vec<_>>());
        assert!(words.iter().all(|word| has(word)));
        assert!(!has("") && !has("w1") && !has(&"x".repeat(100)));
        assert!(!WordSet::new([]).contains(&[]));
    }
}
