//! `icu`: words of any script, by UAX #29 and the dictionaries of ICU4X, after NFKC, in lower case.

use super::Analyzer;
use crate::error::Result;
use icu_normalizer::{ComposingNormalizer, ComposingNormalizerBorrowed};
use icu_segmenter::{WordSegmenter, WordSegmenterBorrowed};

/// Words between the boundaries of UAX #29; Chinese, Japanese, Thai, Khmer, Lao and Burmese by dictionary.
pub(crate) struct Icu {
    normalizer: ComposingNormalizerBorrowed<'static>,
    segmenter: WordSegmenterBorrowed<'static>,
}

impl Icu {
    pub(crate) fn new() -> Self {
        let segmenter = WordSegmenter::new_dictionary(Default::default());
        Self { normalizer: ComposingNormalizer::new_nfkc(), segmenter }
    }
}

impl Analyzer for Icu {
    fn each_token(&self, text: &str, found: &mut dyn FnMut(&str)) -> Result<()> {
        let text = self.normalizer.normalize(text);
        for segment in segments(self.segmenter, &text) {
            if segment.chars().any(char::is_alphanumeric) {
                found(&segment.to_lowercase());
            }
        }
        Ok(())
    }
}

/// What lies between the boundaries, white space and marks included.
pub(crate) fn segments<'t>(segmenter: WordSegmenterBorrowed<'static>, text: &'t str) -> impl Iterator<Item = &'t str> {
    let mut start = 0;
    let ends: Vec<usize> = segmenter.segment_str(text).collect();
    ends.into_iter().filter_map(move |end| {
        let segment = &text[start..end];
        start = end;
        (!segment.is_empty()).then_some(segment)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_gives_words() {
        let icu = Icu::new();
        assert_eq!(icu.tokens("Привет, СВІТ! ﬁve").unwrap(), ["привет", "світ", "five"]);
        assert_eq!(icu.tokens("भारत में").unwrap(), ["भारत", "में"]);
        assert_eq!(icu.tokens("ภาษาไทย").unwrap(), ["ภาษา", "ไทย"]);
        assert_eq!(icu.tokens("… – !").unwrap(), [""; 0]);
    }
}
