//! What the stemmers share: endings compared in UTF-16 units.

use super::unicode::Units;

/// The unit as a character; half of a pair is none that any rule names.
pub(crate) fn letter(unit: u16) -> char {
    char::from_u32(u32::from(unit)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// The unit `back` places from the end, the last being 1.
///
/// # Panics
/// Where the word is shorter.
pub(crate) fn last(word: &[u16], back: usize) -> char {
    letter(word[word.len() - back])
}

/// Writes `c`, of plane 0, `back` places from the end.
pub(crate) fn set_last(word: &mut [u16], back: usize, c: char) {
    let at = word.len() - back;
    word[at] = c as u16;
}

/// Whether `word` ends in `ending`, whose characters are of plane 0.
pub(crate) fn ends(word: &[u16], ending: &str) -> bool {
    let mut units = word.iter().rev();
    ending.chars().rev().all(|c| units.next().is_some_and(|&unit| u32::from(unit) == c as u32))
}

/// Whether `word` begins with `beginning`, whose characters are of plane 0.
pub(crate) fn begins(word: &[u16], beginning: &str) -> bool {
    let mut units = word.iter();
    beginning.chars().all(|c| units.next().is_some_and(|&unit| u32::from(unit) == c as u32))
}

/// Removes the last `n` units.
pub(crate) fn drop_last(word: &mut Units, n: usize) {
    word.truncate(word.len() - n);
}

/// Removes the first ending found, where two units at least are left.
///
/// `groups` are endings of one length each, apart by spaces, the longest first.
pub(crate) fn strip_longest(word: &mut Units, groups: &[&str]) {
    for group in groups {
        let n = group.split(' ').next().map_or(0, |ending| ending.chars().count());
        if word.len() > n + 1 && group.split(' ').any(|ending| ends(word, ending)) {
            return drop_last(word, n);
        }
    }
}

#[cfg(test)]
pub(crate) fn stemmed(stem: impl Fn(&mut Units), word: &str) -> String {
    let mut units = word.encode_utf16().collect();
    stem(&mut units);
    String::from_utf16(&units).unwrap()
}
