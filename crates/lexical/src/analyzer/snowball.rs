//! Stemmers of the Snowball project (BSD) as Lucene 9 carries them: the algorithms of Snowball 2.0.

mod dutch;
mod finnish;
mod hungarian;
mod russian;
mod scandinavian;
mod turkish;

pub(crate) use dutch::stem as dutch;
pub(crate) use finnish::stem as finnish;
pub(crate) use hungarian::stem as hungarian;
pub(crate) use russian::stem as russian;
pub(crate) use scandinavian::{danish, norwegian, swedish};
pub(crate) use turkish::stem as turkish;

use super::affix::{ends, letter};
use super::unicode::Units;
use frostem::{Algorithm, Stemmer};

/// The longest of `endings` (apart by blanks) that `word` ends in, not reaching before `region`.
fn longest<'e>(word: &[u16], region: usize, endings: &'e str) -> Option<&'e str> {
    let tail = word.get(region..)?;
    let &unit = tail.last()?;
    let found = endings.split_ascii_whitespace().filter(|ending| {
        // Most endings fail at their last character.
        ending.chars().next_back().is_some_and(|c| c as u32 == u32::from(unit)) && ends(tail, ending)
    });
    found.max_by_key(|ending| ending.len())
}

/// Behind the first character from `from` on that holds.
fn after(word: &[u16], from: usize, holds: impl Fn(char) -> bool) -> Option<usize> {
    let at = word.get(from..)?.iter().position(|&unit| holds(letter(unit)))?;
    Some(from + at + 1)
}

/// Polish of Snowball 3; Lucene has Morfologik's dictionary.
pub(crate) fn polish(word: &mut Units) {
    through(word, Algorithm::Polish);
}

/// Ukrainian of Snowball 3; Lucene has Morfologik's dictionary.
pub(crate) fn ukrainian(word: &mut Units) {
    through(word, Algorithm::Ukrainian);
}

fn through(word: &mut Units, algorithm: Algorithm) {
    let text = String::from_utf16_lossy(word);
    let stemmed = Stemmer::new(algorithm).stem(&text).into_owned();
    if stemmed != text {
        word.clear();
        word.extend(stemmed.encode_utf16());
    }
}
