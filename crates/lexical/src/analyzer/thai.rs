//! Thai words by the dictionary of ICU4X: close to `ThaiTokenizer`, which has the dictionary of the JDK.

use super::icu::segments;
use icu_segmenter::{WordSegmenter, WordSegmenterBorrowed};
use std::sync::LazyLock;

static SEGMENTER: LazyLock<WordSegmenterBorrowed<'static>> =
    LazyLock::new(|| WordSegmenter::new_dictionary(Default::default()));

/// Gives every segment that begins with a letter or a digit.
pub(crate) fn each_token<'a>(text: &'a str, found: impl FnMut(&'a str)) {
    segments(*SEGMENTER, text).filter(|segment| segment.starts_with(char::is_alphanumeric)).for_each(found);
}
