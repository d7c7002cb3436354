//! German: `GermanNormalizationFilter` (after Snowball's German2) and `GermanLightStemmer` (Savoy's UniNE).

use super::affix::{drop_last, ends, last, letter};
use super::unicode::Units;

/// What the last letter says of an `e` that follows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    Other,
    Vowel,
    /// An `e` here writes an umlaut and is dropped.
    Umlaut,
}

/// Folds umlauts, also those written with `e`, and ß to ss.
pub(crate) fn normalize(word: &mut Units) {
    let mut after = After::Other;
    let mut out = Vec::with_capacity(word.len() + 1);
    for &unit in word.iter() {
        let (folded, next) = match letter(unit) {
            'a' | 'o' => (unit, After::Umlaut),
            'u' => (unit, if after == After::Other { After::Umlaut } else { After::Vowel }),
            'e' if after == After::Umlaut => {
                after = After::Vowel;
                continue;
            }
            'e' | 'i' | 'q' | 'y' => (unit, After::Vowel),
            'ä' => ('a' as u16, After::Vowel),
            'ö' => ('o' as u16, After::Vowel),
            'ü' => ('u' as u16, After::Vowel),
            'ß' => {
                out.push('s' as u16);
                ('s' as u16, After::Other)
            }
            _ => (unit, After::Other),
        };
        out.push(folded);
        after = next;
    }
    *word = out;
}

/// Folds accents and takes off one ending of each of two steps.
pub(crate) fn stem(word: &mut Units) {
    for unit in word.iter_mut() {
        *unit = match letter(*unit) {
            'ä' | 'à' | 'á' | 'â' => 'a',
            'ö' | 'ò' | 'ó' | 'ô' => 'o',
            'ï' | 'ì' | 'í' | 'î' => 'i',
            'ü' | 'ù' | 'ú' | 'û' => 'u',
            _ => continue,
        } as u16;
    }
    let inflection = first_ending(word);
    drop_last(word, inflection);
    let degree = second_ending(word);
    drop_last(word, degree);
}

fn takes_st(c: char) -> bool {
    matches!(c, 'b' | 'd' | 'f' | 'g' | 'h' | 'k' | 'l' | 'm' | 'n' | 't')
}

fn first_ending(word: &[u16]) -> usize {
    let one_of = |endings: &[&str]| endings.iter().any(|ending| ends(word, ending));
    match word.len() {
        6.. if ends(word, "ern") => 3,
        5.. if one_of(&["em", "en", "er", "es"]) => 2,
        4.. if ends(word, "e") => 1,
        4.. if ends(word, "s") && takes_st(last(word, 2)) => 1,
        _ => 0,
    }
}

fn second_ending(word: &[u16]) -> usize {
    match word.len() {
        6.. if ends(word, "est") => 3,
        5.. if ends(word, "er") || ends(word, "en") => 2,
        5.. if ends(word, "st") && takes_st(last(word, 3)) => 2,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::affix::stemmed;
    use super::*;

    #[test]
    fn umlauts_and_their_spellings_meet() {
        assert_eq!(stemmed(normalize, "weiß"), "weiss");
        assert_eq!(stemmed(normalize, "muelleräöü"), "mulleraou");
        assert_eq!(stemmed(normalize, "quelle"), "quelle");
        assert_eq!(stemmed(stem, "hausern"), "haus");
    }
}
