//! Words by UAX #29 as Lucene's `StandardTokenizer` finds them.
//!
//! The longest match of any rule, the first rule where several match as much; what no rule matches is passed over, one
//! code point at a time. A token ends after 255 UTF-16 units and the rest goes on as a new one. Words are those of
//! Unicode 12.1.

use super::unicode::{Classes, tables::*};
use regex_automata::{
    Anchored, MatchKind,
    dfa::{Automaton, StartKind, dense},
    nfa::thompson,
    util::{start, syntax},
};
use std::collections::HashMap;
use std::sync::LazyLock;

/// UTF-16 units after which a token is cut.
pub(crate) const MAX_UNITS: usize = 255;

/// What a token is made of, in the order of precedence of the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Emoji,
    Number,
    Hangul,
    Katakana,
    Word,
    SouthEastAsian,
    Ideograph,
    Hiragana,
}

const KINDS: [Kind; 8] = [
    Kind::Emoji,
    Kind::Number,
    Kind::Hangul,
    Kind::Katakana,
    Kind::Word,
    Kind::SouthEastAsian,
    Kind::Ideograph,
    Kind::Hiragana,
];

/// Gives every token of `text` with its place in bytes.
pub(crate) fn each_token<'a>(text: &'a str, mut found: impl FnMut(Kind, usize, &'a str)) {
    let scanner = &*SCANNER;
    let classes = Classes::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        match scanner.longest(classes, &text[at..]) {
            Some((kind, len)) => {
                found(kind, at, &text[at..at + len]);
                at += len;
            }
            None => at += first.len_utf8(),
        }
    }
}

/// The rules as one automaton over classes of code points.
struct Scanner {
    /// Row of a state: its next state by class; 0 where nothing can match any more.
    next: Vec<u16>,
    /// The rule that a state has matched, from 1; 0 where none.
    accepts: Vec<u8>,
    start: u16,
}

static SCANNER: LazyLock<Scanner> = LazyLock::new(Scanner::new);

impl Scanner {
    fn longest(&self, classes: Classes, text: &str) -> Option<(Kind, usize)> {
        let (mut state, mut units, mut best) = (self.start, 0, None);
        for (at, c) in text.char_indices() {
            units += c.len_utf16();
            if units > MAX_UNITS {
                break;
            }
            state = self.next[usize::from(state) * CLASSES.len() + usize::from(classes.of(c))];
            if state == 0 {
                break;
            }
            let rule = self.accepts[usize::from(state)];
            if rule != 0 {
                best = Some((KINDS[usize::from(rule) - 1], at + c.len_utf8()));
            }
        }
        best
    }

    /// Determinises the rules, then copies what can be reached into a table without dead ends.
    fn new() -> Self {
        let rules = rules();
        let dfa = dense::Builder::new()
            .configure(dense::Config::new().match_kind(MatchKind::All).start_kind(StartKind::Anchored))
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .thompson(thompson::Config::new().utf8(false))
            .build_many(&rules)
            .expect("the rules are well formed");
        let start = dfa.start_state(&start::Config::new().anchored(Anchored::Yes)).expect("no rule looks behind");
        let mut number = HashMap::from([(start, 1)]);
        let mut states = vec![start];
        let (mut next, mut accepts) = (vec![0; CLASSES.len()], vec![0]);
        let mut done = 0;
        while let Some(&state) = states.get(done) {
            done += 1;
            let end = dfa.next_eoi_state(state);
            let matched = (0..if dfa.is_match_state(end) { dfa.match_len(end) } else { 0 })
                .map(|i| dfa.match_pattern(end, i).as_usize())
                .min();
            accepts.push(matched.map_or(0, |rule| rule as u8 + 1));
            for class in 0..CLASSES.len() {
                let to = dfa.next_state(state, symbol(class));
                let fresh = number.len() as u16 + 1;
                next.push(match dfa.is_dead_state(to) {
                    true => 0,
                    false => *number.entry(to).or_insert_with(|| {
                        states.push(to);
                        fresh
                    }),
                });
            }
        }
        Self { next, accepts, start: 1 }
    }
}

/// The byte that stands for a class in the rules.
fn symbol(class: usize) -> u8 {
    class as u8 + 0x80
}

/// Matches one code point that has any of `bits` and none of `without`.
fn one(bits: u32, without: u32) -> String {
    let has = |mask: u32| mask & bits != 0 && mask & without == 0;
    let symbols = CLASSES.iter().enumerate().filter(|&(_, &mask)| has(mask));
    format!("[{}]", symbols.map(|(class, _)| format!("\\x{:02X}", symbol(class))).collect::<String>())
}

/// The rules in the order of [`KINDS`]. A letter that carries marks and joiners counts as the letter (WB4).
fn rules() -> [String; 8] {
    let ignored = one(IGNORED, 0);
    let ex = |bits| format!("(?:{}{ignored}*)", one(bits, 0));
    let letters = ALETTER | HEBREW;
    // A syllable of Hangul is a letter; its class says so.
    let (hangul, letter, numeric, katakana) = (ex(HANGUL), ex(letters), ex(NUMERIC), ex(KATAKANA));
    let mid_letter = ex(MID_LETTER | MID_NUM_LET | SINGLE_QUOTE);
    let mid_numeric = ex(MID_NUM | MID_NUM_LET | SINGLE_QUOTE);
    let (extend, hebrew) = (ex(EXTEND_NUM_LET), ex(HEBREW));
    let (single, double) = (ex(SINGLE_QUOTE), ex(DOUBLE_QUOTE));

    let number = format!("{numeric}(?:(?:{extend}*|{mid_numeric}){numeric})*");
    let katakanas = format!("{katakana}(?:{extend}*{katakana})*");
    let hebrews = format!("{hebrew}(?:{single}|{double}{hebrew})");
    let letters = format!("{letter}(?:(?:{extend}*|{mid_letter}){letter})*");
    let part = format!("(?:{katakanas}|(?:{hebrews}|{number}|{letters})+)");
    [
        emoji(),
        format!("{extend}*{number}{extend}*"),
        format!("{hangul}+"),
        format!("{katakana}+"),
        format!("{extend}*{part}(?:{extend}+{part})*{extend}*"),
        format!("{}+", ex(COMPLEX)),
        ex(HAN),
        ex(HIRAGANA),
    ]
}

/// Emoji with their modifiers, joined by zero-width joiners or tagged; key caps; flags (UTS #51).
fn emoji() -> String {
    let passed = one(IGNORED, SELECTOR);
    let ex = |bits| format!("(?:{}{passed}*)", one(bits, 0));
    let (zwj, selector) = (one(ZWJ, 0), one(PRESENTATION, 0));
    let modified = format!("(?:{zwj}*{base})?{modifier}", base = ex(EMOJI_BASE), modifier = ex(EMOJI_MODIFIER));
    let element = format!("(?:{zwj}*{}{selector}?|{modified})", ex(EMOJI_CHAR));
    let sequence = format!("{element}(?:(?:{zwj}{element})*|{}+{})", one(TAG, 0), one(TAG_END, 0));
    let key_cap = format!("{}{selector}?{}", ex(KEY_CAP_BASE), ex(KEY_CAP));
    let flag = format!("(?:{}{}*){{2}}", one(REGIONAL, 0), one(IGNORED, 0));
    format!("(?:{sequence}|{key_cap}|{flag})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(text: &str) -> Vec<(Kind, &str)> {
        let mut out = Vec::new();
        each_token(text, |kind, at, token| {
            assert_eq!(&text[at..at + token.len()], token);
            out.push((kind, token));
        });
        out
    }

    #[test]
    fn the_automaton_is_small() {
        assert!(SCANNER.accepts.len() < 400, "{}", SCANNER.accepts.len());
    }

    #[test]
    fn words_numbers_and_scripts_are_told_apart() {
        use Kind::*;
        let got = tokens("can't 3.14 _x_ 東京 タワー ひら 한국 ภาษา 👩‍👩‍👧 1️⃣ 🇩🇪");
        let want = [
            (Word, "can't"),
            (Number, "3.14"),
            (Word, "_x_"),
            (Ideograph, "東"),
            (Ideograph, "京"),
            (Katakana, "タワー"),
            (Hiragana, "ひ"),
            (Hiragana, "ら"),
            (Hangul, "한국"),
            (SouthEastAsian, "ภาษา"),
            (Emoji, "👩‍👩‍👧"),
            (Emoji, "1️⃣"),
            (Emoji, "🇩🇪"),
        ];
        assert_eq!(got, want);
    }

    #[test]
    fn a_token_is_cut_at_255_units_and_never_inside_a_pair() {
        let lengths = |text: &str| tokens(text).iter().map(|t| t.1.encode_utf16().count()).collect::<Vec<_>>();
        assert_eq!(lengths(&"a".repeat(600)), [255, 255, 90]);
        assert_eq!(lengths(&"𐐀".repeat(200)), [254, 146]);
        assert_eq!(lengths(&format!("a{}", "𐐀".repeat(127))), [255]);
    }
}
