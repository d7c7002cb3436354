//! What one text shows of how it was written: damage of its encoding, prompts, how much it says.

use super::finding::Check;

/// Prompts that models of the field put before texts.
pub(super) const PROMPTS: [&str; 7] = [
    "query: ",
    "passage: ",
    "search_query: ",
    "search_document: ",
    "Represent this sentence for searching relevant passages: ",
    "Instruct: ",
    "为这个句子生成表示以用于检索相关文章：",
];

/// What may follow an accented capital letter in good text, too: no proof that this is the first byte of a character.
const WEAK: &str = "\u{a0}«»°ªº·´“”‘’–—•…ŠŽšžŒœŸ";

/// What is damaged in a text, and at which byte first.
pub(super) fn damage(text: &str) -> impl Iterator<Item = (Check, usize)> {
    let found = [
        (Check::ReplacementCharacter, text.find('\u{fffd}').or_else(|| text.find("锟斤拷"))),
        (Check::Mojibake, mojibake(text)),
        (Check::ControlCharacter, text.find(is_control)),
        (Check::Entity, entity(text)),
        (Check::EscapedText, escape(text)),
        (Check::ByteOrderMark, text.find('\u{feff}')),
    ];
    found.into_iter().filter_map(|(check, at)| Some((check, at?)))
}

/// The part of a text around a byte, to be shown.
pub(super) fn around(text: &str, at: usize) -> &str {
    let start = text[..at].char_indices().rev().nth(14).map_or(0, |(start, _)| start);
    &text[start..]
}

/// Control characters but tab, line ends and U+0085, the line end of EBCDIC; and what is no character.
fn is_control(c: char) -> bool {
    c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}') || matches!(c as u32 & 0xffff, 0xfffe | 0xffff)
}

/// How much a text says: its letters, those of scripts without spaces between words counted three times.
pub(super) fn letters(text: &str) -> usize {
    let weight = |c: char| match c {
        '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' => 3,
        c => usize::from(c.is_alphabetic()),
    };
    text.chars().map(weight).sum()
}

/// The first `&amp;` or the like.
fn entity(text: &str) -> Option<usize> {
    let is_entity = |rest: &str| {
        let Some(end) = rest.bytes().take(10).position(|b| b == b';') else { return false };
        let name = &rest[..end];
        let digits = |text: &str, radix| !text.is_empty() && text.chars().all(|c| c.is_digit(radix));
        match name.strip_prefix('#') {
            Some(code) => digits(code, 10) || code.strip_prefix('x').is_some_and(|code| digits(code, 16)),
            None => ["amp", "lt", "gt", "quot", "apos", "nbsp"].contains(&name),
        }
    };
    text.match_indices('&').map(|(at, _)| at).find(|at| is_entity(&text[at + 1..]))
}

/// The first `\u` and four hexadecimal digits within a word, or twice in a row.
fn escape(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let is_escape = |at: usize| {
        let digits = bytes.get(at + 2..at + 6);
        bytes.get(at..at + 2) == Some(b"\\u") && digits.is_some_and(|d| d.iter().all(u8::is_ascii_hexdigit))
    };
    text.match_indices("\\u").map(|(at, _)| at).find(|&at| {
        let word = text[..at].chars().next_back().is_some_and(char::is_alphabetic);
        is_escape(at) && (word || is_escape(at + 6))
    })
}

/// Where UTF-8 stands that was read as Windows-1252.
///
/// Bytes of one character are looked for, read that way. What may also be a capital letter before a quotation mark
/// or a blank (`MAÇÃ”`) counts only where it occurs twice.
fn mojibake(text: &str) -> Option<usize> {
    if text.is_ascii() {
        return None;
    }
    let mut weak = None;
    for (at, c) in text.char_indices().filter(|(_, c)| !c.is_ascii()) {
        match sequence(c, text[at + c.len_utf8()..].chars()) {
            Some(true) => return Some(at),
            Some(false) if weak.is_some() => return weak,
            Some(false) => weak = Some(at),
            None => {}
        }
    }
    None
}

/// Whether `first` begins a character in UTF-8 that was read as Windows-1252, and whether surely so.
fn sequence(first: char, mut rest: impl Iterator<Item = char>) -> Option<bool> {
    let lead = windows_1252(first)?;
    let more = match lead {
        0xc2..=0xdf => 1,
        0xe0..=0xef => 2,
        0xf0..=0xf4 => 3,
        _ => return None,
    };
    let mut bytes = vec![lead];
    let mut sure = false;
    for c in rest.by_ref().take(more) {
        bytes.push(windows_1252(c)?);
        sure |= !WEAK.contains(c);
    }
    let read = std::str::from_utf8(&bytes).ok()?.chars().next().filter(|c| !c.is_control())?;
    // Without proof, only the two letters that begin nearly all such sequences count.
    (bytes.len() == more + 1 && !read.is_ascii() && (sure || matches!(lead, 0xc2 | 0xc3))).then_some(sure)
}

/// The byte of Windows-1252 that is read as `c`, of those from 0x80.
fn windows_1252(c: char) -> Option<u8> {
    const SPECIAL: &str = "€\u{81}‚ƒ„…†‡ˆ‰Š‹Œ\u{8d}Ž\u{8f}\u{90}‘’“”•–—˜™š›œ\u{9d}žŸ";
    match c {
        '\u{80}'..='\u{ff}' => Some(c as u8),
        c => SPECIAL.chars().position(|special| special == c).map(|at| 0x80 + at as u8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<&'static str> {
        damage(text).map(|(check, _)| check.name()).collect()
    }

    #[test]
    fn damage_is_named() {
        for text in ["cafÃ© noir", "GrÃ¼ÃŸe", "itâ€™s", "Ð¡Ð°Ð¼Ð°Ñ€Ð°", "Â£5"] {
            assert_eq!(found(text), ["mojibake"], "{text}");
        }
        assert_eq!(found("caf\u{fffd}"), ["replacement-character"]);
        assert_eq!(found("a\u{1}b"), ["control-character"]);
        assert_eq!(found("AT&amp;T"), ["entity"]);
        assert_eq!(found("it&#39;s &amp;quot;"), ["entity"]);
        assert_eq!(found("caf\\u00e9"), ["escaped-text"]);
        assert_eq!(found("a\u{feff}b"), ["byte-order-mark"]);
    }

    #[test]
    fn what_only_looks_damaged_is_not() {
        for text in [
            "NÃO É A MAÇÃ”, disse",
            "ÂNGULO «IRMû",
            "Đà Nẵng, Ấn Độ",
            "Þórður á ensku",
            "AT&T; R&D",
            "JEŽÍŠ, kterýž; NEVYSKÚŠAJTE; JEŽÍŠ",
            "‘È’ 和 ‘Í’ 也一样",
            "Arkitekti ‘‘bi qestî’’ û ‘‘Historisë’’ dhe ‘‘qestî’’",
            "the escape \\u00e9 of é",
            "a\tb\nc",
            "élève à l’école",
        ] {
            assert!(found(text).is_empty(), "{text}: {:?}", found(text));
        }
    }

    #[test]
    fn letters_of_dense_scripts_weigh_more() {
        assert_eq!((letters("ab 12"), letters("漢字"), letters("да")), (2, 6, 2));
    }
}
