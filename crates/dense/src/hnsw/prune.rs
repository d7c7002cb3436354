//! Which of many candidates become neighbours: those that are closer to the node than to any neighbour already chosen, so that they lead
//! into different directions (algorithm 4 of Malkov and Yashunin, TPAMI 2020).

use super::candidate::Candidate;
use super::codes::{Bytes, BytesQuery, Codes};
use super::graph::Layer;

/// Chosen neighbours that a candidate is held against at once.
const AT_ONCE: usize = 8;

/// What choosing needs, kept from one node to the next.
#[derive(Debug, Default)]
pub(crate) struct PruneScratch {
    query: BytesQuery,
    rows: Vec<u32>,
    scores: Vec<f32>,
}

impl PruneScratch {
    /// Leaves at most `most` of `candidates` (nodes of `layer`, best first).
    pub(crate) fn diverse(
        &mut self,
        layer: &Layer<'_>,
        codes: &Bytes<'_>,
        candidates: &mut Vec<Candidate>,
        most: usize,
    ) {
        self.rows.clear();
        let rows = &mut self.rows;
        let (query, scores) = (&mut self.query, &mut self.scores);
        candidates.retain(|candidate| {
            if rows.len() == most {
                return false;
            }
            let row = layer.row(candidate.node());
            codes.query_of_row(row, query);
            let closer_to_another = rows.chunks(AT_ONCE).any(|chosen| {
                scores.resize(chosen.len(), 0.0);
                codes.scores(query, chosen, scores);
                scores.iter().any(|score| *score > candidate.score())
            });
            if !closer_to_another {
                rows.push(row);
            }
            !closer_to_another
        });
    }

    /// Scores `nodes` of `layer` against `node`, best first.
    pub(crate) fn ranked(&mut self, layer: &Layer<'_>, codes: &Bytes<'_>, node: u32, nodes: &[u32]) -> Vec<Candidate> {
        codes.query_of_row(layer.row(node), &mut self.query);
        self.rows.clear();
        self.rows.extend(nodes.iter().map(|node| layer.row(*node)));
        self.scores.resize(nodes.len(), 0.0);
        codes.scores(&self.query, &self.rows, &mut self.scores);
        let mut ranked: Vec<_> = nodes.iter().zip(&self.scores).map(|(node, s)| Candidate::new(*s, *node)).collect();
        ranked.sort_unstable_by(|a, b| b.cmp(a));
        ranked
    }
}
