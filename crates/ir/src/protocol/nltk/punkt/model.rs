//! What Punkt learned of English from the Wall Street Journal.

use serde::Deserialize;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

/// The parameters as JSON, compressed.
const ENGLISH: &[u8] = include_bytes!("english.json.zst");

/// Abbreviations, pairs of words, words that start sentences, and the cases that words were seen in.
#[derive(Deserialize)]
pub struct Model {
    abbrev_types: HashSet<String>,
    collocations: HashSet<(String, String)>,
    sentence_starters: HashSet<String>,
    ortho_context: HashMap<String, u8>,
}

/// The cases and places that a word was seen in.
#[derive(Clone, Copy)]
pub struct Ortho(u8);

impl Ortho {
    pub fn any_upper(self) -> bool {
        self.0 & 0b000_1110 != 0
    }

    pub fn any_lower(self) -> bool {
        self.0 & 0b111_0000 != 0
    }

    /// In upper case inside of a sentence.
    pub fn upper_inside(self) -> bool {
        self.0 & 0b000_0100 != 0
    }

    /// In lower case at the start of a sentence.
    pub fn lower_at_start(self) -> bool {
        self.0 & 0b001_0000 != 0
    }
}

impl Model {
    /// The English model.
    pub fn english() -> &'static Self {
        static MODEL: LazyLock<Model> = LazyLock::new(|| {
            let json = zstd::decode_all(ENGLISH).expect("a whole file");
            serde_json::from_slice(&json).expect("parameters of Punkt")
        });
        &MODEL
    }

    pub fn is_abbreviation(&self, word: &str) -> bool {
        self.abbrev_types.contains(word)
    }

    pub fn is_collocation(&self, first: &str, second: &str) -> bool {
        // Tuples of borrowed strings cannot be looked up; there are few pairs.
        self.collocations.iter().any(|(a, b)| a == first && b == second)
    }

    pub fn is_starter(&self, word: &str) -> bool {
        self.sentence_starters.contains(word)
    }

    pub fn ortho(&self, word: &str) -> Ortho {
        Ortho(self.ortho_context.get(word).copied().unwrap_or(0))
    }
}
