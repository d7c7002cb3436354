//! One query: its candidates, what the rules leave of them, and its row.

use super::report::{Kept, NegativesReport, Rule};
use super::{Asked, Negatives, Pick};
use crate::error::Result;
use crate::lists::{LISTS, Ranked};
use crate::near::Near;
use crate::row::row;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A document and where each list has it.
struct Candidate {
    row: u32,
    /// Rank from 1, and score.
    places: [Option<(usize, f32)>; 2],
}

impl Candidate {
    fn best_rank(&self) -> usize {
        self.places.iter().flatten().map(|(rank, _)| *rank).min().unwrap_or(usize::MAX)
    }
}

pub(super) struct Chooser<'a> {
    pub(super) task: &'a Negatives<'a>,
}

/// What a query's candidates are held against.
struct Positives {
    own: BTreeSet<u32>,
    elsewhere: BTreeSet<u32>,
    groups: BTreeSet<u64>,
    /// By list.
    scores: [Option<f32>; 2],
    /// By the reranker.
    reranked: Option<f32>,
}

impl Chooser<'_> {
    /// What is to be reported of a query, and its row.
    pub(super) fn choose(
        &self,
        asked: &Asked,
        found: [Option<Ranked>; 2],
        scores: [Option<Vec<f32>>; 2],
    ) -> Result<(NegativesReport, Vec<u8>)> {
        let (options, passages) = (self.task.options, self.task.lists.passages());
        let reranked = self.reranked(asked)?;
        let positives = self.positives(asked, &scores, &reranked);
        let mut report = NegativesReport::of_query(asked.query.lang, passages, &asked.positives);
        for (list, scores) in LISTS.iter().zip(&scores) {
            scores.iter().flatten().for_each(|score| report.list(list).positives.add(*score));
        }
        let mut passed = Vec::new();
        for candidate in candidates(found, [0, 1].map(|at| options.lists[at].last)) {
            for (list, place) in LISTS.iter().zip(candidate.places) {
                place.iter().for_each(|(_, score)| report.list(list).candidates.add(*score));
            }
            match self.first_broken(&candidate, &positives, &reranked)? {
                Some(rule) => report.dropped(rule, 1),
                None => passed.push(candidate),
            }
        }
        report.candidates = report.dropped.values().sum::<u64>() + passed.len() as u64;
        let kept = self.pick(asked, passed, &mut report)?;
        for candidate in &kept {
            for (list, place) in LISTS.iter().zip(candidate.places) {
                place.iter().for_each(|(_, score)| report.list(list).negatives.add(*score));
            }
        }
        report.keep(asked.query.lang, kept.iter().map(|candidate| passages.lang(candidate.row)), options.negatives);
        self.suspect(asked, &kept, &positives, &reranked, &mut report)?;
        let rows: Vec<u32> = kept.iter().map(|candidate| candidate.row).collect();
        let all = |rows: &[u32]| rows.iter().map(|row| reranked.get(row).copied()).collect::<Option<Vec<f32>>>();
        let scores = all(&asked.positives).zip(all(&rows)).filter(|_| self.task.reranker.is_some());
        let row = row(&asked.query, passages, &asked.positives, &rows, scores.map(|(pos, neg)| [pos, neg]))?;
        Ok((report, row))
    }

    /// The reranker's scores of a query's documents, by row.
    fn reranked(&self, asked: &Asked) -> Result<HashMap<u32, f32>> {
        let hits = self.task.reranker.and_then(|run| run.get(&asked.query.id)).unwrap_or_default();
        let row = |(doc, score): &(String, f32)| Some((self.task.lists.passages().find(doc)?, *score));
        Ok(hits.iter().filter_map(row).collect())
    }

    fn positives(&self, asked: &Asked, scores: &[Option<Vec<f32>>; 2], reranked: &HashMap<u32, f32>) -> Positives {
        let which = self.task.options.positive_score;
        let of_reranker: Vec<f32> = asked.positives.iter().filter_map(|row| reranked.get(row).copied()).collect();
        let all = asked.positives.iter().chain(&asked.elsewhere);
        Positives {
            groups: all.filter_map(|row| self.task.parallel.group(*row)).collect(),
            own: asked.positives.iter().copied().collect(),
            elsewhere: asked.elsewhere.iter().copied().collect(),
            scores: [0, 1].map(|at| scores[at].as_deref().and_then(|scores| which.of(scores))),
            reranked: which.of(&of_reranker),
        }
    }

    /// The first rule that a candidate breaks, of those that need no text.
    fn first_broken(
        &self,
        candidate: &Candidate,
        positives: &Positives,
        reranked: &HashMap<u32, f32>,
    ) -> Result<Option<Rule>> {
        let options = self.task.options;
        let group = self.task.parallel.group(candidate.row);
        if positives.own.contains(&candidate.row) {
            return Ok(Some(Rule::Positive));
        }
        if positives.elsewhere.contains(&candidate.row) {
            return Ok(Some(Rule::PositiveElsewhere));
        }
        if group.is_some_and(|group| positives.groups.contains(&group)) {
            return Ok(Some(Rule::Translation));
        }
        let places = || candidate.places.iter().enumerate().filter_map(|(at, place)| place.map(|place| (at, place)));
        if places().any(|(at, (rank, _))| rank < options.lists[at].first) {
            return Ok(Some(Rule::Rank));
        }
        for (at, (_, score)) in places() {
            if positives.scores[at].is_some_and(|positive| !options.lists[at].margin.keeps(score, positive)) {
                return Ok(Some([Rule::Bm25Margin, Rule::DenseMargin][at]));
            }
        }
        if let Some(score) = reranked.get(&candidate.row) {
            let rules = &options.reranker;
            let near = positives.reranked.is_some_and(|positive| !rules.margin.keeps(*score, positive));
            if near || rules.most.is_some_and(|most| *score > most) {
                return Ok(Some(Rule::Reranker));
            }
        }
        Ok(None)
    }

    /// Takes candidates in their order until there are enough.
    fn pick(&self, asked: &Asked, mut passed: Vec<Candidate>, report: &mut NegativesReport) -> Result<Vec<Candidate>> {
        let (options, passages) = (self.task.options, self.task.lists.passages());
        match options.pick {
            Pick::Hardest => passed.sort_by_key(|candidate| (candidate.best_rank(), candidate.row)),
            Pick::Random => {
                let seed = xxh3_64_with_seed(asked.query.id.as_bytes(), options.seed);
                passed.sort_by_key(|one| (xxh3_64_with_seed(&one.row.to_le_bytes(), seed), one.row));
            }
        }
        if passed.is_empty() {
            return Ok(passed);
        }
        let texts = asked.positives.iter().chain(&asked.elsewhere).map(|row| Ok(passages.get(*row)?.text));
        let texts = texts.collect::<Result<Vec<String>>>()?;
        let near = Near::new(texts.iter().map(String::as_str), options.near_duplicate);
        let (mut kept, mut by_lang) = (Vec::new(), BTreeMap::new());
        for candidate in passed {
            let lang = passages.lang(candidate.row);
            let of_lang = by_lang.entry(lang).or_insert(0usize);
            if kept.len() == options.negatives {
                report.dropped(Rule::Enough, 1);
            } else if *of_lang >= options.quota(lang) {
                report.dropped(Rule::Quota, 1);
            } else if near.has(&passages.get(candidate.row)?.text) {
                report.dropped(Rule::NearDuplicate, 1);
            } else {
                *of_lang += 1;
                kept.push(candidate);
            }
        }
        Ok(kept)
    }

    /// Notes the negatives that come nearest to their positive, by the reranker, else by vectors, else by words.
    fn suspect(
        &self,
        asked: &Asked,
        kept: &[Candidate],
        positives: &Positives,
        reranked: &HashMap<u32, f32>,
        report: &mut NegativesReport,
    ) -> Result<()> {
        let judged = |candidate: &Candidate| {
            let by_reranker = reranked.get(&candidate.row).copied().zip(positives.reranked);
            let by_list = |at: usize| candidate.places[at].map(|(_, score)| score).zip(positives.scores[at]);
            let judges = [("reranker", by_reranker), (LISTS[1], by_list(1)), (LISTS[0], by_list(0))];
            judges.into_iter().find_map(|(judge, scores)| scores.map(|(score, positive)| (judge, score, positive)))
        };
        let mut all: Vec<(f64, &Candidate, (&str, f32, f32))> = kept
            .iter()
            .filter_map(|candidate| {
                let (judge, score, positive) = judged(candidate)?;
                let distance = f64::from(positive.abs()).max(f64::from(f32::MIN_POSITIVE));
                Some(((f64::from(score) - f64::from(positive)) / distance, candidate, (judge, score, positive)))
            })
            .collect();
        all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.row.cmp(&b.1.row)));
        let passages = self.task.lists.passages();
        for (nearness, candidate, (judge, score, positive_score)) in all.into_iter().take(self.task.options.suspects) {
            let (negative, positive) = (passages.get(candidate.row)?, passages.get(asked.positives[0])?);
            report.suspects.push(Kept {
                nearness,
                judge: judge.to_owned(),
                score,
                positive_score,
                query: [asked.query.id.clone(), asked.query.text.clone()],
                negative: [negative.id, negative.text],
                positive: [positive.id, positive.text],
            });
        }
        Ok(())
    }
}

/// What either list has up to its last rank, in the order of rows.
fn candidates(found: [Option<Ranked>; 2], last: [usize; 2]) -> impl Iterator<Item = Candidate> {
    let mut all: BTreeMap<u32, [Option<(usize, f32)>; 2]> = BTreeMap::new();
    for (at, list) in found.into_iter().enumerate() {
        for (rank, (row, score)) in (1..=last[at]).zip(list.into_iter().flatten()) {
            all.entry(row).or_default()[at] = Some((rank, score));
        }
    }
    all.into_iter().map(|(row, places)| Candidate { row, places })
}
