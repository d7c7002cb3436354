//! Finnish: the stemmer of the Snowball project; section numbers of Karlsson's grammar are in its source.

use super::super::affix::{drop_last, ends, last, letter};
use super::super::unicode::Units;
use super::{after, longest};

fn is_vowel(c: char) -> bool {
    "aeiouyäö".contains(c)
}

fn is_consonant(c: char) -> bool {
    "bcdfghjklmnpqrstvwxz".contains(c)
}

/// Takes off particle, possessive, case, comparison and plural, in this order.
pub(crate) fn stem(word: &mut Units) {
    let region = |from| {
        let vowel = word[from..].iter().position(|&unit| is_vowel(letter(unit)))?;
        after(word, from + vowel, |c| !is_vowel(c))
    };
    let first = region(0);
    let second = first.and_then(region).unwrap_or(word.len());
    let first = first.unwrap_or(word.len());
    particle(word, first, second);
    possessive(word, first);
    let ending_removed = case(word, first);
    comparison(word, second);
    match ending_removed {
        true => drop_ending(word, longest(word, first, "i j")),
        false => t_plural(word, first, second),
    }
    tidy(word, first);
}

fn drop_ending(word: &mut Units, ending: Option<&str>) {
    drop_last(word, ending.map_or(0, |ending| ending.chars().count()));
}

/// What stands before the last `n` units.
fn stem_of(word: &[u16], n: usize) -> &[u16] {
    &word[..word.len() - n]
}

fn last_is(word: &[u16], holds: impl Fn(char) -> bool) -> bool {
    word.last().is_some_and(|&unit| holds(letter(unit)))
}

fn particle(word: &mut Units, first: usize, second: usize) {
    let Some(ending) = longest(word, first, "kin kaan kään ko kö han hän pa pä sti") else { return };
    let n = ending.chars().count();
    let holds = match ending {
        "sti" => word.len() >= second + n,
        _ => last_is(stem_of(word, n), |c| is_vowel(c) || matches!(c, 'n' | 't')),
    };
    if holds {
        drop_last(word, n);
    }
}

fn possessive(word: &mut Units, first: usize) {
    let Some(ending) = longest(word, first, "si ni nsa nsä mme nne an än en") else { return };
    let n = ending.chars().count();
    let stem = stem_of(word, n);
    let one_of = |endings: &str| longest(stem, 0, endings).is_some();
    let holds = match ending {
        "si" => !ends(stem, "k"),
        "an" => one_of("ta ssa sta lla lta na"),
        "än" => one_of("tä ssä stä llä ltä nä"),
        "en" => one_of("lle ine"),
        _ => true,
    };
    if holds {
        drop_last(word, n);
        if ending == "ni" && ends(word, "kse") {
            let at = word.len() - 1;
            word[at] = 'i' as u16;
        }
    }
}

fn is_long(word: &[u16]) -> bool {
    longest(word, 0, "aa ee ii oo uu ää öö").is_some()
}

/// Whether it ends in a vowel and i.
fn is_vowel_i(word: &[u16]) -> bool {
    ends(word, "i") && word.len() > 1 && "aeiouäö".contains(last(word, 2))
}

fn case(word: &mut Units, first: usize) -> bool {
    const ENDINGS: &str = "han hen hin hon hän hön siin seen den tten n a ä tta ttä ta tä ssa ssä sta stä lla llä lta ltä \
        lle na nä ksi ine";
    let Some(ending) = longest(word, first, ENDINGS) else { return false };
    let stem = stem_of(word, ending.chars().count());
    let ending = match ending {
        // Without their stem they end in a mere n.
        "siin" | "den" | "tten" if !is_vowel_i(stem) => "n",
        "seen" if !is_long(stem) => "n",
        _ => ending,
    };
    let mut n = ending.chars().count();
    let stem = stem_of(word, n);
    let holds = match ending {
        "han" => ends(stem, "a"),
        "hen" => ends(stem, "e"),
        "hin" => ends(stem, "i"),
        "hon" => ends(stem, "o"),
        "hän" => ends(stem, "ä"),
        "hön" => ends(stem, "ö"),
        "n" => {
            n += usize::from(is_long(stem) || ends(stem, "ie"));
            true
        }
        "a" | "ä" => last_is(stem, is_vowel) && last_is(stem_of(stem, 1), is_consonant),
        "tta" | "ttä" => ends(stem, "e"),
        _ => true,
    };
    if holds {
        drop_last(word, n);
    }
    holds
}

fn comparison(word: &mut Units, second: usize) {
    const ENDINGS: &str = "mpi mpa mpä mmi mma mmä impi impa impä immi imma immä eja ejä";
    let Some(ending) = longest(word, second, ENDINGS) else { return };
    let n = ending.chars().count();
    if !ending.starts_with('m') || !ends(stem_of(word, n), "po") {
        drop_last(word, n);
    }
}

fn t_plural(word: &mut Units, first: usize, second: usize) {
    if word.len() < first + 2 || !ends(word, "t") || !is_vowel(last(word, 2)) {
        return;
    }
    drop_last(word, 1);
    let ending = longest(word, second, "mma imma");
    if ending != Some("mma") || !ends(stem_of(word, 3), "po") {
        drop_ending(word, ending);
    }
}

fn tidy(word: &mut Units, first: usize) {
    let reaches = |word: &Units, n: usize| word.len() >= first + n;
    if reaches(word, 2) && is_long(word) {
        drop_last(word, 1);
    }
    if reaches(word, 2) && matches!(last(word, 1), 'a' | 'ä' | 'e' | 'i') && is_consonant(last(word, 2)) {
        drop_last(word, 1);
    }
    if reaches(word, 2) && (ends(word, "oj") || ends(word, "uj")) {
        drop_last(word, 1);
    }
    if reaches(word, 2) && ends(word, "jo") {
        drop_last(word, 1);
    }
    if let Some(at) = word.iter().rposition(|&unit| !is_vowel(letter(unit)))
        && at > 0
        && word[at] == word[at - 1]
        && is_consonant(letter(word[at]))
    {
        word.remove(at);
    }
}
