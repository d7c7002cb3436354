//! One query: the positive that its lists agree on, its negatives, and its row.

use super::PairsOptions;
use super::report::{PairsReport, Sample};
use crate::error::Result;
use crate::lists::{Lists, Ranked};
use crate::near::Near;
use crate::row::row;
use isogloss_ir::{DocId, Fusion, Qrels, Query, Scale, fuse_lists};
use std::collections::{BTreeMap, BTreeSet};

/// What the lists of a query say.
pub(super) enum Chosen {
    /// Nothing is found.
    Nothing,
    /// The best by the fused score.
    Best {
        row: u32,
        score: f64,
        /// Ahead of the next; all of the score's scale where there is none.
        lead: f64,
        /// Whether it is in the top of every list.
        at_top: bool,
        /// Whether it leads by enough.
        leads: bool,
    },
}

impl Chosen {
    /// The document that passes all rules but the way back.
    pub(super) fn agreed(&self) -> Option<u32> {
        match self {
            Self::Best { row, at_top: true, leads: true, .. } => Some(*row),
            _ => None,
        }
    }
}

pub(super) struct Judge<'a> {
    pub(super) options: &'a PairsOptions,
    pub(super) lists: &'a Lists<'a>,
}

impl Judge<'_> {
    /// Fuses what was found and takes the best.
    pub(super) fn positive(&self, found: &[Option<Ranked>; 2]) -> Result<Chosen> {
        let (depth, top) = (self.options.depth, self.options.top);
        let used: Vec<(&[(u32, f32)], f64)> = found
            .iter()
            .zip([1.0, self.options.alpha])
            .filter_map(|(list, weight)| Some((list.as_ref()?, weight)))
            .map(|(list, weight)| (&list[..list.len().min(depth)], weight))
            .collect();
        let named = |list: &[(u32, f32)]| -> Vec<(DocId, f64)> {
            list.iter().map(|(row, score)| (self.lists.id(*row).to_owned(), f64::from(*score))).collect()
        };
        let lists: Vec<_> = used.iter().map(|(list, _)| named(list)).collect();
        let weights = used.iter().map(|(_, weight)| *weight).collect();
        let fused = fuse_lists(&lists, &Fusion::weighted(Scale::Centred, weights))?;
        let Some((id, score)) = fused.first() else { return Ok(Chosen::Nothing) };
        let row = self.lists.passages().find(id).expect("ids of the corpus");
        let lead = fused.get(1).map_or(f64::INFINITY, |(_, next)| score - next);
        let in_top = |(list, _): &(&[(u32, f32)], f64)| list.iter().take(top).any(|(other, _)| *other == row);
        Ok(Chosen::Best { row, score: *score, lead, at_top: used.iter().all(in_top), leads: lead >= self.options.lead })
    }

    /// What is to be reported of a query, and its row, if it has a positive.
    pub(super) fn row(
        &self,
        query: &Query,
        found: &[Option<Ranked>; 2],
        chosen: &Chosen,
        found_back: bool,
        qrels: Option<&Qrels>,
    ) -> Result<(PairsReport, Vec<u8>)> {
        let mut report = PairsReport::default();
        let of_lang = report.lang(query.lang);
        of_lang.queries = 1;
        let (row_of_best, score, lead) = match chosen {
            Chosen::Nothing => {
                of_lang.nothing = 1;
                return Ok((report, Vec::new()));
            }
            Chosen::Best { row, score, lead, at_top, leads } => {
                of_lang.scores.add(*score as f32);
                of_lang.leads.add(*lead as f32);
                match (at_top, leads, found_back) {
                    (false, ..) => of_lang.not_at_top = 1,
                    (_, false, _) => of_lang.short_lead = 1,
                    (.., false) => of_lang.not_found_back = 1,
                    _ => of_lang.mined = 1,
                }
                (*row, *score, *lead)
            }
        };
        if of_lang.mined == 0 {
            return Ok((report, Vec::new()));
        }
        let passages = self.lists.passages();
        let positive = passages.get(row_of_best)?;
        of_lang.mined_scores.add(score as f32);
        if let Some(judged) = qrels.and_then(|qrels| qrels.get(&query.id)) {
            let grade = judged.get(&positive.id);
            of_lang.with_positive = u64::from(judged.values().any(|grade| *grade > 0));
            of_lang.judged = u64::from(grade.is_some());
            of_lang.right = u64::from(grade.is_some_and(|grade| *grade > 0));
        }
        let near = Near::new([positive.text.as_str()].into_iter(), self.options.near_duplicate);
        let mut negatives = Vec::new();
        for row in self.hard(found, row_of_best) {
            if negatives.len() == self.options.negatives {
                break;
            }
            if near.has(&passages.get(row)?.text) {
                of_lang.near_duplicates += 1;
                continue;
            }
            negatives.push(row);
            let lang = passages.lang(row).map_or("?".to_owned(), |lang| lang.to_string());
            *of_lang.negative_langs.entry(lang).or_default() += 1;
        }
        of_lang.negatives = negatives.len() as u64;
        of_lang.samples.push(Sample {
            lead: lead.min(f64::from(f32::MAX)),
            score,
            query: [query.id.clone(), query.text.clone()],
            positive: [positive.id, positive.text],
        });
        let bytes = row(query, passages, &[row_of_best], &negatives, None)?;
        Ok((report, bytes))
    }

    /// Hard negatives, best rank first. Of one list alone, which nothing contradicts, those between both ranks.
    fn hard(&self, found: &[Option<Ranked>; 2], positive: u32) -> Vec<u32> {
        let (top, beyond) = (self.options.negatives_top, self.options.negatives_beyond);
        let rows = |list: &Option<Ranked>, from: usize, to: usize| -> Vec<u32> {
            let list = list.iter().flatten().map(|(row, _)| *row);
            list.take(to).skip(from).collect()
        };
        let mut ranked: BTreeMap<(usize, u32), ()> = BTreeMap::new();
        for (list, other) in [(&found[0], &found[1]), (&found[1], &found[0])] {
            let (from, to) = if other.is_some() { (0, top) } else { (top, beyond) };
            let known: BTreeSet<u32> = rows(other, 0, beyond).into_iter().collect();
            for (rank, row) in rows(list, from, to).into_iter().enumerate() {
                if row != positive && !known.contains(&row) {
                    ranked.insert((rank, row), ());
                }
            }
        }
        ranked.into_keys().map(|(_, row)| row).collect()
    }
}
