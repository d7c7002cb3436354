//! Punkt: where English sentences end (Kiss and Strunk 2006).

mod model;

use super::is_python_space;
use model::{Model, Ortho};

/// Closing marks that belong to the sentence before them.
const CLOSING: &str = "\"')]}‘’“”«»";

/// Characters that no word holds.
const NON_WORD: &str = ")\";}]*:@'({[‘’“”«»?!";

/// Characters that no word starts with.
const NO_START: &str = "(\"`{[:;&#*@)}]-,";

/// Marks that no sentence starts with.
const PUNCTUATION: &str = ";:,.!?";

/// The sentences of a text, without the white space between them.
pub fn sentences(text: &str) -> Vec<&str> {
    let chars: Vec<(usize, char)> = text.char_indices().collect();
    let at = |place: usize| chars.get(place).map_or(text.len(), |(byte, _)| *byte);
    let text_of = |(start, end): (usize, usize)| &text[at(start)..at(end).max(at(start))];
    let plain: Vec<char> = chars.iter().map(|(_, c)| *c).collect();
    realigned(&plain, slices(&plain)).into_iter().map(text_of).collect()
}

/// A place where a sentence may end.
#[derive(Clone, Copy)]
struct Ending {
    /// Start of the word before the mark.
    word: usize,
    /// The mark.
    mark: usize,
    /// End of what follows the mark and decides.
    end: usize,
    /// Start of the next word, where white space comes first.
    next: Option<usize>,
}

/// Start and end of each sentence, closing marks not yet put right.
fn slices(text: &[char]) -> Vec<(usize, usize)> {
    let mut slices = Vec::new();
    let mut start = 0;
    for ending in endings(text) {
        if has_break(&text[ending.word..ending.end]) {
            slices.push((start, ending.mark + 1));
            start = ending.next.unwrap_or(ending.mark + 1);
        }
    }
    let length = text.iter().rposition(|c| !is_python_space(*c)).map_or(0, |last| last + 1);
    slices.push((start, length));
    slices
}

/// Every `.`, `?` and `!` before white space or a character that no word holds; of a word's several the last.
fn endings(text: &[char]) -> Vec<Ending> {
    let mut endings = Vec::new();
    let mut last: Option<Ending> = None;
    for mark in (0..text.len()).filter(|at| ".?!".contains(text[*at])) {
        let Some((end, next)) = context(text, mark) else { continue };
        // The word before goes back to white space, but not over the mark before.
        let (before, start) = last.map_or((0, 0), |last| (last.mark, last.word));
        let space = text[before..mark].iter().rposition(|c| " \t\n\r\x0b\x0c".contains(*c)).filter(|at| *at > 0);
        let word = space.map_or(start, |at| before + at + 1);
        endings.extend(last.filter(|last| last.mark <= word));
        last = Some(Ending { word, mark, end, next });
    }
    endings.extend(last);
    endings
}

/// What follows a mark: one character that no word holds, or white space and a word.
fn context(text: &[char], mark: usize) -> Option<(usize, Option<usize>)> {
    let after = *text.get(mark + 1)?;
    if NON_WORD.contains(after) {
        return Some((mark + 2, None));
    }
    let next = (mark + 1..text.len()).find(|at| !text[*at].is_whitespace()).filter(|next| *next > mark + 1)?;
    let end = (next..text.len()).find(|at| text[*at].is_whitespace()).unwrap_or(text.len());
    Some((end, Some(next)))
}

/// Gives closing marks at the start of a sentence to the one before.
fn realigned(text: &[char], slices: Vec<(usize, usize)>) -> Vec<(usize, usize)> {
    let mut whole = Vec::new();
    let mut moved = 0;
    for (at, (start, end)) in slices.iter().enumerate() {
        let (start, end) = (start + moved, *end);
        let closing = slices.get(at + 1).map(|(next, next_end)| (*next, closing(&text[*next..(*next).max(*next_end)])));
        match closing {
            Some((next, Some((marks, all)))) => {
                whole.push((start, next + marks));
                moved = all;
            }
            _ => {
                moved = 0;
                whole.extend((start < end).then_some((start, end)));
            }
        }
    }
    whole
}

/// How many closing marks a text starts with, and how many with the white space behind them.
fn closing(text: &[char]) -> Option<(usize, usize)> {
    for marks in 1..=text.len() {
        if !CLOSING.contains(text[marks - 1]) {
            return None;
        }
        let rest = &text[marks..];
        let space = rest.iter().take_while(|c| c.is_whitespace()).count();
        if space > 0 || rest.is_empty() || rest.starts_with(&['-', '-']) {
            return Some((marks, marks + space));
        }
    }
    None
}

/// A word and what is decided of it.
struct Token {
    text: String,
    kind: String,
    is_break: bool,
    is_abbreviation: bool,
    is_ellipsis: bool,
}

/// Whether a sentence ends before the last word.
fn has_break(text: &[char]) -> bool {
    let model = Model::english();
    let mut tokens: Vec<Token> = lines(text).flat_map(split_words).map(|word| Token::new(word, model)).collect();
    for first in 1..tokens.len() {
        let (before, after) = tokens.split_at_mut(first);
        before[first - 1].decide(&after[0], model);
    }
    tokens.split_last().is_some_and(|(_, before)| before.iter().any(|token| token.is_break))
}

fn lines(text: &[char]) -> impl Iterator<Item = &[char]> {
    text.split(|c| *c == '\n').filter(|line| !line.iter().all(|c| is_python_space(*c)))
}

/// Words with their periods, other punctuation apart.
fn split_words(line: &[char]) -> Vec<String> {
    let mut words = Vec::new();
    let mut at = 0;
    while at < line.len() {
        let length = match multiple(&line[at..]) {
            Some(length) => length,
            None if line[at].is_whitespace() => 0,
            None if NO_START.contains(line[at]) => 1,
            None => (1..).find(|length| ends_word(&line[at + length..])).unwrap_or(1),
        };
        if length > 0 {
            words.push(line[at..at + length].iter().collect());
        }
        at += length.max(1);
    }
    words
}

fn ends_word(rest: &[char]) -> bool {
    let plain = |rest: &[char]| {
        rest.first().is_none_or(|c| c.is_whitespace() || NON_WORD.contains(*c)) || multiple(rest).is_some()
    };
    plain(rest) || (rest[0] == ',' && plain(&rest[1..]))
}

/// The length of a dash or an ellipsis of several characters at the start.
fn multiple(text: &[char]) -> Option<usize> {
    let run = |mark: char| Some(text.iter().take_while(|c| **c == mark).count()).filter(|length| *length > 1);
    run('-').or(run('.')).or_else(|| {
        let apart = |pair: &&[char]| pair[0] == '.' && pair[1].is_whitespace();
        let pairs = text.chunks_exact(2).take_while(apart).count();
        let pairs = if text.get(2 * pairs) == Some(&'.') { pairs } else { pairs.saturating_sub(1) };
        (pairs >= 2).then_some(2 * pairs + 1)
    })
}

impl Token {
    /// The word with what its letters alone tell.
    fn new(text: String, model: &Model) -> Self {
        let lower = text.to_lowercase();
        let is_ellipsis = text.starts_with("..") && text.chars().all(|c| c == '.');
        let (mut is_break, mut is_abbreviation) = (matches!(text.as_str(), "." | "?" | "!"), false);
        if !is_break && !is_ellipsis && text.ends_with('.') && !text.ends_with("..") {
            let word = &lower[..lower.len() - 1];
            is_abbreviation =
                model.is_abbreviation(word) || word.rsplit('-').next().is_some_and(|w| model.is_abbreviation(w));
            is_break = !is_abbreviation;
        }
        let kind = if is_number(&lower) { "##number##".to_owned() } else { lower };
        Self { text, kind, is_break, is_abbreviation, is_ellipsis }
    }

    fn kind_without_period(&self) -> &str {
        match self.kind.strip_suffix('.') {
            Some(kind) if !kind.is_empty() => kind,
            _ => &self.kind,
        }
    }

    fn kind_without_break(&self) -> &str {
        if self.is_break { self.kind_without_period() } else { &self.kind }
    }

    fn is_initial(&self) -> bool {
        let mut chars = self.text.chars();
        let letter = |c: char| is_letter(c);
        chars.next().is_some_and(letter) && chars.next() == Some('.') && chars.next().is_none()
    }

    fn starts_upper(&self) -> bool {
        self.text.chars().next().is_some_and(char::is_uppercase)
    }

    fn starts_lower(&self) -> bool {
        self.text.chars().next().is_some_and(char::is_lowercase)
    }

    /// Decides again by the word that follows.
    fn decide(&mut self, next: &Token, model: &Model) {
        if !self.text.ends_with('.') {
            return;
        }
        let (initial, next_kind) = (self.is_initial(), next.kind_without_break());
        if model.is_collocation(self.kind_without_period(), next_kind) {
            (self.is_break, self.is_abbreviation) = (false, true);
            return;
        }
        let starts = starts_sentence(next, model);
        if (self.is_abbreviation || self.is_ellipsis)
            && !initial
            && (starts == Some(true) || (next.starts_upper() && model.is_starter(next_kind)))
        {
            self.is_break = true;
            return;
        }
        if initial || self.kind_without_period() == "##number##" {
            let always_upper =
                || starts.is_none() && initial && next.starts_upper() && !model.ortho(next_kind).any_lower();
            if starts == Some(false) || always_upper() {
                (self.is_break, self.is_abbreviation) = (false, true);
            }
        }
    }
}

/// Whether a word starts a sentence by the cases that it was seen in; `None` where they do not tell.
fn starts_sentence(token: &Token, model: &Model) -> Option<bool> {
    let mut chars = token.text.chars();
    if matches!((chars.next(), chars.next()), (Some(c), None) if PUNCTUATION.contains(c)) {
        return Some(false);
    }
    let seen: Ortho = model.ortho(token.kind_without_break());
    if token.starts_upper() && seen.any_lower() && !seen.upper_inside() {
        return Some(true);
    }
    if token.starts_lower() && (seen.any_upper() || !seen.lower_at_start()) {
        return Some(false);
    }
    None
}

/// `^-?[\.,]?\d[\d,\.-]*\.?$`
fn is_number(word: &str) -> bool {
    let word = word.strip_prefix('-').unwrap_or(word);
    let word = word.strip_prefix(['.', ',']).unwrap_or(word);
    word.starts_with(is_digit) && word.chars().all(|c| is_digit(c) || ",.-".contains(c))
}

static DIGIT: std::sync::LazyLock<fancy_regex::Regex> = std::sync::LazyLock::new(|| class(r"\A\d\z"));
static LETTER: std::sync::LazyLock<fancy_regex::Regex> = std::sync::LazyLock::new(|| class(r"\A[^\W\d]\z"));

fn class(pattern: &str) -> fancy_regex::Regex {
    fancy_regex::Regex::new(pattern).expect("a pattern without mistakes")
}

fn is_digit(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_digit() } else { is_of(&DIGIT, c) }
}

/// A character of words that is no digit.
fn is_letter(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphabetic() || c == '_' } else { is_of(&LETTER, c) }
}

fn is_of(class: &fancy_regex::Regex, c: char) -> bool {
    class.is_match(c.encode_utf8(&mut [0; 4])).unwrap_or(false)
}
