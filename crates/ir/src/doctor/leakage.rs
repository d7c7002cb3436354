//! Texts to be tested with, found again in training data.

use super::duplicates::{MIN_HASH, key};
use super::text::letters;
use crate::NearDuplicates;
use crate::minhash::normalized;
use std::collections::HashMap;

/// Letters from which an equal text is no accident, and from which a similar one is looked for.
const EQUAL: usize = 16;
const SIMILAR: usize = 40;
/// The least Jaccard similarity of nearly equal texts.
const THRESHOLD: f64 = 0.8;
/// What signatures are asked for: estimates err, the comparison that follows does not.
const ESTIMATE: f64 = 0.72;

/// A text to be tested with.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub file: usize,
    pub line: usize,
    /// Whether it is a document to be searched; else it is a query or a translation.
    pub is_doc: bool,
}

/// All texts to be tested with: 80 bytes for each, and of longer ones the text and its place in the index.
pub(super) struct TestTexts {
    equal: HashMap<u64, Place>,
    similar: NearDuplicates<u32>,
    texts: Vec<(Place, String)>,
}

impl TestTexts {
    pub fn new() -> Self {
        Self { equal: HashMap::new(), similar: NearDuplicates::new(MIN_HASH, ESTIMATE), texts: Vec::new() }
    }

    /// Takes note of a text.
    pub fn insert(&mut self, text: &str, place: Place) {
        let letters = letters(text);
        if letters >= EQUAL {
            self.equal.entry(key(text)).or_insert(place);
        }
        if letters >= SIMILAR {
            self.similar.insert(self.texts.len() as u32, text);
            self.texts.push((place, normalized(text)));
        }
    }

    /// Where a text of the training data stands among these, and how similar it is there: 1 where it is the same.
    pub fn find(&self, text: &str) -> Option<(Place, f64)> {
        if self.equal.is_empty() {
            return None;
        }
        let letters = letters(text);
        let equal = self.equal.get(&key(text)).filter(|_| letters >= EQUAL);
        if let Some(place) = equal {
            return Some((*place, 1.0));
        }
        if letters < SIMILAR {
            return None;
        }
        let shingles = MIN_HASH.shingles(text);
        let similarity = |(at, _): (u32, f64)| {
            let (place, other) = &self.texts[at as usize];
            (*place, shingles.jaccard(&MIN_HASH.shingles(other)))
        };
        let found = self.similar.query_shingles(&shingles).into_iter().map(similarity);
        found.filter(|(_, similarity)| *similarity >= THRESHOLD).max_by(|a, b| a.1.total_cmp(&b.1))
    }
}
