//! Persian: `PersianNormalizer`.

use super::unicode::Units;

/// Folds the forms of yeh, kaf and heh; drops a hamza above.
pub(crate) fn normalize(word: &mut Units) {
    word.retain(|&unit| unit != 0x654);
    for unit in word {
        *unit = match *unit {
            0x6cc | 0x6d2 => 0x64a,
            0x6a9 => 0x643,
            0x6c0 | 0x6c1 => 0x647,
            other => other,
        };
    }
}
