//! Hindi: `HindiNormalizer` (Pingali & Varma; Larkey et al.) and `HindiStemmer` (Ramanathan & Rao, 2003).

use super::affix::strip_longest;
use super::unicode::Units;

/// Folds nukta letters, candra and short vowels, long vowels to short; drops nukta, virama and joiners.
pub(crate) fn normalize(word: &mut Units) {
    let mut i = 0;
    while i < word.len() {
        word[i] = match word[i] {
            0x928 if word.get(i + 1) == Some(&0x94d) => {
                word.remove(i + 1);
                0x902
            }
            0x93c | 0x94d | 0x200c | 0x200d => {
                word.remove(i);
                continue;
            }
            unit => folded(unit),
        };
        i += 1;
    }
}

fn folded(unit: u16) -> u16 {
    match unit {
        0x901 => 0x902,
        0x929 => 0x928,
        0x931 => 0x930,
        0x934 => 0x933,
        0x958 => 0x915,
        0x959 => 0x916,
        0x95a => 0x917,
        0x95b => 0x91c,
        0x95c => 0x921,
        0x95d => 0x922,
        0x95e => 0x92b,
        0x95f => 0x92f,
        0x945 | 0x946 | 0x948 => 0x947,
        0x949 | 0x94a | 0x94c => 0x94b,
        0x90d | 0x90e | 0x910 => 0x90f,
        0x911 | 0x912 | 0x914 => 0x913,
        0x972 | 0x906 => 0x905,
        0x908 => 0x907,
        0x90a => 0x909,
        0x960 => 0x90b,
        0x961 => 0x90c,
        0x940 => 0x93f,
        0x942 => 0x941,
        0x944 => 0x943,
        0x963 => 0x962,
        unit => unit,
    }
}

/// Takes off one ending.
pub(crate) fn stem(word: &mut Units) {
    strip_longest(word, &ENDINGS);
}

const ENDINGS: [&str; 5] = [
    "ाएंगी ाएंगे ाऊंगी ाऊंगा ाइयाँ ाइयों ाइयां",
    "ाएगी ाएगा ाओगी ाओगे एंगी ेंगी एंगे ेंगे ूंगी ूंगा ातीं नाओं नाएं ताओं ताएं ियाँ ियों ियां",
    "ाकर ाइए ाईं ाया ेगी ेगा ोगी ोगे ाने ाना ाते ाती ाता तीं ाओं ाएं ुओं ुएं ुआं",
    "कर ाओ िए ाई ाए ने नी ना ते ीं ती ता ाँ ां ों ें",
    "ो े ू ु ी ि ा",
];

#[cfg(test)]
mod tests {
    use super::super::affix::stemmed;
    use super::*;

    #[test]
    fn every_group_holds_endings_of_one_length() {
        for group in ENDINGS {
            let lengths: Vec<usize> = group.split(' ').map(|ending| ending.chars().count()).collect();
            assert!(lengths.iter().all(|&n| n == lengths[0]), "{group}");
        }
    }

    #[test]
    fn two_letters_stay() {
        assert_eq!(stemmed(stem, "लडकियां"), "लडक");
        assert_eq!(stemmed(stem, "का"), "का");
    }
}
