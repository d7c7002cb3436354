//! Texts that are nearly the same: MinHash signatures over character n-grams, found through banded hashing.
//!
//! A text is the set of its character n-grams ([`Shingles`]), after NFKC, lower case and with runs of white space as one
//! blank; so every script is treated alike and no tokenizer is needed. Two texts are as near as the Jaccard similarity of
//! their sets, `|A ∩ B| / |A ∪ B|`. A [`Signature`] estimates it from 256 bytes: one permutation hashing (Li, Owen and
//! Zhang 2012), whose empty bins are filled by optimal densification (Shrivastava 2017), so that a text costs one hash per
//! n-gram and not one per n-gram and row. [`NearDuplicates`] finds candidates by bands of rows (Broder 1997; Indyk and Motwani 1998).

use crate::random::SplitMix;
use std::collections::HashMap;
use unicode_normalization::UnicodeNormalization;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Rows of a signature.
pub const ROWS: usize = 128;
/// Share of the pairs just at the threshold that bands should find.
const RECALL: f64 = 0.98;
/// No further item in a chain.
const END: u32 = u32::MAX;

/// `text` after NFKC, in lower case, trimmed, with every run of white space as one blank.
pub fn normalized(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut blank = false;
    for c in text.nfkc().flat_map(char::to_lowercase) {
        if c.is_whitespace() {
            blank = !out.is_empty();
            continue;
        }
        if std::mem::take(&mut blank) {
            out.push(' ');
        }
        out.push(c);
    }
    out
}

/// How texts are cut and hashed. Signatures of different settings say nothing about each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MinHash {
    chars: usize,
    seed: u64,
}

impl MinHash {
    /// N-grams of `chars` characters (0 counts as 1), hashed under `seed`.
    pub const fn new(chars: usize, seed: u64) -> Self {
        Self { chars: if chars == 0 { 1 } else { chars }, seed }
    }

    /// The n-grams of a text; a shorter text is one of its own, one of white space alone has none.
    pub fn shingles(&self, text: &str) -> Shingles {
        let text = normalized(text);
        let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let hash = |piece: &str| xxh3_64_with_seed(piece.as_bytes(), self.seed);
        let mut hashes: Vec<u64> = match starts.len() - 1 {
            0 => Vec::new(),
            n if n < self.chars => vec![hash(&text)],
            _ => starts.windows(self.chars + 1).map(|ends| hash(&text[ends[0]..ends[self.chars]])).collect(),
        };
        hashes.sort_unstable();
        hashes.dedup();
        Shingles(hashes)
    }

    /// The signature of a text; `None` for one of white space alone, which is near nothing.
    pub fn signature(&self, text: &str) -> Option<Signature> {
        self.signature_of(&self.shingles(text))
    }

    /// As [`MinHash::signature`], of n-grams that the same settings gave.
    pub fn signature_of(&self, shingles: &Shingles) -> Option<Signature> {
        (!shingles.is_empty()).then(|| Signature::new(shingles, self.seed))
    }
}

/// The set of a text's n-grams, as sorted 64-bit hashes: 8 bytes each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shingles(Vec<u64>);

impl Shingles {
    /// How many n-grams there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The exact similarity, 0 to 1, up to collisions of 64-bit hashes; 0 where a set is empty.
    pub fn jaccard(&self, other: &Shingles) -> f64 {
        let (mut a, mut b) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut shared = 0;
        while let (Some(x), Some(y)) = (a.peek(), b.peek()) {
            let order = x.cmp(y);
            shared += usize::from(order.is_eq());
            if order.is_le() {
                a.next();
            }
            if order.is_ge() {
                b.next();
            }
        }
        match self.len() + other.len() - shared {
            0 => 0.0,
            all => shared as f64 / all as f64,
        }
    }
}

/// A sketch of a text's n-grams: 128 rows of 16 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signature([u16; ROWS]);

impl Signature {
    /// The smallest hash of every bin, an empty bin taking that of one chosen by the seed.
    fn new(shingles: &Shingles, seed: u64) -> Self {
        let mut least = [u64::MAX; ROWS];
        for hash in &shingles.0 {
            let bin = &mut least[(hash % ROWS as u64) as usize];
            *bin = (*bin).min(hash / ROWS as u64);
        }
        let filled = |row: usize| {
            let mut random = SplitMix(seed ^ row as u64);
            let mut from = row;
            while least[from] == u64::MAX {
                from = random.below(ROWS);
            }
            least[from] as u16
        };
        Self(std::array::from_fn(filled))
    }

    /// The share of equal rows: an estimate of the Jaccard similarity `j`, its standard error about √(j(1 − j) / 128), more for
    /// texts of fewer than 128 n-grams; two rows are equal by chance once in 65,536.
    pub fn jaccard(&self, other: &Signature) -> f64 {
        let same = self.0.iter().zip(&other.0).filter(|(a, b)| a == b).count();
        same as f64 / ROWS as f64
    }
}

/// An index of texts that finds those near another.
///
/// Signatures are cut into bands; texts that share a band are compared by their signatures. The bands are as long as
/// they can be while 98 of 100 pairs just at the threshold share one (signatures of 128 distinct n-grams or more).
/// Memory is linear: about 256 bytes per text for its signature and 20 for each of its bands, 500 in all at a threshold of 0.9,
/// 700 at 0.8; texts themselves are not kept. Holds fewer than 2^32 − 1 texts.
#[derive(Debug, Clone)]
pub struct NearDuplicates<Id> {
    min_hash: MinHash,
    threshold: f64,
    rows: usize,
    /// By band: the last text with these rows.
    heads: Vec<HashMap<u32, u32>>,
    /// By text and band: the text with the same rows before it, or [`END`].
    before: Vec<u32>,
    texts: Vec<(Id, Signature)>,
}

impl<Id: Clone> NearDuplicates<Id> {
    /// An empty index of texts; near are those whose similarity is estimated at `threshold` (0 to 1) or more.
    pub fn new(min_hash: MinHash, threshold: f64) -> Self {
        let rows = rows_per_band(threshold);
        let heads = vec![HashMap::new(); ROWS / rows];
        Self { min_hash, threshold, rows, heads, before: Vec::new(), texts: Vec::new() }
    }

    /// How many texts it holds.
    pub fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.texts.is_empty()
    }

    /// Adds a text; one of white space alone is not kept.
    pub fn insert(&mut self, id: Id, text: &str) {
        if let Some(signature) = self.min_hash.signature(text) {
            self.insert_signature(id, signature);
        }
    }

    /// As [`NearDuplicates::insert`], of a signature made by the same [`MinHash`].
    pub fn insert_signature(&mut self, id: Id, signature: Signature) {
        let number = self.texts.len() as u32;
        for (head, key) in self.heads.iter_mut().zip(keys(&signature, self.rows)) {
            self.before.push(head.insert(key, number).unwrap_or(END));
        }
        self.texts.push((id, signature));
    }

    /// The texts near this one with their estimated similarity: nearest first, then in the order in which they were added.
    ///
    /// For exact values compare their [`Shingles`].
    pub fn query(&self, text: &str) -> Vec<(Id, f64)> {
        self.query_shingles(&self.min_hash.shingles(text))
    }

    /// As [`NearDuplicates::query`], of n-grams made by the same [`MinHash`].
    pub fn query_shingles(&self, shingles: &Shingles) -> Vec<(Id, f64)> {
        self.min_hash.signature_of(shingles).map_or_else(Vec::new, |signature| self.query_signature(&signature))
    }

    /// As [`NearDuplicates::query`], of a signature made by the same [`MinHash`].
    pub fn query_signature(&self, signature: &Signature) -> Vec<(Id, f64)> {
        let bands = self.heads.len();
        let mut candidates = Vec::new();
        for (band, (head, key)) in self.heads.iter().zip(keys(signature, self.rows)).enumerate() {
            let mut at = head.get(&key).copied().unwrap_or(END);
            while at != END {
                candidates.push(at);
                at = self.before[at as usize * bands + band];
            }
        }
        candidates.sort_unstable();
        candidates.dedup();
        let near = |at: u32| {
            let (id, other) = &self.texts[at as usize];
            let similarity = signature.jaccard(other);
            (similarity >= self.threshold).then(|| (id.clone(), similarity))
        };
        let mut found: Vec<(Id, f64)> = candidates.into_iter().filter_map(near).collect();
        found.sort_by(|a, b| b.1.total_cmp(&a.1));
        found
    }
}

/// The most rows of a band with which pairs at the threshold are found as often as they should be.
fn rows_per_band(threshold: f64) -> usize {
    let found = |rows: usize| 1.0 - (1.0 - threshold.powi(rows as i32)).powi((ROWS / rows) as i32);
    (1..=ROWS / 4).rev().find(|rows| found(*rows) >= RECALL).unwrap_or(1)
}

/// A hash of each band's rows.
fn keys(signature: &Signature, rows: usize) -> impl Iterator<Item = u32> {
    signature.0.chunks_exact(rows).map(|band| {
        let bytes: Vec<u8> = band.iter().flat_map(|row| row.to_le_bytes()).collect();
        xxh3_64_with_seed(&bytes, 0) as u32
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MIN_HASH: MinHash = MinHash { chars: 4, seed: 7 };

    /// `len` words of a vocabulary of 500, made of CJK and Latin letters.
    fn words(random: &mut SplitMix, len: usize) -> Vec<String> {
        let word = |n: usize| match n % 5 {
            0 => char::from_u32(0x4e00 + n as u32).unwrap().to_string(),
            _ => format!("w{}", n * 7919 % 1000),
        };
        (0..len).map(|_| word(random.below(500))).collect()
    }

    #[test]
    fn what_is_written_otherwise_is_the_same_text() {
        assert_eq!(normalized(" Straße \t ﬁn\n"), "straße fin");
        assert_eq!(MIN_HASH.signature("ＡＢＣＤＥ f"), MIN_HASH.signature("abcde\tF"));
        assert!(MIN_HASH.signature(" \n").is_none());
        assert_eq!(MIN_HASH.shingles("abc").len(), 1);
        assert_eq!(MIN_HASH.shingles("人人人人人人").len(), 1);
    }

    #[test]
    fn estimates_are_unbiased_and_as_sharp_as_stated() {
        let mut random = SplitMix(1);
        let (mut bias, mut square, n) = (0.0, 0.0, 300);
        for _ in 0..n {
            let mut words = words(&mut random, 150);
            let first = words.join(" ");
            for _ in 0..random.below(40) {
                let at = random.below(words.len());
                words[at] = format!("x{}", random.below(1000));
            }
            let second = words.join(" ");
            let exact = MIN_HASH.shingles(&first).jaccard(&MIN_HASH.shingles(&second));
            let off = MIN_HASH.signature(&first).unwrap().jaccard(&MIN_HASH.signature(&second).unwrap()) - exact;
            (bias, square) = (bias + off / n as f64, square + off * off / n as f64);
        }
        assert!(bias.abs() < 0.01 && square.sqrt() < 1.2 * (0.25f64 / ROWS as f64).sqrt(), "{bias} {}", square.sqrt());
    }

    #[test]
    fn near_texts_are_found_and_others_are_not() {
        let mut random = SplitMix(2);
        let texts: Vec<Vec<String>> = (0..400).map(|_| words(&mut random, 60)).collect();
        let mut index = NearDuplicates::new(MIN_HASH, 0.8);
        texts.iter().enumerate().for_each(|(id, words)| index.insert(id, &words.join(" ")));
        let (mut near, mut found) = (0, 0);
        for (id, words) in texts.iter().enumerate() {
            let mut changed = words.clone();
            changed[id % 60] = "other".into();
            let changed = changed.join(" ");
            let exact = MIN_HASH.shingles(&words.join(" ")).jaccard(&MIN_HASH.shingles(&changed));
            let got = index.query(&changed);
            assert!(got.iter().all(|(other, _)| *other == id), "{got:?}");
            near += usize::from(exact >= 0.88);
            found += usize::from(exact >= 0.88 && !got.is_empty());
        }
        assert!(near > 200 && found as f64 >= 0.97 * near as f64, "{found} of {near}");
        assert_eq!(index.len(), 400);
    }

    #[test]
    fn bands_find_what_they_promise() {
        for (threshold, rows) in [(0.9, 11), (0.8, 7), (0.5, 3), (0.0, 1), (1.0, 32)] {
            assert_eq!(rows_per_band(threshold), rows, "{threshold}");
        }
    }

    proptest! {
        #[test]
        fn a_text_is_nearest_to_itself_and_comparison_goes_both_ways(a in "\\PC{0,80}", b in "\\PC{0,80}") {
            let (x, y) = (MIN_HASH.shingles(&a), MIN_HASH.shingles(&b));
            prop_assert_eq!(x.jaccard(&y), y.jaccard(&x));
            if let (Some(s), Some(t)) = (MIN_HASH.signature(&a), MIN_HASH.signature(&b)) {
                prop_assert_eq!((x.jaccard(&x), s.jaccard(&s), s.jaccard(&t)), (1.0, 1.0, t.jaccard(&s)));
                let mut index = NearDuplicates::new(MIN_HASH, 0.9);
                index.insert("b", &b);
                index.insert("a", &a);
                let got = index.query(&a);
                prop_assert!(got.contains(&("a", 1.0)));
                prop_assert!(got.windows(2).all(|w| w[0].1 >= w[1].1));
            } else {
                prop_assert_eq!(x.jaccard(&y), 0.0);
            }
        }

        #[test]
        fn the_exact_similarity_is_that_of_the_sets(a in "[ab]{4,12}", b in "[ab]{4,12}") {
            let set = |text: &str| {
                let chars: Vec<char> = text.chars().collect();
                chars.windows(4).map(<[char]>::to_vec).collect::<std::collections::BTreeSet<_>>()
            };
            let (x, y) = (set(&a), set(&b));
            let want = x.intersection(&y).count() as f64 / x.union(&y).count() as f64;
            prop_assert_eq!(MIN_HASH.shingles(&a).jaccard(&MIN_HASH.shingles(&b)), want);
        }
    }
}
