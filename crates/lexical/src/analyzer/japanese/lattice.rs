//! The cheapest way through the words that a text may be made of: `JapaneseTokenizer` in its search mode, without compounds.
//!
//! A way costs what its words cost and what their neighbourhood costs. A long word on the cheapest way gives place to the
//! cheapest parts of it, where they cost no more than a bound that grows with its length. What is sure is given away early:
//! up to a place that every way goes through, and at the latest after [`GAP`] units by the best way so far.

use super::super::unicode::is_punctuation;
use super::dictionary::{Dictionary, Word};

/// Units after which the best way so far is taken for the best of all.
const GAP: usize = 1024;
/// Units of an unknown word, at most.
const LONGEST_UNKNOWN: usize = 1024;
/// The parts of a word of more kanji than this may cost more by so much for each further one.
const KANJI: (usize, i32) = (2, 3000);
/// The same for any other word.
const OTHER: (usize, i32) = (7, 1700);

/// The end of a word at some place of the text.
#[derive(Clone, Copy)]
struct Node {
    /// Of the cheapest way to here.
    cost: i32,
    /// The class of the word's right side.
    right: u16,
    /// Where the word begins, and which node there it follows.
    from: usize,
    before: usize,
    /// `None` at the beginning of the text.
    word: Option<Word>,
}

/// Ways through one text.
pub(super) struct Lattice<'a> {
    dictionary: &'a Dictionary,
    text: &'a [u16],
    /// The text in UTF-8, and the place in it of every unit.
    utf8: String,
    bytes: Vec<usize>,
    /// Nodes by the unit before which they end.
    nodes: Vec<Vec<Node>>,
    /// The last place with nodes.
    reach: usize,
    /// Up to where words were given.
    done: usize,
}

impl<'a> Lattice<'a> {
    pub(super) fn new(dictionary: &'a Dictionary, text: &'a [u16]) -> Self {
        let (mut utf8, mut bytes) = (String::with_capacity(3 * text.len()), Vec::with_capacity(text.len() + 1));
        for c in char::decode_utf16(text.iter().copied()) {
            let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
            bytes.extend(std::iter::repeat_n(utf8.len(), c.len_utf16()));
            utf8.push(c);
        }
        bytes.push(utf8.len());
        let mut nodes = vec![Vec::new(); text.len() + 1];
        nodes[0].push(Node { cost: 0, right: 0, from: 0, before: 0, word: None });
        Self { dictionary, text, utf8, bytes, nodes, reach: 0, done: 0 }
    }

    /// Gives the words of the cheapest way, in order.
    pub(super) fn each_word(mut self, found: &mut dyn FnMut(&[u16], Word)) {
        let mut at = 0;
        while at < self.text.len() {
            if at > self.done && self.reach == at && self.nodes[at].len() == 1 {
                self.give(at, 0, found);
                // Every way goes on from here, so that only what is added counts.
                self.nodes[at][0].cost = 0;
            }
            if at - self.done >= GAP && !self.nodes[at].is_empty() {
                at = self.settle(at, found);
                continue;
            }
            if !self.nodes[at].is_empty() {
                self.add_words(at);
            }
            at += 1;
        }
        let cost = |node: &Node| node.cost + self.dictionary.joined(node.right, 0);
        if let Some((best, _)) = cheapest(self.nodes[at].iter().map(cost)) {
            self.give(at, best, found);
        }
    }

    /// Adds the words that begin at `at`.
    fn add_words(&mut self, at: usize) {
        let dictionary = self.dictionary;
        let (mut words, start) = (Vec::new(), self.bytes[at]);
        // Inside a pair no word begins.
        if at == 0 || self.bytes[at - 1] != start {
            dictionary.each_known(&self.utf8.as_bytes()[start..], |word, bytes| words.push((word, start + bytes)));
        }
        for &(word, end) in &words {
            let end = at + self.bytes[at..].partition_point(|&byte| byte < end);
            self.add(at, end, word, 0);
        }
        let first = dictionary.character(self.text[at]);
        if words.is_empty() || first.always {
            let end = at + if first.groups { self.group(at) } else { 1 };
            dictionary.unknown(first.class).for_each(|word| self.add(at, end, word, 0));
        }
    }

    /// How many units from `at` on make one unknown word.
    fn group(&self, at: usize) -> usize {
        let kind = |unit: u16| (self.dictionary.character(unit).class, is_punctuation(unit));
        let first = kind(self.text[at]);
        self.text[at..].iter().take(LONGEST_UNKNOWN).take_while(|&&unit| kind(unit) == first).count()
    }

    /// Adds a word behind the cheapest way to where it begins.
    fn add(&mut self, from: usize, end: usize, word: Word, penalty: i32) {
        let costs = self.dictionary.costs(word);
        let way = |node: &Node| node.cost + self.dictionary.joined(node.right, costs.left);
        if let Some((before, way)) = cheapest(self.nodes[from].iter().map(way)) {
            let cost = way + i32::from(costs.cost) + penalty;
            self.nodes[end].push(Node { cost, right: costs.right, from, before, word: Some(word) });
            self.reach = self.reach.max(end);
        }
    }

    /// How much more the parts of a long word may cost; 0 where it is not long.
    fn penalty(&self, from: usize, end: usize) -> i32 {
        let n = end - from;
        if n <= KANJI.0 {
            return 0;
        }
        let kanji = self.text[from..end].iter().all(|&unit| self.dictionary.character(unit).kanji);
        let (free, each) = if kanji { KANJI } else { OTHER };
        n.saturating_sub(free) as i32 * each
    }

    /// Takes the best way so far for the best of all and forgets the others; gives where it ends.
    fn settle(&mut self, at: usize, found: &mut dyn FnMut(&[u16], Word)) -> usize {
        let all = (at..=self.reach).flat_map(|end| (0..self.nodes[end].len()).map(move |index| (end, index)));
        let Some((end, index)) = all.min_by_key(|&(end, index)| self.nodes[end][index].cost) else { return at };
        let best = self.nodes[end][index];
        self.nodes[at..=self.reach].iter_mut().for_each(Vec::clear);
        self.nodes[end].push(best);
        self.give(end, 0, found);
        self.nodes[end].iter_mut().for_each(|node| node.cost = 0);
        end
    }

    /// Gives the words between what was given and a node.
    fn give(&mut self, end: usize, index: usize, found: &mut dyn FnMut(&[u16], Word)) {
        let (mut at, mut index, mut words) = (end, index, Vec::new());
        // The class of the word behind, and where the compound begins whose parts are being passed.
        let (mut left, mut compound) = (None, None);
        while at > self.done {
            let mut node = self.nodes[at][index];
            if compound.is_none()
                && let Some(part) = self.last_part(at, node, left)
            {
                compound = Some(node.from);
                node = part;
            }
            compound = compound.filter(|&start| start < node.from);
            if let Some(word) = node.word {
                left = Some(self.dictionary.costs(word).left);
                words.push((node.from, at, word));
            }
            (at, index) = (node.from, node.before);
        }
        for (from, end, word) in words.into_iter().rev() {
            found(&self.text[from..end], word);
        }
        self.done = end;
    }

    /// The last of the parts that a long word gives place to; `left` is the class of the word behind.
    fn last_part(&mut self, end: usize, long: Node, left: Option<u16>) -> Option<Node> {
        let penalty = self.penalty(long.from, end);
        if penalty == 0 {
            return None;
        }
        self.score_parts(long.from, end, long.before);
        let whole = |node: &Node| node.cost + left.map_or(0, |left| self.dictionary.joined(node.right, left));
        let (best, cost) = cheapest(self.nodes[end].iter().map(whole))?;
        let part = self.nodes[end][best];
        (cost <= whole(&long) + penalty && part.from != long.from).then_some(part)
    }

    /// Leaves only words within `start..end`, scored anew behind one node at `start`, long ones with their penalty.
    fn score_parts(&mut self, start: usize, end: usize, behind: usize) {
        let mut words = vec![Vec::new(); end - start];
        for at in (start + 1..=end).rev() {
            for node in std::mem::take(&mut self.nodes[at]) {
                if let Some(word) = node.word.filter(|_| node.from >= start) {
                    words[node.from - start].push((at, word));
                }
            }
        }
        let others = std::mem::take(&mut self.nodes[start]);
        self.nodes[start] = vec![others[behind]];
        for (from, words) in (start..end).zip(words) {
            for (to, word) in words {
                self.add(from, to, word, self.penalty(from, to));
            }
        }
        for node in self.nodes[start + 1..=end].iter_mut().flatten().filter(|node| node.from == start) {
            node.before = behind;
        }
        self.nodes[start] = others;
    }
}

/// The first of the lowest, and how low it is.
fn cheapest(costs: impl Iterator<Item = i32>) -> Option<(usize, i32)> {
    costs.enumerate().min_by_key(|&(_, cost)| cost)
}
