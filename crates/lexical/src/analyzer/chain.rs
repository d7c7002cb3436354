//! `lucene:<lang>`: the chain of analysis that Anserini 0.25.0 (Lucene 9.9.1) runs for a language.

use super::cjk::Bigrams;
use super::unicode::Units;
use super::word_set::WordSet;
use super::{
    Analyzer, arabic, bengali, fold, french, german, hindi, indic, indonesian, persian, porter, romance, snowball,
    standard, telugu, thai, whitespace,
};
use crate::error::Result;
use std::borrow::Cow;

/// Languages with a chain, in the order of their codes.
pub const LANGS: [&str; 29] = [
    "ar", "bn", "da", "de", "en", "es", "fa", "fi", "fr", "ha", "hi", "hu", "id", "it", "ko", "nl", "no", "pl", "pt",
    "ru", "so", "sv", "sw", "te", "th", "tr", "uk", "yo", "zh",
];

/// What finds the tokens.
#[derive(Clone, Copy)]
enum Tokenizer {
    Standard,
    Whitespace,
    Thai,
}

/// What changes tokens or drops them.
enum Filter {
    Map(fn(&mut Units)),
    Elide(WordSet),
    Stop(WordSet),
}

impl Filter {
    /// Whether the token goes on.
    fn pass(&self, token: &mut Units) -> bool {
        match self {
            Self::Map(map) => map(token),
            Self::Elide(articles) => fold::elide(token, articles),
            Self::Stop(words) => return !words.contains(token),
        }
        true
    }
}

/// One chain.
pub(crate) struct Chain {
    characters: Option<fn(&str) -> Cow<'_, str>>,
    tokenizer: Tokenizer,
    filters: Vec<Filter>,
    /// Filters that follow on pairs of characters; `None` where no pairs are made.
    after_pairs: Option<Vec<Filter>>,
}

fn stop(words: &str) -> Filter {
    Filter::Stop(WordSet::of_lines(words))
}

macro_rules! stop {
    ($file:literal) => {
        stop(include_str!(concat!("words/stop-", $file, ".txt")))
    };
}

impl Chain {
    /// The chain of a code of [`LANGS`].
    pub(crate) fn new(code: &str) -> Option<Self> {
        use Filter::Map;
        let lower = || Map(fold::lower_case);
        let digits = || Map(fold::decimal_digits);
        let filters = match code {
            "ha" | "so" | "sw" | "yo" => return Some(Self::with(Tokenizer::Whitespace, Vec::new())),
            "th" => return Some(Self::with(Tokenizer::Thai, vec![lower(), digits(), stop!("th")])),
            "ko" | "zh" => {
                let chain = Self::with(Tokenizer::Standard, vec![Map(fold::cjk_width), lower()]);
                return Some(Self { after_pairs: Some(vec![stop!("cjk")]), ..chain });
            }
            "ar" => vec![lower(), digits(), stop!("ar"), Map(arabic::normalize), Map(arabic::stem)],
            "bn" => {
                vec![lower(), digits(), Map(indic::normalize), Map(bengali::normalize), stop!("bn"), Map(bengali::stem)]
            }
            "da" => vec![lower(), stop!("da"), Map(snowball::danish)],
            "de" => vec![lower(), stop!("de"), Map(german::normalize), Map(german::stem)],
            "en" => vec![Map(fold::english_possessive), lower(), stop!("en"), Map(porter::stem)],
            "es" => vec![lower(), stop!("es"), Map(romance::stem_spanish)],
            "fa" => vec![lower(), digits(), Map(arabic::normalize), Map(persian::normalize), stop!("fa")],
            "fi" => vec![lower(), stop!("fi"), Map(snowball::finnish)],
            "fr" => vec![articles(include_str!("words/elision-fr.txt")), lower(), stop!("fr"), Map(french::stem)],
            "hi" => {
                vec![lower(), digits(), Map(indic::normalize), Map(hindi::normalize), stop!("hi"), Map(hindi::stem)]
            }
            "hu" => vec![lower(), stop!("hu"), Map(snowball::hungarian)],
            "id" => vec![lower(), stop!("id"), Map(indonesian::stem)],
            "it" => {
                vec![articles(include_str!("words/elision-it.txt")), lower(), stop!("it"), Map(romance::stem_italian)]
            }
            "nl" => vec![lower(), stop!("nl"), Map(snowball::dutch)],
            "no" => vec![lower(), stop!("no"), Map(snowball::norwegian)],
            "pl" => vec![lower(), Map(snowball::polish)],
            "pt" => vec![lower(), stop!("pt"), Map(romance::stem_portuguese)],
            "ru" => vec![lower(), stop!("ru"), Map(snowball::russian)],
            "sv" => vec![lower(), stop!("sv"), Map(snowball::swedish)],
            "te" => vec![digits(), Map(indic::normalize), Map(telugu::normalize), stop!("te"), Map(telugu::stem)],
            "tr" => {
                vec![Map(fold::cut_at_apostrophe), Map(fold::turkish_lower_case), stop!("tr"), Map(snowball::turkish)]
            }
            "uk" => vec![lower(), stop!("uk"), Map(snowball::ukrainian)],
            _ => return None,
        };
        let characters: Option<fn(&str) -> Cow<'_, str>> = match code {
            "fa" => Some(part_at_non_joiners),
            "uk" => Some(ukrainian_characters),
            _ => None,
        };
        Some(Self { characters, ..Self::with(Tokenizer::Standard, filters) })
    }

    fn with(tokenizer: Tokenizer, filters: Vec<Filter>) -> Self {
        Self { characters: None, tokenizer, filters, after_pairs: None }
    }

    fn filter(&self, token: &mut Units) -> bool {
        self.filters.iter().all(|filter| filter.pass(token))
    }

    /// Gives the pairs of characters and the words between them.
    fn each_pair(&self, text: &str, after: &[Filter], give: &mut dyn FnMut(&Units)) {
        let (mut bigrams, mut token) = (Bigrams::new(), Units::new());
        let mut found = |token: &mut Units| {
            if after.iter().all(|filter| filter.pass(token)) {
                give(token);
            }
        };
        standard::each_token(text, |kind, at, word| {
            fill(&mut token, word);
            if self.filter(&mut token) {
                bigrams.take(kind, at, at + word.len(), &mut token, &mut found);
            }
        });
        bigrams.flush(&mut found);
    }
}

fn articles(words: &str) -> Filter {
    Filter::Elide(WordSet::of_lines(words))
}

fn fill(token: &mut Units, word: &str) {
    token.clear();
    match word.is_ascii() {
        true => token.extend(word.bytes().map(u16::from)),
        false => token.extend(word.encode_utf16()),
    }
}

impl Analyzer for Chain {
    fn each_token(&self, text: &str, found: &mut dyn FnMut(&str)) -> Result<()> {
        let text = self.characters.map_or(Cow::Borrowed(text), |map| map(text));
        let mut utf8 = String::new();
        let mut give = |token: &Units| {
            utf8.clear();
            utf8.extend(char::decode_utf16(token.iter().copied()).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)));
            found(&utf8);
        };
        if let Some(after) = &self.after_pairs {
            self.each_pair(&text, after, &mut give);
            return Ok(());
        }
        let mut token = Units::new();
        let mut word = |word: &str| {
            fill(&mut token, word);
            if self.filter(&mut token) {
                give(&token);
            }
        };
        match self.tokenizer {
            Tokenizer::Standard => standard::each_token(&text, |_, _, found| word(found)),
            Tokenizer::Whitespace => whitespace::each_token(&text, word),
            Tokenizer::Thai => thai::each_token(&text, word),
        }
        Ok(())
    }
}

/// `PersianCharFilter`: a zero-width non-joiner parts words.
fn part_at_non_joiners(text: &str) -> Cow<'_, str> {
    match text.contains('\u{200c}') {
        true => text.replace('\u{200c}', " ").into(),
        false => text.into(),
    }
}

/// The `MappingCharFilter` of Ukrainian: one apostrophe, no stress marks, г for ґ.
fn ukrainian_characters(text: &str) -> Cow<'_, str> {
    let mapped = |c: char| match c {
        '\u{2019}' | '\u{2018}' | '\u{2bc}' | '`' | '´' => Some('\''),
        '\u{301}' | '\u{ad}' => None,
        'ґ' => Some('г'),
        'Ґ' => Some('Г'),
        c => Some(c),
    };
    match text.chars().all(|c| mapped(c) == Some(c)) {
        true => text.into(),
        false => text.chars().filter_map(mapped).collect::<String>().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::affix::stemmed;
    use super::*;
    use isogloss_ir::reader::Lines;
    use std::path::Path;

    #[test]
    fn stems_are_lucenes() {
        let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/bm25/stems");
        let mut langs = 0;
        for lang in LANGS {
            let Ok(mut lines) = Lines::open(&golden.join(format!("{lang}.tsv.zst"))) else { continue };
            let (chain, mut line, mut pairs) = (Chain::new(lang).unwrap(), String::new(), 0);
            let Some(Filter::Map(stem)) = chain.filters.last() else { panic!("{lang} has no stemmer") };
            while lines.next_line(&mut line).unwrap() {
                let (word, want) = line.split_once('\t').unwrap();
                assert_eq!(stemmed(stem, word), want, "{lang} {word}");
                pairs += 1;
            }
            assert!(pairs > 400, "{lang}");
            langs += 1;
        }
        assert_eq!(langs, 19);
    }

    #[test]
    fn every_code_has_a_chain() {
        assert!(LANGS.is_sorted() && LANGS.iter().all(|code| Chain::new(code).is_some()));
        assert!(Chain::new("xx").is_none());
    }

    #[test]
    fn lone_characters_stay_and_neighbours_pair() {
        let chain = Chain::new("zh").unwrap();
        assert_eq!(chain.tokens("中 国人abc的").unwrap(), ["中", "国人", "abc", "的"]);
        assert_eq!(chain.tokens("the ＡＢ 한국어").unwrap(), ["ab", "한국", "국어"]);
    }
}
