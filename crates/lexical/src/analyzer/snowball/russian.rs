//! Russian: Porter's stemmer, with ё folded into е.

use super::super::affix::{drop_last, ends, letter};
use super::super::unicode::Units;
use super::{after, longest};

const VOWELS: &str = "аеиоуыэюя";
const GERUND_AFTER_A: &str = "в вши вшись";
const GERUND: &str = "ив ивши ившись ыв ывши ывшись";
const ADJECTIVE: &str = "ее ие ые ое ими ыми ей ий ый ой ем им ым ом его ого ему ому их ых ую юю ая яя ою ею";
const PARTICIPLE_AFTER_A: &str = "ем нн вш ющ щ";
const PARTICIPLE: &str = "ивш ывш ующ";
const VERB_AFTER_A: &str = "ла на ете йте ли й л ем н ло но ет ют ны ть ешь нно";
const VERB: &str = "ила ыла ена ейте уйте ите или ыли ей уй ил ыл им ым ен ило ыло ено ят ует уют ит ыт ены ить ыть ишь \
    ую ю";
const NOUN: &str = "а ев ов ие ье е иями ями ами еи ии и ией ей ой ий й иям ям ием ем ам ом о у ах иях ях ы ь ию ью ю ия \
    ья я";

/// Takes off endings behind the first vowel.
pub(crate) fn stem(word: &mut Units) {
    for unit in word.iter_mut().filter(|unit| letter(**unit) == 'ё') {
        *unit = 'е' as u16;
    }
    let is_vowel = |c: char| VOWELS.contains(c);
    let region = after(word, 0, is_vowel);
    let second = region
        .and_then(|at| after(word, at, |c| !is_vowel(c)))
        .and_then(|at| after(word, at, is_vowel))
        .and_then(|at| after(word, at, |c| !is_vowel(c)))
        .unwrap_or(word.len());
    let region = region.unwrap_or(word.len());
    if !strip(word, region, GERUND_AFTER_A, GERUND) {
        strip(word, region, "", "ся сь");
        if strip(word, region, "", ADJECTIVE) {
            strip(word, region, PARTICIPLE_AFTER_A, PARTICIPLE);
        } else if !strip(word, region, VERB_AFTER_A, VERB) {
            strip(word, region, "", NOUN);
        }
    }
    strip(word, region, "", "и");
    if let Some(ending) = longest(word, region, "ост ость").filter(|e| word.len() >= second + e.chars().count())
    {
        drop_last(word, ending.chars().count());
    }
    tidy(word, region);
}

/// Takes off the longest of all endings; one of `after_a` only where а or я stands before it, in the region too.
fn strip(word: &mut Units, region: usize, after_a: &str, free: &str) -> bool {
    let length = |ending: Option<&str>| ending.map_or(0, |ending| ending.chars().count());
    let (bound, free) = (length(longest(word, region, after_a)), length(longest(word, region, free)));
    if bound > free {
        let stem = word.len() - bound;
        if stem <= region || !matches!(letter(word[stem - 1]), 'а' | 'я') {
            return false;
        }
    }
    drop_last(word, bound.max(free));
    bound.max(free) > 0
}

fn tidy(word: &mut Units, region: usize) {
    match longest(word, region, "ейш ейше н ь") {
        Some("ь") => drop_last(word, 1),
        Some("н") => undouble(word, region),
        Some(superlative) => {
            drop_last(word, superlative.chars().count());
            undouble(word, region);
        }
        None => {}
    }
}

fn undouble(word: &mut Units, region: usize) {
    if word.len() >= region + 2 && ends(word, "нн") {
        drop_last(word, 1);
    }
}
