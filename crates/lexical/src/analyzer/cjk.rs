//! `CJKBigramFilter`: neighbouring characters of Han, kana and Hangul in pairs.

use super::standard::Kind;
use super::unicode::{Units, points, push};

/// Pairs the characters of adjoining tokens; one without a neighbour stays alone.
pub(crate) struct Bigrams {
    last: Option<u32>,
    /// Whether `last` is already part of a pair.
    paired: bool,
    /// Where the last token of these scripts ended in the text.
    end: usize,
    pair: Units,
}

impl Bigrams {
    pub(crate) fn new() -> Self {
        Self { last: None, paired: false, end: 0, pair: Units::new() }
    }

    /// Takes the token at bytes `start..end` of the text and gives what can be given.
    pub(crate) fn take(
        &mut self,
        kind: Kind,
        start: usize,
        end: usize,
        token: &mut Units,
        found: &mut dyn FnMut(&mut Units),
    ) {
        if !matches!(kind, Kind::Ideograph | Kind::Hiragana | Kind::Katakana | Kind::Hangul) {
            self.flush(found);
            return found(token);
        }
        if start != self.end {
            self.flush(found);
        }
        self.end = end;
        for point in points(token) {
            if let Some(last) = self.last {
                self.pair.clear();
                push(&mut self.pair, last);
                push(&mut self.pair, point);
                found(&mut self.pair);
            }
            (self.paired, self.last) = (self.last.is_some(), Some(point));
        }
    }

    /// Gives the last character if it stands alone.
    pub(crate) fn flush(&mut self, found: &mut dyn FnMut(&mut Units)) {
        if let Some(last) = self.last.take()
            && !self.paired
        {
            self.pair.clear();
            push(&mut self.pair, last);
            found(&mut self.pair);
        }
    }
}
