//! DPR's `has_answer` (Karpukhin et al. 2020): whether a text holds an answer, word for word and without letter case.

use fancy_regex::Regex;
use std::sync::LazyLock;
use unicode_normalization::UnicodeNormalization;

static TOKEN: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"[\p{L}\p{N}\p{M}]+|[^\p{Z}\p{C}]").expect("a pattern without mistakes"));

/// An answer, ready to be looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer(Vec<String>);

impl Answer {
    /// Takes it apart; an answer without tokens is in every text.
    pub fn new(answer: &str) -> Self {
        Self(tokens(answer))
    }
}

/// Whether the tokens of any answer stand one after the other in `text`.
///
/// Tokens are runs of letters, numbers and marks, or other single characters, of the text decomposed (NFD) and in lower case.
pub fn has_answer(text: &str, answers: &[Answer]) -> bool {
    let text = tokens(text);
    answers
        .iter()
        .any(|Answer(answer)| answer.is_empty() || text.windows(answer.len()).any(|window| window == answer.as_slice()))
}

fn tokens(text: &str) -> Vec<String> {
    let text: String = text.nfd().collect();
    TOKEN.find_iter(&text).flatten().map(|token| token.as_str().to_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(text: &str, answer: &str) -> bool {
        has_answer(text, &[Answer::new(answer)])
    }

    #[test]
    fn words_count_whole_and_case_and_composition_do_not() {
        assert!(holds("In São Paulo, 1,204.5 m high.", "sa\u{303}o paulo"));
        assert!(holds("at 1,204.5 m", "1,204.5") && !holds("at 1,204.5 m", "20"));
        assert!(!holds("Napoleonic", "napoleon") && holds("U.S. Army", "U.S"));
        assert!(holds("東京都", "東京都") && !holds("東京都", "東京"));
        assert!(holds("", "") && !holds("", "x") && !has_answer("x", &[]));
    }
}
