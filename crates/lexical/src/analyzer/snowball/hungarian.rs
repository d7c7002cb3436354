//! Hungarian: Tordai's stemmer of the Snowball project, noun inflection.

use super::super::affix::{drop_last, letter};
use super::super::unicode::Units;
use super::{after, longest};

fn is_vowel(c: char) -> bool {
    "aeiouáéíóöőúüű".contains(c)
}

/// Takes off one ending of each kind; á and é that come to the end by it become a and e.
pub(crate) fn stem(word: &mut Units) {
    let region = region(word);
    double_consonant_and(word, region, "al el");
    case(word, region);
    replace(word, region, "", "én", "án ánként");
    replace(word, region, "astul estül stul stül", "éstül", "ástul");
    double_consonant_and(word, region, "á é");
    replace(word, region, "oké öké aké eké ké éi é", "éké ééi éé", "áké áéi");
    replace(word, region, SINGULAR_OWNER, "énk éjük ém éd é", "ánk ájuk ám ád á");
    replace(word, region, PLURAL_OWNER, "éim éid éi éink éitek éik", "áim áid ái áink áitok áik");
    replace(word, region, "ök ak ok ek k", "ék", "ák");
}

const SINGULAR_OWNER: &str = "ünk unk nk juk jük uk ük em om am m od ed ad öd d ja je a e o";
const PLURAL_OWNER: &str = "jaim jeim aim eim im jaid jeid aid eid id jai jei ai ei i jaink jeink eink aink ink jaitok \
    jeitek aitok eitek itek jeik jaik aik eik ik";
const CASE: &str = "ban ben ba be ra re nak nek val vel tól től ról ről ból ből hoz hez höz nál nél ig at et ot öt ért \
    képp képpen kor ul ül vá vé onként enként anként ként en on an ön n t";
const DOUBLED: &str = "bb cc ccs dd ff gg ggy jj kk ll lly mm nn nny pp rr ss ssz tt tty vv zz zzs";

/// Behind the first consonant (with its second letter) of a word that begins with a vowel, else behind the first vowel.
fn region(word: &[u16]) -> usize {
    let Some(&first) = word.first() else { return 0 };
    if !is_vowel(letter(first)) {
        return after(word, 1, is_vowel).unwrap_or(word.len());
    }
    let Some(at) = word.iter().position(|&unit| !is_vowel(letter(unit))) else { return word.len() };
    let begins = |pair: &&str| pair.encode_utf16().eq(word[at..].iter().copied().take(pair.len()));
    ["dzs", "cs", "gy", "ly", "ny", "sz", "ty", "zs"]
        .iter()
        .find(|pair| begins(pair))
        .map_or(at + 1, |pair| at + pair.len())
}

/// The longest ending of all, where it lies in the region.
fn ending<'e>(word: &[u16], region: usize, endings: &'e str) -> Option<&'e str> {
    longest(word, 0, endings).filter(|ending| word.len() >= region + ending.chars().count())
}

fn drop_ending(word: &mut Units, ending: &str) {
    drop_last(word, ending.chars().count());
}

/// Takes off the longest ending, or writes e or a for it.
fn replace(word: &mut Units, region: usize, deleted: &str, to_e: &str, to_a: &str) {
    let kinds = [(deleted, None), (to_e, Some('e')), (to_a, Some('a'))];
    let found = kinds.into_iter().filter_map(|(endings, by)| Some((longest(word, 0, endings)?, by)));
    let Some((ending, by)) = found.max_by_key(|(ending, _)| ending.chars().count()) else { return };
    if word.len() >= region + ending.chars().count() {
        drop_ending(word, ending);
        word.extend(by.map(|c| c as u16));
    }
}

/// An ending after a doubled consonant, which becomes single.
fn double_consonant_and(word: &mut Units, region: usize, endings: &str) {
    if let Some(ending) = ending(word, region, endings)
        && longest(&word[..word.len() - ending.chars().count()], 0, DOUBLED).is_some()
    {
        drop_ending(word, ending);
        word.remove(word.len() - 2);
    }
}

fn case(word: &mut Units, region: usize) {
    if let Some(found) = ending(word, region, CASE) {
        drop_ending(word, found);
        replace(word, region, "", "é", "á");
    }
}
