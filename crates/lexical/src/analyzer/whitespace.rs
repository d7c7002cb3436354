//! Lucene's `WhitespaceTokenizer`: everything between white space, punctuation and case as they are.

use super::standard::MAX_UNITS;
use super::unicode::is_java_whitespace;

/// Gives every token of `text`; one ends with the code point that fills 255 UTF-16 units, the rest is a new one.
pub(crate) fn each_token<'a>(text: &'a str, mut found: impl FnMut(&'a str)) {
    let (mut start, mut units) = (None, 0);
    for (at, c) in text.char_indices() {
        if is_java_whitespace(c) {
            if let Some(start) = start.take() {
                found(&text[start..at]);
            }
            continue;
        }
        if start.is_none() {
            (start, units) = (Some(at), 0);
        }
        units += c.len_utf16();
        if units >= MAX_UNITS
            && let Some(start) = start.take()
        {
            found(&text[start..at + c.len_utf8()]);
        }
    }
    if let Some(start) = start {
        found(&text[start..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<&str> {
        let mut out = Vec::new();
        each_token(text, |token| out.push(token));
        out
    }

    #[test]
    fn only_white_space_parts() {
        assert_eq!(tokens(" Habari, Dunia!\u{1c}a\u{a0}b "), ["Habari,", "Dunia!", "a\u{a0}b"]);
        assert!(tokens(" \n").is_empty());
    }

    #[test]
    fn a_pair_may_end_beyond_the_limit() {
        let lengths = |text: &str| tokens(text).iter().map(|t| t.encode_utf16().count()).collect::<Vec<_>>();
        assert_eq!(lengths(&"a".repeat(300)), [255, 45]);
        assert_eq!(lengths(&"𐐀".repeat(150)), [256, 44]);
    }
}
