//! Bengali: `BengaliNormalizer` (UzZaman & Khan's phonetic folding) and `BengaliStemmer` (Sengupta & Chaudhuri; Savoy).

use super::affix::strip_longest;
use super::unicode::Units;

const VIRAMA: u16 = 0x9cd;

/// Folds letters that sound alike, in one pass from left to right.
pub(crate) fn normalize(word: &mut Units) {
    let mut i = 0;
    while i < word.len() {
        // How many places to the left of the next one the pass goes on.
        let back = match word[i] {
            0x981 => {
                word.remove(i);
                1
            }
            0x995 => khio(word, i),
            0x9af => ja_phala(word, i),
            0x9ac => ba_phala(word, i),
            0x983 => {
                visarga(word, i);
                0
            }
            unit => {
                word[i] = folded(unit);
                0
            }
        };
        i = (i + 1) - back;
    }
}

fn folded(unit: u16) -> u16 {
    match unit {
        0x9c0 => 0x9bf,
        0x9c2 => 0x9c1,
        0x999 => 0x982,
        0x9b6 | 0x9b7 => 0x9b8,
        0x9a3 => 0x9a8,
        0x9dc | 0x9dd => 0x9b0,
        0x9ce => 0x9a4,
        unit => unit,
    }
}

/// Ka, virama and the vowel sign i.
fn khio(word: &mut Units, i: usize) -> usize {
    if word.get(i + 1..i + 3) == Some(&[VIRAMA, 0x9bf]) {
        match i {
            0 => drop(word.splice(0..3, [0x996])),
            _ => drop(word.splice(i + 1..i + 3, [0x996])),
        }
    }
    0
}

/// Ya after a virama.
fn ja_phala(word: &mut Units, i: usize) -> usize {
    if i == 0 || word[i - 1] != VIRAMA {
        return 0;
    }
    if i == 2 {
        word[1] = 0x9c7;
        if word.get(3) == Some(&0x9be) {
            word.remove(3);
        }
        word.remove(2);
        return 1;
    }
    word.drain(i - 1..=i);
    2
}

/// Ba after a virama.
fn ba_phala(word: &mut Units, i: usize) -> usize {
    if i < 2 || word[i - 1] != VIRAMA {
        return 0;
    }
    if i == 2 || (i >= 5 && word[i - 3] == VIRAMA) {
        word.drain(i - 1..=i);
        return 2;
    }
    word[i - 1] = word[i - 2];
    word.remove(i);
    1
}

fn visarga(word: &mut Units, i: usize) {
    match word.get(i + 1) {
        Some(&next) => word[i] = next,
        None if word.len() <= 3 => word[i] = 0x9b9,
        None => drop(word.remove(i)),
    }
}

/// Takes off one ending.
pub(crate) fn stem(word: &mut Units) {
    strip_longest(word, &ENDINGS);
}

const ENDINGS: [&str; 8] = [
    "ি\u{9df}াছিলাম িতেছিলাম িতেছিলেন ইতেছিলেন ি\u{9df}াছিলেন ই\u{9df}াছিলেন",
    "িতেছিলি িতেছিলে ি\u{9df}াছিলা ি\u{9df}াছিলে িতেছিলা ি\u{9df}াছিলি \u{9df}েদেরকে",
    "িতেছিস িতেছেন ি\u{9df}াছিস ি\u{9df}াছেন েছিলাম েছিলেন েদেরকে",
    "িতেছি িতেছা িতেছে ছিলাম ছিলেন ি\u{9df}াছি ি\u{9df}াছা ি\u{9df}াছে েছিলে েছিলা \u{9df}েদের দেরকে",
    "িলাম িলেন িতাম িতেন িবেন ছিলি ছিলে ছিলা তেছে িতেছ খানা খানি গুলো গুলি \u{9df}েরা েদের",
    "লাম িলি ইলি িলে ইলে লেন িলা ইলা তাম িতি ইতি িতে ইতে তেন িতা িবা ইবা িবি ইবি বেন িবে ইবে ছেন \u{9df}োন \u{9df}ের েরা দের",
    "িস েন লি লে লা তি তে তা বি বে বা ছি ছা ছে ুন ুক টা টি নি ের তে রা কে",
    "ি ী া ো ে ব ত",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_group_holds_endings_of_one_length() {
        for (group, n) in ENDINGS.iter().zip((1..=8).rev()) {
            assert!(group.split(' ').all(|ending| ending.chars().count() == n), "{group}");
        }
    }
}
