//! The language of a text, told from its letters.

use crate::analyzer::Field;
use isogloss_ir::Lang;

/// The field of a text: of its declared language, else of the language it seems to be in, else `icu`.
///
/// Trigrams and scripts decide (whatlang, 70 languages); a guess that is not reliable counts as none.
pub fn field_of(text: &str, declared: Option<Lang>) -> Field {
    match declared {
        Some(lang) => Field::of_lang(lang.as_str()),
        None => match whatlang::detect(text).filter(whatlang::Info::is_reliable) {
            Some(info) => Field::of_lang(info.lang().code()),
            None => Field::Icu,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_declared_counts_before_what_is_seen() {
        let russian = "Сегодня утром мы пошли в библиотеку, чтобы вернуть книги.";
        assert_eq!(field_of(russian, None).to_string(), "lucene:ru");
        assert_eq!(field_of(russian, Some("sw".parse().unwrap())).to_string(), "lucene:sw");
        assert_eq!(field_of("హైదరాబాద్ తెలంగాణ రాష్ట్ర రాజధాని నగరం.", None).to_string(), "lucene:te");
        assert_eq!(field_of("x", None), Field::Icu);
    }
}
