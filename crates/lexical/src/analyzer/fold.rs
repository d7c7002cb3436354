//! The small links of the chains: case, digits, apostrophes and width.

use super::affix::letter;
use super::unicode::{self, Units, digit, is_nonspacing, map_points, points};
use super::word_set::WordSet;

/// `LowerCaseFilter`: each code point by itself.
pub(crate) fn lower_case(token: &mut Units) {
    map_points(token, unicode::lower);
}

/// `TurkishLowerCaseFilter`: `I` gives `ı`, or `i` where a dot above follows, which is dropped.
pub(crate) fn turkish_lower_case(token: &mut Units) {
    const I: u32 = 'I' as u32;
    const DOT: u32 = 0x307;
    let from: Vec<u32> = points(token).collect();
    token.clear();
    let mut after_i = false;
    for (at, &point) in from.iter().enumerate() {
        after_i = point == I || (after_i && is_nonspacing(point));
        let dotted = || from[at + 1..].iter().take_while(|&&p| is_nonspacing(p)).any(|&p| p == DOT);
        match point {
            DOT if after_i => {}
            I if dotted() => token.push('i' as u16),
            I => {
                after_i = false;
                token.push('ı' as u16);
            }
            _ => unicode::push(token, unicode::lower(point)),
        }
    }
}

/// `DecimalDigitFilter`: digits of every script as ASCII.
pub(crate) fn decimal_digits(token: &mut Units) {
    if token.iter().any(|&unit| unit > 0x7f) {
        map_points(token, |point| digit(point).map_or(point, |value| 0x30 + value));
    }
}

/// `EnglishPossessiveFilter`: takes off `'s`.
pub(crate) fn english_possessive(token: &mut Units) {
    if let [.., mark, s] = token[..]
        && matches!(letter(mark), '\'' | '\u{2019}' | '\u{ff07}')
        && matches!(letter(s), 's' | 'S')
    {
        token.truncate(token.len() - 2);
    }
}

fn apostrophe(token: &[u16]) -> Option<usize> {
    token.iter().position(|&unit| matches!(letter(unit), '\'' | '\u{2019}'))
}

/// `ApostropheFilter`: cuts from the first apostrophe on.
pub(crate) fn cut_at_apostrophe(token: &mut Units) {
    if let Some(at) = apostrophe(token) {
        token.truncate(at);
    }
}

/// `ElisionFilter`: takes off an article and its apostrophe, whatever its case.
pub(crate) fn elide(token: &mut Units, articles: &WordSet) {
    if let Some(at) = apostrophe(token) {
        let mut article = token[..at].to_vec();
        lower_case(&mut article);
        if articles.contains(&article) {
            token.drain(..=at);
        }
    }
}

/// `CJKWidthFilter`: full-width ASCII and half-width katakana in the width that is usual.
pub(crate) fn cjk_width(token: &mut Units) {
    if token.iter().all(|unit| !(0xff01..=0xff9f).contains(unit)) {
        return;
    }
    let mut out = Units::with_capacity(token.len());
    for &unit in token.iter() {
        let folded = match unit {
            0xff01..=0xff5e => unit - 0xfee0,
            0xff65..=0xff9d => KATAKANA[usize::from(unit - 0xff65)],
            0xff9e | 0xff9f => match out.last_mut().map(|before| (voiced(*before, unit == 0xff9e), before)) {
                Some((Some(whole), before)) => {
                    *before = whole;
                    continue;
                }
                _ => unit - 0xff9e + 0x3099,
            },
            _ => unit,
        };
        out.push(folded);
    }
    *token = out;
}

/// The usual width of U+FF65 to U+FF9D.
const KATAKANA: [u16; 57] = [
    0x30fb, 0x30f2, 0x30a1, 0x30a3, 0x30a5, 0x30a7, 0x30a9, 0x30e3, 0x30e5, 0x30e7, 0x30c3, 0x30fc, 0x30a2, 0x30a4,
    0x30a6, 0x30a8, 0x30aa, 0x30ab, 0x30ad, 0x30af, 0x30b1, 0x30b3, 0x30b5, 0x30b7, 0x30b9, 0x30bb, 0x30bd, 0x30bf,
    0x30c1, 0x30c4, 0x30c6, 0x30c8, 0x30ca, 0x30cb, 0x30cc, 0x30cd, 0x30ce, 0x30cf, 0x30d2, 0x30d5, 0x30d8, 0x30db,
    0x30de, 0x30df, 0x30e0, 0x30e1, 0x30e2, 0x30e4, 0x30e6, 0x30e8, 0x30e9, 0x30ea, 0x30eb, 0x30ec, 0x30ed, 0x30ef,
    0x30f3,
];

/// The kana with a voiced (or half voiced) sound mark.
fn voiced(kana: u16, fully: bool) -> Option<u16> {
    match (kana, fully) {
        (0x30a6, true) => Some(0x30f4),
        (0x30ab..=0x30c2, true) if kana % 2 == 1 => Some(kana + 1),
        (0x30c4 | 0x30c6 | 0x30c8 | 0x30fd, true) => Some(kana + 1),
        (0x30ef..=0x30f2, true) => Some(kana + 8),
        (0x30cf | 0x30d2 | 0x30d5 | 0x30d8 | 0x30db, _) => Some(kana + if fully { 1 } else { 2 }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::affix::stemmed;
    use super::*;

    #[test]
    fn a_turkish_i_keeps_its_dot() {
        assert_eq!(stemmed(turkish_lower_case, "IİI\u{307}I\u{323}\u{307}Ş"), "ıiii\u{323}ş");
        assert_eq!(stemmed(turkish_lower_case, "I\u{323}"), "ı\u{323}");
    }

    #[test]
    fn widths_meet() {
        assert_eq!(stemmed(cjk_width, "Ａ１ｶﾞﾊﾟｳﾞﾞ"), "A1ガパヴ\u{3099}");
        assert_eq!(stemmed(cjk_width, "ﾞ"), "\u{3099}");
    }

    #[test]
    fn apostrophes_part() {
        assert_eq!(stemmed(english_possessive, "dog’S"), "dog");
        assert_eq!(stemmed(cut_at_apostrophe, "Ankara'da"), "Ankara");
        let articles = WordSet::new(["l", "qu"]);
        assert_eq!(stemmed(|t| elide(t, &articles), "L’avion"), "avion");
        assert_eq!(stemmed(|t| elide(t, &articles), "aujourd'hui"), "aujourd'hui");
        assert_eq!(stemmed(decimal_digits, "३𝟙५"), "315");
    }
}
