//! Dutch: Porter's stemmer, and the four words that Lucene keeps from it.

use super::super::affix::{drop_last, ends, last, letter};
use super::super::unicode::Units;
use super::{after, longest};

fn is_vowel(c: char) -> bool {
    "aeiouyè".contains(c)
}

/// Stems all but the words of `StemmerOverrideFilter`.
pub(crate) fn stem(word: &mut Units) {
    let whole = |other: &str| word.len() == other.len() && ends(word, other);
    if whole("fiets") || whole("bromfiets") {
        return;
    }
    if whole("ei") || whole("kind") {
        return word.extend("er".encode_utf16());
    }
    mark_consonants(word);
    let first = after(word, 0, is_vowel).and_then(|at| after(word, at, |c| !is_vowel(c)));
    let second = first.and_then(|at| after(word, at, is_vowel)).and_then(|at| after(word, at, |c| !is_vowel(c)));
    let regions = Regions { first: first.map_or(word.len(), |at| at.max(3)), second: second.unwrap_or(word.len()) };
    regions.suffixes(word);
    for unit in word {
        match letter(*unit) {
            'Y' => *unit = 'y' as u16,
            'I' => *unit = 'i' as u16,
            _ => {}
        }
    }
}

/// Folds accents; writes `I` and `Y` for an i between vowels, and a y at the beginning or after one.
fn mark_consonants(word: &mut Units) {
    for unit in word.iter_mut() {
        *unit = match letter(*unit) {
            'ä' | 'á' => 'a',
            'ë' | 'é' => 'e',
            'ï' | 'í' => 'i',
            'ö' | 'ó' => 'o',
            'ü' | 'ú' => 'u',
            _ => continue,
        } as u16;
    }
    if word.first() == Some(&('y' as u16)) {
        word[0] = 'Y' as u16;
    }
    for at in 1..word.len() {
        if !is_vowel(letter(word[at - 1])) {
            continue;
        }
        match letter(word[at]) {
            'i' if word.get(at + 1).is_some_and(|&next| is_vowel(letter(next))) => word[at] = 'I' as u16,
            'y' => word[at] = 'Y' as u16,
            _ => {}
        }
    }
}

/// Where the two regions begin.
struct Regions {
    first: usize,
    second: usize,
}

impl Regions {
    fn suffixes(&self, word: &mut Units) {
        self.inflection(word);
        let e_found = self.e_ending(word);
        if ends(word, "heid") && self.in_second(word, 4) && before(word, 4) != Some('c') {
            drop_last(word, 4);
            if ends(word, "en") {
                self.en_ending(word, 2);
            }
        }
        self.derivation(word, e_found);
        undouble_vowel(word);
    }

    fn in_first(&self, word: &[u16], n: usize) -> bool {
        word.len() >= self.first + n
    }

    fn in_second(&self, word: &[u16], n: usize) -> bool {
        word.len() >= self.second + n
    }

    fn inflection(&self, word: &mut Units) {
        match longest(word, 0, "heden en ene s se") {
            Some("heden") if self.in_first(word, 5) => {
                drop_last(word, 3);
                word.extend("id".encode_utf16());
            }
            Some(en @ ("en" | "ene")) => self.en_ending(word, en.len()),
            Some(s @ ("s" | "se")) if self.in_first(word, s.len()) && before(word, s.len()).is_some_and(parts_s) => {
                drop_last(word, s.len());
            }
            _ => {}
        }
    }

    fn en_ending(&self, word: &mut Units, n: usize) {
        let consonant = before(word, n).is_some_and(|c| !is_vowel(c));
        if self.in_first(word, n) && consonant && !ends(&word[..word.len() - n], "gem") {
            drop_last(word, n);
            undouble(word);
        }
    }

    fn e_ending(&self, word: &mut Units) -> bool {
        let found = ends(word, "e") && self.in_first(word, 1) && before(word, 1).is_some_and(|c| !is_vowel(c));
        if found {
            drop_last(word, 1);
            undouble(word);
        }
        found
    }

    fn derivation(&self, word: &mut Units, e_found: bool) {
        let ending = longest(word, 0, "end ing ig lijk baar bar").filter(|e| self.in_second(word, e.len()));
        match ending {
            Some("end" | "ing") => {
                drop_last(word, 3);
                if !self.ig(word) {
                    undouble(word);
                }
            }
            Some("ig") => drop(self.ig(word)),
            Some("lijk") => {
                drop_last(word, 4);
                self.e_ending(word);
            }
            Some("baar") => drop_last(word, 4),
            Some("bar") if e_found => drop_last(word, 3),
            _ => {}
        }
    }

    fn ig(&self, word: &mut Units) -> bool {
        let found = ends(word, "ig") && self.in_second(word, 2) && before(word, 2) != Some('e');
        if found {
            drop_last(word, 2);
        }
        found
    }
}

/// Whether an s behind it may be an ending.
fn parts_s(c: char) -> bool {
    !is_vowel(c) && c != 'j'
}

/// The character before the last `n`.
fn before(word: &[u16], n: usize) -> Option<char> {
    (word.len() > n).then(|| last(word, n + 1))
}

fn undouble(word: &mut Units) {
    if ["kk", "dd", "tt"].iter().any(|pair| ends(word, pair)) {
        drop_last(word, 1);
    }
}

/// `maan` gives `man`: a doubled vowel between consonants.
fn undouble_vowel(word: &mut Units) {
    let n = word.len();
    if n < 4 || is_vowel(last(word, 1)) || last(word, 1) == 'I' || is_vowel(last(word, 4)) {
        return;
    }
    if longest(&word[..n - 1], 0, "aa ee oo uu").is_some() {
        word.remove(n - 2);
    }
}
