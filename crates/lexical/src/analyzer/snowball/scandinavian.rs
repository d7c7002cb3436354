//! Danish, Norwegian and Swedish: Porter's stemmers of one build.
//!
//! Endings are taken from a region that begins after the first consonant that follows a vowel, and after three units.

use super::super::affix::{drop_last, ends, last, letter};
use super::super::unicode::Units;
use super::longest;

const VOWELS: &str = "aeiouyæåø";

/// Danish.
pub(crate) fn danish(word: &mut Units) {
    const MAIN: &str = "hed ethed ered e erede ende erende ene erne ere en heden eren er heder erer heds es endes \
        erendes enes ernes eres ens hedens erens ers ets erets et eret s";
    let region = region(word, VOWELS);
    main_suffix(word, region, MAIN, |before| "abcdfghjklmnoprtvyzå".contains(letter(before[before.len() - 1])));
    danish_pair(word, region);
    if ends(word, "igst") {
        drop_last(word, 2);
    }
    match longest(word, region, "ig lig elig els løst") {
        Some("løst") => drop_last(word, 1),
        Some(ending) => {
            drop_last(word, ending.len());
            danish_pair(word, region);
        }
        None => {}
    }
    let n = word.len();
    if n > region && n > 1 && word[n - 1] == word[n - 2] && "bcdfghjklmnpqrstvwxz".contains(last(word, 1)) {
        drop_last(word, 1);
    }
}

fn danish_pair(word: &mut Units, region: usize) {
    if longest(word, region, "gd dt gt kt").is_some() {
        drop_last(word, 1);
    }
}

/// Norwegian.
pub(crate) fn norwegian(word: &mut Units) {
    const MAIN: &str = "a e ede ande ende ane ene hetene en heten ar er heter as es edes endes enes hetenes ens hetens \
        ers ets et het ast s erte ert";
    let region = region(word, VOWELS);
    match longest(word, region, MAIN) {
        Some("erte") => drop_last(word, 2),
        Some("ert") => drop_last(word, 1),
        _ => main_suffix(word, region, MAIN, |before| match letter(before[before.len() - 1]) {
            'k' => before.len() > 1 && !VOWELS.contains(letter(before[before.len() - 2])),
            c => "bcdfghjlmnoprtvyz".contains(c),
        }),
    }
    if longest(word, region, "dt vt").is_some() {
        drop_last(word, 1);
    }
    if let Some(ending) = longest(word, region, "leg eleg ig eig lig elig els lov elov slov hetslov") {
        drop_last(word, ending.len());
    }
}

/// Swedish, before the stemmer learned of `-öst`.
pub(crate) fn swedish(word: &mut Units) {
    const MAIN: &str = "a arna erna heterna orna ad e ade ande arne are aste en anden aren heten ern ar er heter or as \
        arnas ernas ornas es ades andes ens arens hetens erns at andet het ast s";
    let region = region(word, "aeiouyäåö");
    main_suffix(word, region, MAIN, |before| "bcdfghjklmnoprtvy".contains(letter(before[before.len() - 1])));
    if longest(word, region, "dd gd nn dt gt kt tt").is_some() {
        drop_last(word, 1);
    }
    match longest(word, region, "lig ig els löst fullt") {
        Some("fullt" | "löst") => drop_last(word, 1),
        Some(ending) => drop_last(word, ending.len()),
        None => {}
    }
}

/// Takes off the longest of `endings`; a lone `s` only where `takes_s` says so of what stands before it.
fn main_suffix(word: &mut Units, region: usize, endings: &str, takes_s: impl Fn(&[u16]) -> bool) {
    match longest(word, region, endings) {
        Some("s") if word.len() < 2 || !takes_s(&word[..word.len() - 1]) => {}
        Some(ending) => drop_last(word, ending.len()),
        None => {}
    }
}

fn region(word: &[u16], vowels: &str) -> usize {
    let is_vowel = |unit: &u16| vowels.contains(letter(*unit));
    let Some(vowel) = word.iter().position(is_vowel).filter(|_| word.len() >= 3) else { return word.len() };
    match word[vowel..].iter().position(|unit| !is_vowel(unit)) {
        Some(consonant) => (vowel + consonant + 1).max(3),
        None => word.len(),
    }
}
