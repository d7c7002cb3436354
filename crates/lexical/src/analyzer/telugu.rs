//! Telugu: `TeluguNormalizer` and `TeluguStemmer` of Lucene.

use super::affix::strip_longest;
use super::unicode::Units;

/// Folds candrabindu and long vowels, composes split vowels; drops visarga and joiners.
pub(crate) fn normalize(word: &mut Units) {
    let mut i = 0;
    while i < word.len() {
        let composed = match (word[i], word.get(i + 1)) {
            (0xc46, Some(0xc56)) => Some(0xc48),
            (0xc12, Some(0xc55)) => Some(0xc13),
            (0xc12, Some(0xc4c)) => Some(0xc14),
            _ => None,
        };
        if composed.is_some() {
            word.remove(i + 1);
        }
        word[i] = match word[i] {
            0xc03 | 0x200c | 0x200d => {
                word.remove(i);
                continue;
            }
            unit => composed.unwrap_or_else(|| folded(unit)),
        };
        i += 1;
    }
}

fn folded(unit: u16) -> u16 {
    match unit {
        0xc00 | 0xc01 => 0xc02,
        0xc14 => 0xc13,
        0xc10 => 0xc0f,
        0xc06 => 0xc05,
        0xc08 => 0xc07,
        0xc0a => 0xc09,
        0xc40 => 0xc3f,
        0xc42 => 0xc41,
        0xc47 => 0xc46,
        0xc4b => 0xc4a,
        unit => unit,
    }
}

/// Takes off one ending.
pub(crate) fn stem(word: &mut Units) {
    strip_longest(word, &["ళ్ళు డ్లు", "డు ము వు లు ని ను చే కై లో ది కి సు వై పై", "ి ీ ు ూ ె ే ొ ో ా"]);
}
