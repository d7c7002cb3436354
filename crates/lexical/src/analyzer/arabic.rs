//! Arabic: `ArabicNormalizer` and `ArabicStemmer`, the light10 of Larkey et al.

use super::affix::{begins, drop_last, ends};
use super::unicode::Units;

/// Folds alefs, dotless yeh and teh marbuta; drops tatweel and the vowel marks.
pub(crate) fn normalize(word: &mut Units) {
    word.retain(|unit| !matches!(unit, 0x640 | 0x64b..=0x652));
    for unit in word {
        *unit = match *unit {
            0x622 | 0x623 | 0x625 => 0x627,
            0x649 => 0x64a,
            0x629 => 0x647,
            other => other,
        };
    }
}

/// Takes off one prefix, then each suffix in turn, where two letters are left (three after a lone waw).
pub(crate) fn stem(word: &mut Units) {
    let prefix = ["ال", "وال", "بال", "كال", "فال", "لل", "و"].into_iter().find(|prefix| {
        let n = prefix.chars().count();
        word.len() >= (n + 2).max(4) && begins(word, prefix)
    });
    if let Some(prefix) = prefix {
        word.drain(..prefix.chars().count());
    }
    for suffix in ["ها", "ان", "ات", "ون", "ين", "يه", "ية", "ه", "ة", "ي"] {
        let n = suffix.chars().count();
        if word.len() >= n + 2 && ends(word, suffix) {
            drop_last(word, n);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::affix::stemmed;
    use super::*;

    #[test]
    fn prefixes_and_suffixes_leave_two_letters() {
        assert_eq!(stemmed(stem, "والكتاب"), "كتاب");
        assert_eq!(stemmed(stem, "ساهدهات"), "ساهد");
        assert_eq!(stemmed(stem, "ولد"), "ولد");
        assert_eq!(stemmed(normalize, "إِلـى"), "الي");
    }
}
