//! Turkish: Çilden's stemmer of the Snowball project, suffixes by vowel harmony.

use super::super::affix::{ends, last, letter};
use super::super::unicode::Units;
use super::longest;

fn is_vowel(c: char) -> bool {
    "aeıioöuü".contains(c)
}

fn is_high(c: char) -> bool {
    "ıiuü".contains(c)
}

/// Takes suffixes off words of two syllables or more.
pub(crate) fn stem(word: &mut Units) {
    if word.iter().filter(|&&unit| is_vowel(letter(unit))).count() < 2 {
        return;
    }
    let mut stem = Suffixes { word, at: 0, from: 0, noun: true };
    stem.tried(Suffixes::nominal_verb);
    if !stem.noun {
        return;
    }
    stem.at = 0;
    stem.tried(Suffixes::noun);
    if ["ad", "soyad"].iter().any(|name| name.len() == word.len() && ends(word, name)) {
        return;
    }
    append_vowel(word);
    harden(word);
}

/// A stem that ends in d or g most likely lost a vowel.
fn append_vowel(word: &mut Units) {
    if word.is_empty() || !matches!(last(word, 1), 'd' | 'g') {
        return;
    }
    let vowel = word.iter().rev().map(|&unit| letter(unit)).find(|&c| is_vowel(c));
    let appended = match vowel {
        Some('a' | 'ı') => 'ı',
        Some('e' | 'i') => 'i',
        Some('o' | 'u') => 'u',
        Some(_) => 'ü',
        None => return,
    };
    word.push(appended as u16);
}

fn harden(word: &mut Units) {
    if let Some(unit) = word.last_mut() {
        *unit = match letter(*unit) {
            'b' => 'p',
            'c' => 'ç',
            'd' => 't',
            'ğ' => 'k',
            _ => return,
        } as u16;
    }
}

/// A word read from its end. A method that matches a suffix moves on and says whether it did.
struct Suffixes<'a> {
    word: &'a mut Units,
    /// Units already matched, from the end.
    at: usize,
    /// Where, from the end, the part begins that is taken off next.
    from: usize,
    /// Whether suffixes of nouns are looked for.
    noun: bool,
}

/// A suffix, or a choice or sequence of them.
type Match<'a> = fn(&mut Suffixes<'a>) -> bool;

impl<'a> Suffixes<'a> {
    // What rules are made of.

    /// The part of the word that is not matched yet.
    fn rest(&self) -> &[u16] {
        &self.word[..self.word.len() - self.at]
    }

    /// The character `back` places before what is matched.
    fn before(&self, back: usize) -> Option<char> {
        let rest = self.rest();
        (rest.len() >= back).then(|| last(rest, back))
    }

    /// Matches or stays where it was.
    fn tried(&mut self, rule: impl FnOnce(&mut Self) -> bool) -> bool {
        let at = self.at;
        let found = rule(self);
        if !found {
            self.at = at;
        }
        found
    }

    fn one_of(&mut self, rules: &[Match<'a>]) -> bool {
        rules.iter().any(|rule| self.tried(rule))
    }

    /// As [`Suffixes::tried`], but to fail is all right.
    fn maybe(&mut self, rule: impl FnOnce(&mut Self) -> bool) -> bool {
        self.tried(rule);
        true
    }

    /// What is matched from here on may be taken off.
    fn open(&mut self) -> bool {
        self.from = self.at;
        true
    }

    /// Takes off what was matched since [`Suffixes::open`].
    fn delete(&mut self) -> bool {
        let n = self.word.len();
        self.word.drain(n - self.at..n - self.from);
        self.at = self.from;
        true
    }

    fn among(&mut self, suffixes: &str) -> bool {
        let found = longest(self.rest(), 0, suffixes).map(|suffix| suffix.chars().count());
        self.at += found.unwrap_or(0);
        found.is_some()
    }

    /// Whether the vowel before the last one suits the last one.
    fn harmony(&self) -> bool {
        let mut vowels = self.rest().iter().rev().map(|&unit| letter(unit)).skip_while(|&c| !is_vowel(c));
        let suits = match vowels.next() {
            Some('a') => "aıou",
            Some('e') => "eiöü",
            Some('ı') => "aı",
            Some('i') => "ei",
            Some('o' | 'u') => "ou",
            Some('ö' | 'ü') => "öü",
            _ => return false,
        };
        vowels.any(|c| suits.contains(c))
    }

    fn harmonic(&mut self, suffixes: &str) -> bool {
        self.harmony() && self.among(suffixes)
    }

    /// The buffer letter between vowels is matched too; without one a vowel must come next but one.
    fn buffer(&mut self, letter: char) -> bool {
        let vowel_before = self.before(2).is_some_and(is_vowel);
        self.at += usize::from(vowel_before && self.before(1) == Some(letter));
        vowel_before
    }

    /// A high vowel between consonants is matched too; without one a consonant must come next but one.
    fn buffer_vowel(&mut self) -> bool {
        let consonant_before = self.before(2).is_some_and(|c| !is_vowel(c));
        self.at += usize::from(consonant_before && self.before(1).is_some_and(is_high));
        consonant_before
    }

    // The suffixes, by the names of the paper.

    fn possessives(&mut self) -> bool {
        self.among("mız miz muz müz nız niz nuz nüz m n") && self.buffer_vowel()
    }

    fn high(&mut self) -> bool {
        let found = self.harmony() && self.before(1).is_some_and(is_high);
        self.at += usize::from(found);
        found
    }

    fn s_u(&mut self) -> bool {
        self.high() && self.buffer('s')
    }

    fn l_ar_i(&mut self) -> bool {
        self.among("leri ları")
    }

    fn y_u(&mut self) -> bool {
        self.high() && self.buffer('y')
    }

    fn n_u(&mut self) -> bool {
        self.harmonic("nı ni nu nü")
    }

    fn n_un(&mut self) -> bool {
        self.harmonic("ın in un ün") && self.buffer('n')
    }

    fn y_a(&mut self) -> bool {
        self.harmonic("a e") && self.buffer('y')
    }

    fn n_a(&mut self) -> bool {
        self.harmonic("na ne")
    }

    fn d_a(&mut self) -> bool {
        self.harmonic("da de ta te")
    }

    fn nd_a(&mut self) -> bool {
        self.harmonic("nda nde")
    }

    fn d_an(&mut self) -> bool {
        self.harmonic("dan den tan ten")
    }

    fn nd_an(&mut self) -> bool {
        self.harmonic("ndan nden")
    }

    fn yl_a(&mut self) -> bool {
        self.harmonic("la le") && self.buffer('y')
    }

    fn nc_a(&mut self) -> bool {
        self.harmonic("ca ce") && self.buffer('n')
    }

    fn y_um(&mut self) -> bool {
        self.harmonic("ım im um üm") && self.buffer('y')
    }

    fn s_un(&mut self) -> bool {
        self.harmonic("sın sin sun sün")
    }

    fn y_uz(&mut self) -> bool {
        self.harmonic("ız iz uz üz") && self.buffer('y')
    }

    fn s_un_uz(&mut self) -> bool {
        self.among("sınız siniz sunuz sünüz")
    }

    fn l_ar(&mut self) -> bool {
        self.harmonic("ler lar")
    }

    fn n_uz(&mut self) -> bool {
        self.harmonic("nız niz nuz nüz")
    }

    fn d_ur(&mut self) -> bool {
        self.harmonic("tır tir tur tür dır dir dur dür")
    }

    fn c_as_in_a(&mut self) -> bool {
        self.among("casına cesine")
    }

    fn y_du(&mut self) -> bool {
        const SUFFIXES: &str = "tım tim tum tüm dım dim dum düm tın tin tun tün dın din dun dün tık tik tuk tük dık dik \
            duk dük tı ti tu tü dı di du dü";
        self.harmonic(SUFFIXES) && self.buffer('y')
    }

    fn ys_a(&mut self) -> bool {
        self.among("sam san sak sem sen sek sa se") && self.buffer('y')
    }

    fn y_mus(&mut self) -> bool {
        self.harmonic("mış miş muş müş") && self.buffer('y')
    }

    fn y_ken(&mut self) -> bool {
        self.among("ken") && self.buffer('y')
    }

    // The orders they stand in.

    /// A suffix of a person, or none, then the narrative past.
    fn person_and_past(&mut self) -> bool {
        self.one_of(&[Self::s_un_uz, Self::l_ar, Self::y_um, Self::s_un, Self::y_uz]);
        self.y_mus()
    }

    /// Takes off a suffix of the nominal verb.
    fn nominal_verb(&mut self) -> bool {
        self.open();
        let found = self.one_of(&[
            |s| s.one_of(&[Self::y_mus, Self::y_du, Self::ys_a, Self::y_ken]),
            |s| s.c_as_in_a() && s.person_and_past(),
            |s| {
                let plural = s.l_ar() && s.delete() && s.open();
                s.noun &= !plural;
                plural && s.maybe(|s| s.one_of(&[Self::d_ur, Self::y_du, Self::ys_a, Self::y_mus]))
            },
            |s| s.n_uz() && s.one_of(&[Self::y_du, Self::ys_a]),
            |s| {
                let person = s.one_of(&[Self::s_un_uz, Self::y_uz, Self::s_un, Self::y_um]);
                person && s.delete() && s.open() && s.maybe(Self::y_mus)
            },
            |s| s.d_ur() && s.delete() && s.open() && s.maybe(Self::person_and_past),
        ]);
        found && self.delete()
    }

    /// Takes off what `rule` matches.
    fn off(&mut self, rule: Match<'a>) -> bool {
        self.open() && rule(self) && self.delete()
    }

    /// Takes off a plural, then what stands before a ki.
    fn plural_before_ki(&mut self) -> bool {
        self.off(Self::l_ar) && self.before_ki()
    }

    fn owner(&mut self) -> bool {
        self.one_of(&[Self::possessives, Self::s_u])
    }

    /// Takes off an owner, then perhaps a plural and what stands before a ki.
    fn owner_and_plural(&mut self) -> bool {
        self.off(Self::owner) && self.maybe(Self::plural_before_ki)
    }

    /// Takes off what is open with a possessive, or with a plural.
    fn possessive_or_plural(&mut self) -> bool {
        self.one_of(&[
            |s| s.possessives() && s.delete() && s.maybe(Self::plural_before_ki),
            |s| s.l_ar() && s.delete() && s.maybe(Self::before_ki),
        ])
    }

    /// What may stand before a suffix with n: it is taken off together with it.
    fn before_n(&mut self) -> bool {
        self.one_of(&[
            |s| s.l_ar_i() && s.delete(),
            |s| s.s_u() && s.delete() && s.maybe(Self::plural_before_ki),
            Self::before_ki,
        ])
    }

    /// Takes off a chain of suffixes before a ki, and it.
    fn before_ki(&mut self) -> bool {
        self.open()
            && self.among("ki")
            && self.one_of(&[
                |s| s.d_a() && s.delete() && s.maybe(|s| s.open() && s.possessive_or_plural()),
                |s| {
                    let before =
                        |s: &mut Self| s.one_of(&[|s| s.off(Self::l_ar_i), Self::owner_and_plural, Self::before_ki]);
                    s.n_un() && s.delete() && s.maybe(before)
                },
                |s| s.nd_a() && s.before_n(),
            ])
    }

    /// Takes off suffixes of the noun.
    fn noun(&mut self) -> bool {
        self.one_of(&[
            |s| s.off(Self::l_ar) && s.maybe(Self::before_ki),
            |s| {
                let before =
                    |s: &mut Self| s.one_of(&[|s| s.off(Self::l_ar_i), Self::owner_and_plural, Self::plural_before_ki]);
                s.off(Self::nc_a) && s.maybe(before)
            },
            |s| s.open() && s.one_of(&[Self::nd_a, Self::n_a]) && s.before_n(),
            |s| {
                let owner: Match<'a> = |s| s.s_u() && s.delete() && s.maybe(Self::plural_before_ki);
                s.open() && s.one_of(&[Self::nd_an, Self::n_u]) && s.one_of(&[owner, Self::l_ar_i])
            },
            |s| {
                let before = |s: &mut Self| s.open() && s.one_of(&[Self::possessive_or_plural, Self::before_ki]);
                s.off(Self::d_an) && s.maybe(before)
            },
            |s| {
                let before =
                    |s: &mut Self| s.one_of(&[Self::plural_before_ki, Self::owner_and_plural, Self::before_ki]);
                s.off(|s| s.one_of(&[Self::n_un, Self::yl_a])) && s.maybe(before)
            },
            |s| s.off(Self::l_ar_i),
            Self::before_ki,
            |s| s.off(|s| s.one_of(&[Self::d_a, Self::y_u, Self::y_a])) && s.maybe(Self::owned_plural_before_ki),
            Self::owner_and_plural,
        ])
    }

    /// Takes off a possessive, a plural or both, and then what stands before a ki.
    fn owned_plural_before_ki(&mut self) -> bool {
        let possessive: Match<'a> = |s| s.possessives() && s.delete() && s.maybe(|s| s.open() && s.l_ar());
        self.open() && self.one_of(&[possessive, Self::l_ar]) && self.delete() && self.before_ki()
    }
}
