//! `IndicNormalizer`: one spelling for letters and vowel signs that look alike when composed.

use super::unicode::Units;

const DEVANAGARI: u16 = 1;
const BENGALI: u16 = 2;
const GURMUKHI: u16 = 4;
const GUJARATI: u16 = 8;
const ORIYA: u16 = 16;
const TAMIL: u16 = 32;
const TELUGU: u16 = 64;
const KANNADA: u16 = 128;
const MALAYALAM: u16 = 256;

/// Where the block of each script begins; each has 128 places.
const BLOCKS: [(u16, u16); 9] = [
    (0x900, DEVANAGARI),
    (0x980, BENGALI),
    (0xa00, GURMUKHI),
    (0xa80, GUJARATI),
    (0xb00, ORIYA),
    (0xb80, TAMIL),
    (0xc00, TELUGU),
    (0xc80, KANNADA),
    (0xd00, MALAYALAM),
];

/// No third part.
const NONE: u8 = 0x80;
/// A zero-width joiner.
const ZWJ: u8 = 0xff;

/// Two or three parts as places in the block, the place of the whole, and the scripts it holds for; the first row that
/// fits is taken.
#[rustfmt::skip]
const COMPOSED: [(u8, u8, u8, u8, u16); 72] = [
    (0x05, 0x3e, 0x45, 0x11, DEVANAGARI | GUJARATI),
    (0x05, 0x3e, 0x46, 0x12, DEVANAGARI),
    (0x05, 0x3e, 0x47, 0x13, DEVANAGARI | GUJARATI),
    (0x05, 0x3e, 0x48, 0x14, DEVANAGARI | GUJARATI),
    (0x05, 0x3e, NONE, 0x06, DEVANAGARI | BENGALI | GURMUKHI | GUJARATI | ORIYA),
    (0x05, 0x45, NONE, 0x72, DEVANAGARI),
    (0x05, 0x45, NONE, 0x0d, GUJARATI),
    (0x05, 0x46, NONE, 0x04, DEVANAGARI),
    (0x05, 0x47, NONE, 0x0f, GUJARATI),
    (0x05, 0x48, NONE, 0x10, GURMUKHI | GUJARATI),
    (0x05, 0x49, NONE, 0x11, DEVANAGARI | GUJARATI),
    (0x05, 0x4a, NONE, 0x12, DEVANAGARI),
    (0x05, 0x4b, NONE, 0x13, DEVANAGARI | GUJARATI),
    (0x05, 0x4c, NONE, 0x14, DEVANAGARI | GURMUKHI | GUJARATI),
    (0x06, 0x45, NONE, 0x11, DEVANAGARI | GUJARATI),
    (0x06, 0x46, NONE, 0x12, DEVANAGARI),
    (0x06, 0x47, NONE, 0x13, DEVANAGARI | GUJARATI),
    (0x06, 0x48, NONE, 0x14, DEVANAGARI | GUJARATI),
    (0x07, 0x57, NONE, 0x08, MALAYALAM),
    (0x09, 0x41, NONE, 0x0a, DEVANAGARI),
    (0x09, 0x57, NONE, 0x0a, TAMIL | MALAYALAM),
    (0x0e, 0x46, NONE, 0x10, MALAYALAM),
    (0x0f, 0x45, NONE, 0x0d, DEVANAGARI),
    (0x0f, 0x46, NONE, 0x0e, DEVANAGARI),
    (0x0f, 0x47, NONE, 0x10, DEVANAGARI),
    (0x0f, 0x57, NONE, 0x10, ORIYA),
    (0x12, 0x3e, NONE, 0x13, MALAYALAM),
    (0x12, 0x4c, NONE, 0x14, TELUGU | KANNADA),
    (0x12, 0x55, NONE, 0x13, TELUGU),
    (0x12, 0x57, NONE, 0x14, TAMIL | MALAYALAM),
    (0x13, 0x57, NONE, 0x14, ORIYA),
    (0x15, 0x3c, NONE, 0x58, DEVANAGARI),
    (0x16, 0x3c, NONE, 0x59, DEVANAGARI | GURMUKHI),
    (0x17, 0x3c, NONE, 0x5a, DEVANAGARI | GURMUKHI),
    (0x1c, 0x3c, NONE, 0x5b, DEVANAGARI | GURMUKHI),
    (0x21, 0x3c, NONE, 0x5c, DEVANAGARI | BENGALI | ORIYA),
    (0x22, 0x3c, NONE, 0x5d, DEVANAGARI | BENGALI | ORIYA),
    (0x23, 0x4d, ZWJ,  0x7a, MALAYALAM),
    (0x24, 0x4d, ZWJ,  0x4e, BENGALI),
    (0x28, 0x3c, NONE, 0x29, DEVANAGARI),
    (0x28, 0x4d, ZWJ,  0x7b, MALAYALAM),
    (0x2b, 0x3c, NONE, 0x5e, DEVANAGARI | GURMUKHI),
    (0x2f, 0x3c, NONE, 0x5f, DEVANAGARI | BENGALI),
    (0x2c, 0x41, 0x41, 0x0b, TELUGU),
    (0x30, 0x3c, NONE, 0x31, DEVANAGARI),
    (0x30, 0x4d, ZWJ,  0x7c, MALAYALAM),
    (0x32, 0x4d, ZWJ,  0x7d, MALAYALAM),
    (0x33, 0x3c, NONE, 0x34, DEVANAGARI),
    (0x33, 0x4d, ZWJ,  0x7e, MALAYALAM),
    (0x35, 0x41, NONE, 0x2e, TELUGU),
    (0x3e, 0x45, NONE, 0x49, DEVANAGARI | GUJARATI),
    (0x3e, 0x46, NONE, 0x4a, DEVANAGARI),
    (0x3e, 0x47, NONE, 0x4b, DEVANAGARI | GUJARATI),
    (0x3e, 0x48, NONE, 0x4c, DEVANAGARI | GUJARATI),
    (0x3f, 0x55, NONE, 0x40, KANNADA),
    (0x41, 0x41, NONE, 0x42, GURMUKHI),
    (0x46, 0x3e, NONE, 0x4a, TAMIL | MALAYALAM),
    (0x46, 0x42, 0x55, 0x4b, KANNADA),
    (0x46, 0x42, NONE, 0x4a, KANNADA),
    (0x46, 0x46, NONE, 0x48, MALAYALAM),
    (0x46, 0x55, NONE, 0x47, TELUGU | KANNADA),
    (0x46, 0x56, NONE, 0x48, TELUGU | KANNADA),
    (0x46, 0x57, NONE, 0x4c, TAMIL | MALAYALAM),
    (0x47, 0x3e, NONE, 0x4b, BENGALI | ORIYA | TAMIL | MALAYALAM),
    (0x47, 0x57, NONE, 0x4c, BENGALI | ORIYA),
    (0x4a, 0x55, NONE, 0x4b, KANNADA),
    (0x72, 0x3f, NONE, 0x07, GURMUKHI),
    (0x72, 0x40, NONE, 0x08, GURMUKHI),
    (0x72, 0x47, NONE, 0x0f, GURMUKHI),
    (0x73, 0x41, NONE, 0x09, GURMUKHI),
    (0x73, 0x42, NONE, 0x0a, GURMUKHI),
    (0x73, 0x4b, NONE, 0x13, GURMUKHI),
];

/// Composes what can be composed, each place once.
pub(crate) fn normalize(word: &mut Units) {
    for i in 0.. {
        let Some(&[first, second]) = word.get(i..i + 2) else { return };
        let Some(base) = block(first).filter(|_| block(first) == block(second)) else { continue };
        let third = match word.get(i + 2) {
            Some(0x200d) => ZWJ,
            Some(&unit) if block(unit) == Some(base) => (unit - base.0) as u8,
            _ => NONE,
        };
        let (first, second) = ((first - base.0) as u8, (second - base.0) as u8);
        let fits = |row: &&(u8, u8, u8, u8, u16)| {
            row.0 == first && row.1 == second && (row.2 == NONE || row.2 == third) && row.4 & base.1 != 0
        };
        if let Some(row) = COMPOSED.iter().find(fits) {
            let end = if row.2 == NONE { i + 2 } else { i + 3 };
            word.splice(i..end, [base.0 + u16::from(row.3)]);
        }
    }
}

/// Beginning and script of the block that `unit` is in.
fn block(unit: u16) -> Option<(u16, u16)> {
    match unit {
        0x900..0xd80 => BLOCKS.into_iter().find(|block| block.0 == unit & !0x7f),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::affix::stemmed;
    use super::normalize;

    #[test]
    fn parts_become_one_letter() {
        assert_eq!(stemmed(normalize, "क\u{93c}लम"), "\u{958}लम");
        assert_eq!(stemmed(normalize, "অা"), "আ");
        assert_eq!(stemmed(normalize, "ত\u{9cd}\u{200d}"), "ৎ");
        assert_eq!(stemmed(normalize, "కం"), "కం");
    }
}
