//! Indonesian: `IndonesianStemmer`, after Tala (2003), inflection and derivation.

use super::affix::{begins, drop_last, ends, letter};
use super::unicode::Units;

/// Which prefix was taken off: it decides which suffix may follow.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Removed {
    Ke,
    Peng,
    Di,
    Meng,
    Ter,
    Ber,
    Pe,
}

/// Takes off particle, possessive, prefixes and suffix while more than two syllables are left.
pub(crate) fn stem(word: &mut Units) {
    let syllables = word.iter().filter(|&&unit| is_vowel(unit)).count();
    let mut stem = Stem { word, syllables, removed: Vec::with_capacity(2) };
    stem.ending(&["kah", "lah", "pun"]);
    stem.ending(&["ku", "mu", "nya"]);
    if stem.first_prefix() {
        if stem.suffix() {
            stem.second_prefix();
        }
    } else {
        stem.second_prefix();
        stem.suffix();
    }
}

fn is_vowel(unit: u16) -> bool {
    matches!(letter(unit), 'a' | 'e' | 'i' | 'o' | 'u')
}

struct Stem<'a> {
    word: &'a mut Units,
    syllables: usize,
    removed: Vec<Removed>,
}

impl Stem<'_> {
    fn ending(&mut self, endings: &[&str]) -> bool {
        let found = endings.iter().find(|ending| ends(self.word, ending)).filter(|_| self.syllables > 2);
        if let Some(ending) = found {
            drop_last(self.word, ending.len());
            self.syllables -= 1;
        }
        found.is_some()
    }

    /// Replaces the first `n` units by `by`; a syllable goes with them.
    fn prefix(&mut self, n: usize, by: &str, removed: Option<Removed>) -> bool {
        self.word.splice(..n, by.encode_utf16());
        self.syllables -= 1;
        self.removed.extend(removed);
        true
    }

    fn vowel_at(&self, at: usize) -> bool {
        self.word.get(at).is_some_and(|&unit| is_vowel(unit))
    }

    fn first_prefix(&mut self) -> bool {
        use Removed::*;
        if self.syllables <= 2 {
            return false;
        }
        let starts = |prefix| begins(self.word, prefix);
        match () {
            _ if starts("meng") => self.prefix(4, "", Some(Meng)),
            _ if starts("meny") && self.vowel_at(4) => self.prefix(4, "s", Some(Meng)),
            _ if starts("men") || starts("mem") => self.prefix(3, "", Some(Meng)),
            _ if starts("me") => self.prefix(2, "", Some(Meng)),
            _ if starts("peng") => self.prefix(4, "", Some(Peng)),
            _ if starts("peny") && self.vowel_at(4) => self.prefix(4, "s", Some(Peng)),
            _ if starts("peny") => self.prefix(4, "", Some(Peng)),
            _ if starts("pen") && self.vowel_at(3) => self.prefix(3, "t", Some(Peng)),
            _ if starts("pen") || starts("pem") => self.prefix(3, "", Some(Peng)),
            _ if starts("di") => self.prefix(2, "", Some(Di)),
            _ if starts("ter") => self.prefix(3, "", Some(Ter)),
            _ if starts("ke") => self.prefix(2, "", Some(Ke)),
            _ => false,
        }
    }

    fn second_prefix(&mut self) -> bool {
        use Removed::*;
        if self.syllables <= 2 {
            return false;
        }
        let starts = |prefix| begins(self.word, prefix);
        let whole = |word| self.word.len() == 7 && begins(self.word, word);
        let be_er = starts("be") && self.word.len() > 4 && !self.vowel_at(2) && begins(&self.word[3..], "er");
        match () {
            _ if starts("ber") || whole("belajar") => self.prefix(3, "", Some(Ber)),
            _ if be_er => self.prefix(2, "", Some(Ber)),
            _ if starts("per") || whole("pelajar") => self.prefix(3, "", None),
            _ if starts("pe") => self.prefix(2, "", Some(Pe)),
            _ => false,
        }
    }

    fn suffix(&mut self) -> bool {
        use Removed::*;
        let none_of = |prefixes: &[Removed]| !self.removed.iter().any(|removed| prefixes.contains(removed));
        let i = ends(self.word, "i") && !ends(self.word, "si");
        let suffix = match () {
            _ if ends(self.word, "kan") && none_of(&[Ke, Peng, Pe]) => "kan",
            _ if ends(self.word, "an") && none_of(&[Di, Meng, Ter]) => "an",
            _ if i && none_of(&[Ber, Ke, Peng]) => "i",
            _ => return false,
        };
        self.ending(&[suffix])
    }
}

#[cfg(test)]
mod tests {
    use super::super::affix::stemmed;
    use super::*;

    #[test]
    fn prefixes_decide_about_suffixes() {
        for (word, want) in [("bukukah", "buku"), ("membacakan", "baca"), ("penyanyi", "sanyi"), ("belajar", "ajar")] {
            assert_eq!(stemmed(stem, word), want, "{word}");
        }
    }
}
