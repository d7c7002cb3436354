//! Rows of one file that say the same, or nearly.

use super::full;
use super::rows::{Kind, Part, Role, Row};
use super::text::letters;
use crate::minhash::normalized;
use crate::{MinHash, NearDuplicates};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use xxhash_rust::xxh3::xxh3_64;

/// How texts are compared.
pub(super) const MIN_HASH: MinHash = MinHash::new(4, 1);
/// Letters from which texts that differ a little are looked for: shorter ones differ in a word, and that is a difference.
const SIMILAR: usize = 100;
/// The least estimated Jaccard similarity of nearly equal rows.
const THRESHOLD: f64 = 0.9;

/// A hash of what a text says: of letters and digits alone where there are enough of them.
pub(super) fn key(text: &str) -> u64 {
    let text = normalized(text);
    match letters(&text) {
        0..16 => xxh3_64(text.as_bytes()),
        _ => xxh3_64(text.chars().filter(|c| c.is_alphanumeric()).collect::<String>().as_bytes()),
    }
}

/// An earlier row.
pub(super) struct Earlier {
    pub line: u32,
    /// The estimated similarity of what says nearly the same; `None` of what says the same.
    pub similarity: Option<f64>,
}

/// The rows of a file so far: 40 bytes for each, and 500 for each longer one that is like no other.
pub(super) struct Duplicates {
    equal: HashMap<u64, u32>,
    /// The line, and a hash of the languages.
    similar: NearDuplicates<(u32, u64)>,
}

impl Duplicates {
    pub fn new() -> Self {
        Self { equal: HashMap::new(), similar: NearDuplicates::new(MIN_HASH, THRESHOLD) }
    }

    /// Takes note of a row and finds one before it that says the same, in the same languages.
    pub fn insert(&mut self, row: &Row, kind: Kind) -> Option<Earlier> {
        let counted = |part: &&Part| part.role != Role::Negative;
        let parts: Vec<&Part> = row.parts.iter().filter(counted).collect();
        if parts.is_empty() || parts.iter().all(|part| part.text.trim().is_empty()) {
            return None;
        }
        let langs: String =
            parts.iter().map(|part| part.lang.map_or("-".into(), |lang| lang.to_string()) + " ").collect();
        let langs = xxh3_64(langs.as_bytes());
        let keys: Vec<u8> =
            parts.iter().flat_map(|part| key(&full(part)).to_le_bytes()).chain(langs.to_le_bytes()).collect();
        match self.equal.entry(xxh3_64(&keys)) {
            Entry::Occupied(entry) => return Some(Earlier { line: *entry.get(), similarity: None }),
            Entry::Vacant(entry) => drop(entry.insert(row.line as u32)),
        }
        let text = compared(&parts, kind)?;
        let signature = (letters(&text) >= SIMILAR).then(|| MIN_HASH.signature(&text)).flatten()?;
        let near = self.similar.query_signature(&signature);
        let found = near.into_iter().find(|((_, other), _)| *other == langs);
        if found.is_none() {
            self.similar.insert_signature((row.line as u32, langs), signature);
        }
        found.map(|((line, _), similarity)| Earlier { line, similarity: Some(similarity) })
    }
}

/// What is compared of rows that are not equal; of examples nothing, since many questions share a passage.
fn compared(parts: &[&Part], kind: Kind) -> Option<String> {
    match kind {
        Kind::Examples(_) => None,
        // Of a row of many languages all but the translations of one text differ where that text does.
        Kind::Parallel => {
            let pivot = parts.iter().find(|part| part.lang.is_some_and(|lang| lang.as_str() == "en")).or(parts.first());
            pivot.map(|part| part.text.clone())
        }
        _ => Some(parts.iter().map(|part| full(part)).collect::<Vec<_>>().join("\n")),
    }
}
