//! The search of one segment: through the graph, or over all rows that count where that is less work.

use super::beam::{Aim, Scratch, closest, descend, enter, search};
use super::candidate::Candidate;
use super::codes::Codes;
use super::segment::{Segment, StoredCodes};

/// Rows that a search through the graph scores for each of its `ef`, about.
const SCORED_PER_FOUND: usize = 16;

/// Rows scored at once where all are.
const BLOCK: usize = 256;

/// What is asked of a segment.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) k: usize,
    pub(crate) ef: usize,
    /// Which of the segment's rows count; all where it is `None`.
    pub(crate) among: Option<&'a [bool]>,
    /// How many do.
    pub(crate) count: usize,
}

impl Request<'_> {
    fn counts(&self, row: u32) -> bool {
        self.among.is_none_or(|among| among.get(row as usize).copied().unwrap_or(false))
    }

    /// Whether looking at every row that counts is less work than finding them in the graph, on the way to which others are met.
    fn is_scanned(&self, rows: usize) -> bool {
        let scored = (self.ef * SCORED_PER_FOUND) as u128;
        let (count, rows) = (self.count as u128, rows as u128);
        count * count <= scored * rows
    }
}

/// The best `k` rows of `segment`, best first, rescored at 16 bits.
pub(crate) fn search_segment(
    segment: &Segment,
    vector: &[f32],
    request: &Request<'_>,
    scratch: &mut Scratch,
) -> Vec<Candidate> {
    match segment.codes() {
        StoredCodes::F16(codes) => best(segment, &codes, vector, request, scratch),
        StoredCodes::Int8(codes) => best(segment, &codes, vector, request, scratch),
        StoredCodes::Binary(codes) => best(segment, &codes, vector, request, scratch),
    }
}

fn best<C: Codes>(
    segment: &Segment,
    codes: &C,
    vector: &[f32],
    request: &Request<'_>,
    scratch: &mut Scratch,
) -> Vec<Candidate> {
    let k = request.k.min(request.count);
    if k == 0 {
        return Vec::new();
    }
    let query = codes.query(vector);
    if !request.is_scanned(segment.len())
        && let Some(found) = through_graph(segment, codes, &query, request, scratch)
        && found.len() >= k
    {
        let mut ranked = rescored(codes, &query, &found);
        ranked.truncate(k);
        return ranked;
    }
    scan(segment, codes, &query, request, k)
}

/// Rows that count, about `ef` of them; nothing where the search took longer than looking at all.
fn through_graph<C: Codes>(
    segment: &Segment,
    codes: &C,
    query: &C::Query,
    request: &Request<'_>,
    scratch: &mut Scratch,
) -> Option<Vec<u32>> {
    let (graph, twins) = (segment.graph(), segment.twins());
    let mut entries = enter(&graph, codes, query);
    for layer in graph.layers[1..].iter().rev() {
        search(layer, codes, query, &closest(), scratch, &mut entries);
        descend(layer, &mut entries);
    }
    let with_twins = |row: u32| request.counts(row) || twins.of(row).iter().any(|twin| request.counts(*twin));
    let whole = match request.among {
        None => {
            let aim = Aim { ef: request.ef, accept: |_| true, budget: request.count };
            search(&graph.layers[0], codes, query, &aim, scratch, &mut entries)
        }
        Some(_) => {
            let aim = Aim { ef: request.ef, accept: with_twins, budget: request.count };
            search(&graph.layers[0], codes, query, &aim, scratch, &mut entries)
        }
    };
    let counts = |row: &u32| (*row as usize) < segment.len() && request.counts(*row);
    let rows = entries.iter().flat_map(|entry| {
        let alike = std::iter::once(entry.node()).chain(twins.of(entry.node()).iter().copied());
        // Of rows that score alike no more are needed than are asked for.
        alike.filter(counts).take(request.k)
    });
    whole.then(|| rows.collect())
}

fn rescored<C: Codes>(codes: &C, query: &C::Query, rows: &[u32]) -> Vec<Candidate> {
    let mut scores = vec![0.0; rows.len()];
    codes.exact_scores(query, rows, &mut scores);
    let mut ranked: Vec<Candidate> = rows.iter().zip(scores).map(|(row, score)| Candidate::new(score, *row)).collect();
    ranked.sort_unstable_by(|a, b| b.cmp(a));
    ranked
}

/// The best `k` of all rows that count.
fn scan<C: Codes>(segment: &Segment, codes: &C, query: &C::Query, request: &Request<'_>, k: usize) -> Vec<Candidate> {
    let (mut best, mut block) = (Vec::new(), Vec::with_capacity(BLOCK));
    let mut add = |block: &mut Vec<u32>| {
        best.extend(rescored(codes, query, block));
        block.clear();
        if best.len() > k {
            best.select_nth_unstable_by(k - 1, |a, b| b.cmp(a));
            best.truncate(k);
        }
    };
    for row in (0..segment.len() as u32).filter(|row| request.counts(*row)) {
        block.push(row);
        if block.len() == BLOCK {
            add(&mut block);
        }
    }
    add(&mut block);
    best.sort_unstable_by(|a, b| b.cmp(a));
    best
}
