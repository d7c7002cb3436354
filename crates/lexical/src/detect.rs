//! The language of a text, told from its letters.

use crate::analyzer::Field;
use isogloss_ir::Lang;

/// The field of a text: of its declared language, else of the language it seems to be in, else `icu`.
///
/// Trigrams and scripts decide (whatlang, 70 languages); a guess that is not reliable counts as none.
pub fn field_of(text: &str, declared: Option<Lang>) -> Field {
    match declared {
        Some(lang) => Field::of_lang(lang),
        None => {
            let seen = whatlang::detect(text).filter(whatlang::Info::is_reliable);
            seen.and_then(|info| info.lang().code().parse().ok()).map_or(Field::Icu, Field::of_lang)
        }
    }
}

/// Whether a text is told to be in another language than `lang`.
///
/// Short texts of a script that the language is written in are given the benefit of the doubt: a reliable guess of another language is needed. Of languages
/// that are not among those known (whatlang's 70; not Swahili, Hausa, Yoruba or Somali, say) only texts that are reliably English are told apart, and none of English.
pub fn contradicts(text: &str, lang: Lang) -> bool {
    let Some(guess) = whatlang::detect(text) else { return true };
    match known(lang) {
        Some(lang) if guess.lang() == lang => false,
        Some(lang) => guess.is_reliable() || !guess.script().langs().contains(&lang),
        None => guess.lang() == whatlang::Lang::Eng && guess.is_reliable(),
    }
}

/// The language as whatlang has it.
fn known(lang: Lang) -> Option<whatlang::Lang> {
    let name = match lang.english_name() {
        "Chinese" => "Mandarin",
        "Norwegian" => "Bokmal",
        name => name,
    };
    whatlang::Lang::all().iter().copied().find(|known| known.eng_name() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_contradicts_other_languages_and_not_its_own() {
        let russian = "Сегодня утром мы пошли в библиотеку, чтобы вернуть книги.";
        let english = "This morning we went to the library to bring back our books.";
        let swahili = "Asubuhi hii tulikwenda maktaba kurudisha vitabu vyetu.";
        let told = |text: &str, lang: &str| contradicts(text, lang.parse().unwrap());
        assert!(!told(russian, "ru") && told(russian, "en") && told(russian, "te") && !told(english, "en"));
        assert!(told(english, "de") && told(english, "sw") && !told(swahili, "sw"));
        // Too short to be told reliably, but the script is.
        assert!(!told("Berlin?", "de") && told("Berlin?", "hi") && told("?!", "de"));
        for (text, lang) in [
            ("河は広く、冬の水は冷たい。", "ja"),
            ("这条河很宽，冬天的水很冷。", "zh"),
            ("강은 넓고 물은 차갑다.", "ko"),
        ] {
            assert!(!told(text, lang), "{lang}");
        }
    }

    #[test]
    fn what_is_declared_counts_before_what_is_seen() {
        let russian = "Сегодня утром мы пошли в библиотеку, чтобы вернуть книги.";
        assert_eq!(field_of(russian, None).to_string(), "lucene:ru");
        assert_eq!(field_of(russian, Some("sw".parse().unwrap())).to_string(), "lucene:sw");
        assert_eq!(field_of("హైదరాబాద్ తెలంగాణ రాష్ట్ర రాజధాని నగరం.", None).to_string(), "lucene:te");
        assert_eq!(field_of("x", None), Field::Icu);
    }
}
