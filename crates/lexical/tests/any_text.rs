//! Whatever the text, analysis gives tokens: never a panic, and the same ones each time.

use isogloss_lexical::{Analyzer, Field, analyzer::LANGS};
use proptest::prelude::*;
use std::sync::LazyLock;

static ALL: LazyLock<Vec<(String, Box<dyn Analyzer>)>> = LazyLock::new(|| {
    let fields = LANGS.into_iter().map(Field::Chain).chain([Field::Icu]);
    fields.map(|field| (field.to_string(), field.analyzer(&|_| unreachable!("no subwords")).unwrap())).collect()
});

/// Characters that the rules of some chain name, among any others.
fn text() -> impl Strategy<Value = String> {
    let any = prop_oneof![
        4 => any::<char>(),
        2 => prop::char::range('\u{900}', '\u{d7f}'),
        2 => prop::char::range('\u{600}', '\u{6ff}'),
        2 => prop::char::range('a', 'z'),
        1 => prop::char::range('\u{c0}', '\u{17f}'),
        1 => prop::char::range('\u{e00}', '\u{e7f}'),
        1 => prop::char::range('\u{3000}', '\u{30ff}'),
        1 => prop::char::range('\u{ff00}', '\u{ffef}'),
        1 => prop::char::range('\u{1f1e6}', '\u{1f6ff}'),
        2 => prop::sample::select(vec![' ', '\'', '’', '.', ',', '_', '\u{200c}', '\u{200d}', '\u{fe0f}', '\u{20e3}', '\u{e0020}', '\u{e007f}', '\u{307}', 'I', 'ß']),
    ];
    prop::collection::vec(any, 0..80).prop_map(|chars| chars.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn no_text_is_too_odd(text in text()) {
        for (name, analyzer) in ALL.iter() {
            let tokens = analyzer.tokens(&text).unwrap();
            prop_assert_eq!(&tokens, &analyzer.tokens(&text).unwrap(), "{}", name);
            prop_assert!(tokens.len() <= 2 * text.chars().count(), "{}", name);
        }
    }

    #[test]
    fn words_of_one_letter_repeated_survive_every_stemmer(c in any::<char>(), n in 1usize..600) {
        let text: String = std::iter::repeat_n(c, n).collect();
        for (_, analyzer) in ALL.iter() {
            analyzer.tokens(&text).unwrap();
        }
    }
}
