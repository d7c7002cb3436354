//! The search of a layer: the best candidate's neighbours are scored until none of them can better what was found.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::candidate::Candidate;
use super::codes::Codes;
use super::graph::{Graph, Layer};

/// Rows that are asked for ahead of their turn.
const AHEAD: usize = 8;

/// What a search needs besides the index, kept from one to the next.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// The number of the last search that saw a node.
    seen: Vec<u8>,
    search: u8,
    nodes: Vec<u32>,
    rows: Vec<u32>,
    scores: Vec<f32>,
    frontier: BinaryHeap<Candidate>,
    found: BinaryHeap<Reverse<Candidate>>,
}

impl Scratch {
    fn begin(&mut self, nodes: usize) {
        if self.seen.len() < nodes {
            self.seen.resize(nodes, self.search);
        }
        self.search = match self.search.checked_add(1) {
            Some(next) => next,
            None => {
                self.seen.fill(0);
                1
            }
        };
        self.frontier.clear();
        self.found.clear();
    }

    /// Whether this search sees `node` for the first time.
    #[inline(always)]
    fn first_time(&mut self, node: u32) -> bool {
        std::mem::replace(&mut self.seen[node as usize], self.search) != self.search
    }

    #[inline(always)]
    fn worst(&self) -> Option<Candidate> {
        self.found.peek().map(|found| found.0)
    }

    /// Adds to what was found, of which the best `ef` stay.
    #[inline(always)]
    fn keep(&mut self, candidate: Candidate, ef: usize) {
        if self.found.len() < ef {
            self.found.push(Reverse(candidate));
        } else if let Some(mut worst) = self.found.peek_mut()
            && worst.0 < candidate
        {
            *worst = Reverse(candidate);
        }
    }

    /// What was found, the best first.
    fn take(&mut self, out: &mut Vec<Candidate>) {
        out.clear();
        out.extend(self.found.drain().map(|found| found.0));
        out.sort_unstable_by(|a, b| b.cmp(a));
    }
}

/// What a search of a layer looks for.
pub(crate) struct Aim<F> {
    /// How many.
    pub(crate) ef: usize,
    /// Which rows count; the others are passed through.
    pub(crate) accept: F,
    /// Rows scored at most.
    pub(crate) budget: usize,
}

/// Replaces `entries` (nodes of `layer`) by the best `aim.ef` nodes that can be reached from them, best first; false where the budget
/// ended before the search did.
pub(crate) fn search<C: Codes>(
    layer: &Layer<'_>,
    codes: &C,
    query: &C::Query,
    aim: &Aim<impl Fn(u32) -> bool>,
    scratch: &mut Scratch,
    entries: &mut Vec<Candidate>,
) -> bool {
    scratch.begin(layer.len());
    for &entry in entries.iter() {
        scratch.first_time(entry.node());
        scratch.frontier.push(entry);
        if (aim.accept)(layer.row(entry.node())) {
            scratch.keep(entry, aim.ef);
        }
    }
    let mut scored = 0;
    while let Some(best) = scratch.frontier.pop() {
        let full = scratch.found.len() >= aim.ef;
        if full && scratch.worst().is_some_and(|worst| best < worst) {
            break;
        }
        if let Some(next) = scratch.frontier.peek() {
            layer.prefetch(next.node());
        }
        score_neighbors(layer, codes, query, best.node(), scratch);
        scored += scratch.nodes.len();
        if scored > aim.budget {
            return false;
        }
        for i in 0..scratch.nodes.len() {
            let candidate = Candidate::new(scratch.scores[i], scratch.nodes[i]);
            if scratch.found.len() < aim.ef || scratch.worst().is_none_or(|worst| worst < candidate) {
                scratch.frontier.push(candidate);
                if (aim.accept)(scratch.rows[i]) {
                    scratch.keep(candidate, aim.ef);
                }
            }
        }
    }
    scratch.take(entries);
    true
}

/// Scores the neighbours of `node` that this search has not seen.
#[inline(always)]
fn score_neighbors<C: Codes>(layer: &Layer<'_>, codes: &C, query: &C::Query, node: u32, scratch: &mut Scratch) {
    scratch.nodes.clear();
    scratch.rows.clear();
    for neighbor in layer.neighbors(node) {
        if scratch.first_time(neighbor) {
            let row = layer.row(neighbor);
            if scratch.nodes.len() < AHEAD {
                codes.prefetch(row);
            }
            scratch.nodes.push(neighbor);
            scratch.rows.push(row);
        }
    }
    scratch.scores.resize(scratch.rows.len(), 0.0);
    let rows = &scratch.rows;
    for (at, out) in scratch.scores.chunks_mut(AHEAD / 2).enumerate() {
        let from = at * (AHEAD / 2);
        let ahead = (from + AHEAD).min(rows.len())..(from + AHEAD + AHEAD / 2).min(rows.len());
        rows[ahead].iter().for_each(|row| codes.prefetch(*row));
        codes.scores(query, &rows[from..from + out.len()], out);
    }
}

/// Node 0 of the highest layer, scored; nothing where there are no nodes.
pub(crate) fn enter<C: Codes>(graph: &Graph<'_>, codes: &C, query: &C::Query) -> Vec<Candidate> {
    let Some(top) = graph.layers.last().filter(|top| top.len() > 0) else { return Vec::new() };
    let mut score = [0.0];
    codes.scores(query, &[top.row(0)], &mut score);
    vec![Candidate::new(score[0], 0)]
}

/// The same nodes by their numbers one layer below.
pub(crate) fn descend(layer: &Layer<'_>, entries: &mut [Candidate]) {
    entries.iter_mut().for_each(|entry| *entry = Candidate::new(entry.score(), layer.below[entry.node() as usize]));
}

/// The aim of a search that only looks for the way down.
pub(crate) fn closest() -> Aim<impl Fn(u32) -> bool> {
    Aim { ef: 1, accept: |_| true, budget: usize::MAX }
}
