//! English: Porter's stemmer (1980) with the changes of its author's own code, as `PorterStemmer` has it.

use super::affix::{drop_last, ends, last, letter};
use super::unicode::Units;

/// Takes off endings in six steps; words of one or two units stay.
pub(crate) fn stem(word: &mut Units) {
    if word.len() < 3 {
        return;
    }
    plural(word);
    past_and_progressive(word);
    if ends(word, "y") && has_vowel(&word[..word.len() - 1]) {
        set_ending(word, 1, "i");
    }
    if word.len() > 1 {
        first_suffix(word, &DOUBLE);
    }
    first_suffix(word, &SINGLE);
    residual(word);
    final_e(word);
}

fn plural(word: &mut Units) {
    if ends(word, "sses") || ends(word, "ies") {
        drop_last(word, 2);
    } else if ends(word, "s") && last(word, 2) != 's' {
        drop_last(word, 1);
    }
}

fn past_and_progressive(word: &mut Units) {
    if ends(word, "eed") {
        if measure(&word[..word.len() - 3]) > 0 {
            drop_last(word, 1);
        }
        return;
    }
    let Some(n) = ["ed", "ing"].iter().find(|ending| ends(word, ending)).map(|ending| ending.len()) else { return };
    if !has_vowel(&word[..word.len() - n]) {
        return;
    }
    drop_last(word, n);
    if ["at", "bl", "iz"].iter().any(|ending| ends(word, ending)) {
        word.push('e' as u16);
    } else if is_doubled(word) {
        if !matches!(last(word, 1), 'l' | 's' | 'z') {
            drop_last(word, 1);
        }
    } else if measure(word) == 1 && is_short(word) {
        word.push('e' as u16);
    }
}

/// Suffixes of two parts and what is left of them; the first that the word ends in is the one tried.
const DOUBLE: [(&str, &str); 21] = [
    ("ational", "ate"),
    ("tional", "tion"),
    ("enci", "ence"),
    ("anci", "ance"),
    ("izer", "ize"),
    ("bli", "ble"),
    ("alli", "al"),
    ("entli", "ent"),
    ("eli", "e"),
    ("ousli", "ous"),
    ("ization", "ize"),
    ("ation", "ate"),
    ("ator", "ate"),
    ("alism", "al"),
    ("iveness", "ive"),
    ("fulness", "ful"),
    ("ousness", "ous"),
    ("aliti", "al"),
    ("iviti", "ive"),
    ("biliti", "ble"),
    ("logi", "log"),
];

/// As [`DOUBLE`], of one part.
const SINGLE: [(&str, &str); 7] =
    [("icate", "ic"), ("ative", ""), ("alize", "al"), ("iciti", "ic"), ("ical", "ic"), ("ful", ""), ("ness", "")];

fn first_suffix(word: &mut Units, suffixes: &[(&str, &str)]) {
    let found = suffixes.iter().find(|(suffix, _)| ends(word, suffix));
    if let Some((suffix, by)) = found
        && measure(&word[..word.len() - suffix.len()]) > 0
    {
        set_ending(word, suffix.len(), by);
    }
}

/// Suffixes that go whole where the stem is long enough.
const RESIDUAL: [&str; 18] = [
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ou", "ism", "ate", "iti", "ous",
    "ive", "ize",
];

fn residual(word: &mut Units) {
    if word.len() < 2 {
        return;
    }
    let ion = ["sion", "tion"].iter().any(|ending| ends(word, ending));
    let n = match RESIDUAL.iter().find(|suffix| ends(word, suffix)) {
        _ if ion => 3,
        Some(suffix) => suffix.len(),
        None => return,
    };
    if measure(&word[..word.len() - n]) > 1 {
        drop_last(word, n);
    }
}

/// Both tests measure the word as it came here.
fn final_e(word: &mut Units) {
    let n = measure(word);
    if ends(word, "e") && (n > 1 || (n == 1 && !is_short(&word[..word.len() - 1]))) {
        drop_last(word, 1);
    }
    if ends(word, "l") && is_doubled(word) && n > 1 {
        drop_last(word, 1);
    }
}

fn set_ending(word: &mut Units, n: usize, by: &str) {
    drop_last(word, n);
    word.extend(by.encode_utf16());
}

/// Whether the unit at `at` counts as a consonant: `y` does at the beginning and after a vowel.
fn is_consonant(word: &[u16], at: usize) -> bool {
    match letter(word[at]) {
        'a' | 'e' | 'i' | 'o' | 'u' => false,
        'y' => at == 0 || !is_consonant(word, at - 1),
        _ => true,
    }
}

fn has_vowel(word: &[u16]) -> bool {
    (0..word.len()).any(|at| !is_consonant(word, at))
}

/// How often a consonant follows a vowel.
fn measure(word: &[u16]) -> usize {
    let (mut n, mut vowel) = (0, false);
    let mut consonant = false;
    for (at, &unit) in word.iter().enumerate() {
        consonant = match letter(unit) {
            'a' | 'e' | 'i' | 'o' | 'u' => false,
            'y' => at == 0 || !consonant,
            _ => true,
        };
        n += usize::from(consonant && vowel);
        vowel = !consonant;
    }
    n
}

/// Whether it ends in one consonant twice.
fn is_doubled(word: &[u16]) -> bool {
    word.len() >= 2 && word[word.len() - 1] == word[word.len() - 2] && is_consonant(word, word.len() - 1)
}

/// Whether it ends in consonant, vowel and a consonant that is not w, x or y.
fn is_short(word: &[u16]) -> bool {
    let n = word.len();
    n >= 3
        && is_consonant(word, n - 1)
        && !is_consonant(word, n - 2)
        && is_consonant(word, n - 3)
        && !matches!(last(word, 1), 'w' | 'x' | 'y')
}

#[cfg(test)]
mod tests {
    use super::super::affix::stemmed;
    use super::*;

    #[test]
    fn porters_own_examples_hold() {
        let pairs = [
            ("caresses", "caress"),
            ("ponies", "poni"),
            ("agreed", "agre"),
            ("hopping", "hop"),
            ("filing", "file"),
            ("relational", "relat"),
            ("vietnamization", "vietnam"),
            ("adoption", "adopt"),
            ("controll", "control"),
            ("ion", "ion"),
            ("aed", "a"),
            ("sky", "sky"),
        ];
        for (word, want) in pairs {
            assert_eq!(stemmed(stem, word), want, "{word}");
        }
    }
}
