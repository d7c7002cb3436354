//! Spanish, Italian and Portuguese: Savoy's light stemmers.

use super::affix::{drop_last, ends, last, letter, set_last};
use super::unicode::Units;

/// Folds vowels with an accent.
fn fold_vowels(word: &mut Units) {
    for unit in word.iter_mut() {
        *unit = match letter(*unit) {
            'à' | 'á' | 'â' | 'ä' => 'a',
            'ò' | 'ó' | 'ô' | 'ö' => 'o',
            'è' | 'é' | 'ê' | 'ë' => 'e',
            'ù' | 'ú' | 'û' | 'ü' => 'u',
            'ì' | 'í' | 'î' | 'ï' => 'i',
            _ => continue,
        } as u16;
    }
}

/// Gender and number, of words of five letters or more.
pub(crate) fn stem_spanish(word: &mut Units) {
    if word.len() < 5 {
        return;
    }
    fold_vowels(word);
    let one_of = |endings: &[&str]| endings.iter().any(|ending| ends(word, ending));
    match () {
        _ if one_of(&["o", "a", "e"]) => drop_last(word, 1),
        _ if ends(word, "eses") => drop_last(word, 2),
        _ if ends(word, "ces") => {
            set_last(word, 3, 'z');
            drop_last(word, 2);
        }
        _ if one_of(&["os", "as", "es"]) => drop_last(word, 2),
        _ => {}
    }
}

/// Gender and number, of words of six letters or more.
pub(crate) fn stem_italian(word: &mut Units) {
    if word.len() < 6 {
        return;
    }
    fold_vowels(word);
    let one_of = |endings: &[&str]| endings.iter().any(|ending| ends(word, ending));
    match () {
        _ if one_of(&["ie", "he", "hi", "ii", "ia", "io"]) => drop_last(word, 2),
        _ if one_of(&["e", "i", "a", "o"]) => drop_last(word, 1),
        _ => {}
    }
}

/// Number, gender and final vowel, of words of four letters or more.
pub(crate) fn stem_portuguese(word: &mut Units) {
    if word.len() < 4 {
        return;
    }
    number(word);
    if word.len() > 3 && ends(word, "a") {
        feminine(word);
    }
    if word.len() > 4 && ["e", "a", "o"].iter().any(|ending| ends(word, ending)) {
        drop_last(word, 1);
    }
    fold_vowels(word);
    for unit in word {
        *unit = match letter(*unit) {
            'ã' => 'a',
            'õ' => 'o',
            'ç' => 'c',
            _ => continue,
        } as u16;
    }
}

fn number(word: &mut Units) {
    let (five, four) = (word.len() > 4, word.len() > 3);
    let one_of = |endings: &[&str]| endings.iter().any(|ending| ends(word, ending));
    // The ending that stands for the old one, and by how much the word is shortened first.
    let (n, by) = match () {
        _ if five && one_of(&["res", "ses", "les", "zes"]) => (2, ""),
        _ if four && ends(word, "ns") => (1, "m"),
        _ if five && one_of(&["eis", "éis"]) => (1, "el"),
        _ if five && ends(word, "ais") => (1, "l"),
        _ if five && ends(word, "óis") => (1, "ol"),
        _ if five && ends(word, "is") => (0, "l"),
        _ if four && one_of(&["ões", "ães"]) => (1, "ão"),
        _ if word.len() > 6 && ends(word, "mente") => (5, ""),
        _ if four && ends(word, "s") => (1, ""),
        _ => return,
    };
    drop_last(word, n);
    write_over(word, by);
}

fn feminine(word: &mut Units) {
    let one_of = |endings: &[&str]| endings.iter().any(|ending| ends(word, ending));
    let (n, by) = match () {
        _ if word.len() > 7 && one_of(&["inha", "iaca", "eira"]) => (0, "o"),
        _ if word.len() <= 6 => return,
        _ if one_of(&["osa", "ica", "ida", "ada", "iva", "ama"]) => (0, "o"),
        _ if ends(word, "ona") => (1, "ão"),
        _ if ends(word, "ora") => (1, ""),
        _ if ends(word, "esa") => (1, "ês"),
        _ if ends(word, "na") => (0, "o"),
        _ => return,
    };
    drop_last(word, n);
    write_over(word, by);
}

fn write_over(word: &mut Units, by: &str) {
    for (back, c) in by.chars().rev().enumerate() {
        set_last(word, back + 1, c);
    }
    debug_assert!(by.is_empty() || last(word, 1) == by.chars().next_back().unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::super::affix::stemmed;
    use super::*;

    #[test]
    fn number_and_gender_go() {
        assert_eq!(stemmed(stem_spanish, "voces"), "voz");
        assert_eq!(stemmed(stem_italian, "ragazzi"), "ragazz");
        assert_eq!(stemmed(stem_portuguese, "leões"), "leao");
        assert_eq!(stemmed(stem_portuguese, "japonesa"), "japones");
    }
}
