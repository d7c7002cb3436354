//! French: `FrenchLightStemmer`, Savoy's UniNE.

use super::affix::{drop_last, ends, last, letter, set_last};
use super::unicode::{Units, is_letter};

/// Takes off plural, then one derivation, then normalises.
pub(crate) fn stem(word: &mut Units) {
    plural(word);
    derivation(word);
    normalize(word);
}

fn plural(word: &mut Units) {
    if word.len() > 5 && ends(word, "x") {
        if ends(word, "aux") && last(word, 4) != 'e' {
            set_last(word, 2, 'l');
        }
        drop_last(word, 1);
    }
    for ending in ["x", "s"] {
        if word.len() > 3 && ends(word, ending) {
            drop_last(word, 1);
        }
    }
}

/// Shortens by `n`, then writes `by` over the end.
fn replace(word: &mut Units, n: usize, by: &str) {
    drop_last(word, n);
    for (back, c) in by.chars().rev().enumerate() {
        set_last(word, back + 1, c);
    }
}

/// Shortest length, ending, units taken off, what is written over the end: the first that fits ends the search.
const FIRST: [(usize, &str, usize, &str); 2] = [(10, "issement", 6, "r"), (9, "issant", 4, "r")];

/// As [`FIRST`], for agents and instruments.
const AGENTS: [(usize, &str, usize, &str); 6] = [
    (12, "ficatrice", 5, "er"),
    (11, "ficateur", 4, "er"),
    (10, "catrice", 3, "quer"),
    (9, "cateur", 2, "quer"),
    (9, "atrice", 4, "er"),
    (8, "ateur", 3, "er"),
];

/// As [`FIRST`].
const ADJECTIVES: [(usize, &str, usize, &str); 10] = [
    (6, "ième", 4, ""),
    (8, "teuse", 2, "r"),
    (7, "teur", 1, "r"),
    (6, "euse", 2, ""),
    (9, "ère", 1, "er"),
    (8, "ive", 1, "f"),
    (5, "folle", 2, "u"),
    (5, "molle", 2, "u"),
    (10, "nnelle", 5, ""),
    (10, "nnel", 3, ""),
];

/// As [`FIRST`].
const NOUNS: [(usize, &str, usize, &str); 5] =
    [(9, "esse", 3, ""), (8, "inage", 3, ""), (10, "isateur", 7, ""), (9, "ation", 5, ""), (9, "ition", 5, "")];

fn one_of(word: &mut Units, rules: &[(usize, &str, usize, &str)]) -> bool {
    let found = rules.iter().find(|rule| word.len() >= rule.0 && ends(word, rule.1));
    if let Some(&(_, _, n, by)) = found {
        replace(word, n, by);
    }
    found.is_some()
}

fn derivation(word: &mut Units) {
    if one_of(word, &FIRST) {
        return;
    }
    if word.len() > 6 && ends(word, "ement") {
        drop_last(word, 4);
        if word.len() > 3 && ends(word, "ive") {
            replace(word, 1, "f");
        }
        return;
    }
    if one_of(word, &AGENTS) {
        return;
    }
    if word.len() > 6 && ends(word, "trice") {
        replace(word, 1, "eur");
    }
    if one_of(word, &ADJECTIVES) {
        return;
    }
    if word.len() > 4 && ends(word, "ète") {
        replace(word, 1, "et");
    }
    if word.len() > 8 && ends(word, "ique") {
        drop_last(word, 4);
    }
    if word.len() > 9 && ends(word, "isation") {
        drop_last(word, 7);
        if word.len() > 5 && ends(word, "ual") {
            set_last(word, 2, 'e');
        }
        return;
    }
    one_of(word, &NOUNS);
}

/// Folds accents and doubled letters, then takes off `ie`, `r` and `e` at the end.
fn normalize(word: &mut Units) {
    if word.len() > 4 {
        for unit in word.iter_mut() {
            *unit = match letter(*unit) {
                'à' | 'á' | 'â' => 'a',
                'ô' => 'o',
                'è' | 'é' | 'ê' => 'e',
                'ù' | 'û' => 'u',
                'î' => 'i',
                'ç' => 'c',
                _ => continue,
            } as u16;
        }
        word.dedup_by(|next, kept| next == kept && is_letter(u32::from(*kept)));
    }
    if word.len() > 4 && ends(word, "ie") {
        drop_last(word, 2);
    }
    if word.len() > 4 {
        for ending in ["r", "e", "e"] {
            if ends(word, ending) {
                drop_last(word, 1);
            }
        }
        if last(word, 1) == last(word, 2) && is_letter(last(word, 1) as u32) {
            drop_last(word, 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::affix::stemmed;
    use super::*;

    #[test]
    fn derivations_meet() {
        for (word, want) in [("chevaux", "cheval"), ("amatrice", "amat"), ("créatrices", "crer"), ("molles", "mou")] {
            assert_eq!(stemmed(stem, word), want, "{word}");
        }
    }
}
