//! The questions of each language that fared worst, gathered while they are measured.

use crate::result::miss::{Gold, Hit, Miss, Passage};
use isogloss_ir::protocol::Retrieval;
use isogloss_ir::{Doc, DocId, Lang, Query, Result};
use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

/// Documents told of each question, found ones and right ones.
pub const TOLD: usize = 3;

/// Right documents looked at to choose [`TOLD`] from.
const LOOKED_AT: usize = 32;

/// Characters of a text that are told.
const CHARS: usize = 400;

/// So many questions a view and language: those of the lowest value and, among equals, the highest score of what was wrongly
/// put first.
#[derive(Default)]
pub struct Worst {
    most: usize,
    by_lang: BTreeMap<(&'static str, Lang), Vec<Candidate>>,
}

/// A question that may be among the worst.
pub struct Candidate {
    /// The question without its texts.
    pub miss: Miss,
    /// Where its texts are, if they are not in it yet.
    pub place: Option<Place>,
}

/// Which list of questions and which corpus of a [`Retrieval`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Which questions.
    pub queries: usize,
    /// Which documents.
    pub corpus: usize,
}

impl Worst {
    /// None yet of at most so many.
    pub fn new(most: usize) -> Self {
        Self { most, by_lang: BTreeMap::new() }
    }

    /// Whether a question of such a value, whose first hit has such a score, may be among the worst.
    pub fn wants(&self, view: &'static str, lang: Lang, value: f64, score: f32) -> bool {
        let last = |all: &Vec<Candidate>| match all.last() {
            Some(last) if all.len() == self.most => {
                let kept = surest_of(&last.miss);
                value < last.miss.value || (value == last.miss.value && score >= kept)
            }
            _ => true,
        };
        self.most > 0 && self.by_lang.get(&(view, lang)).is_none_or(last)
    }

    /// Takes a question in, in place of the best that is there.
    pub fn offer(&mut self, view: &'static str, candidate: Candidate) {
        let all = self.by_lang.entry((view, candidate.miss.lang)).or_default();
        all.push(candidate);
        all.sort_by(order);
        all.truncate(self.most);
    }

    /// All of them, views and languages in order, the worst first.
    pub fn into_misses(self) -> Vec<Miss> {
        self.by_lang.into_values().flatten().map(|candidate| candidate.miss).collect()
    }

    /// Puts in the texts of questions and documents, and leaves [`TOLD`] right documents.
    ///
    /// # Errors
    /// A corpus cannot be read.
    pub fn fill(&mut self, all: &Retrieval) -> Result<()> {
        for (at, corpus) in all.corpora.iter().enumerate() {
            let mut wanted: HashMap<DocId, Vec<&mut Passage>> = HashMap::new();
            let misses = self
                .by_lang
                .values_mut()
                .flatten()
                .filter(|candidate| candidate.place.is_some_and(|place| place.corpus == at));
            for candidate in misses {
                let Miss { found, gold, .. } = &mut candidate.miss;
                let docs = found.iter_mut().map(|hit| &mut hit.doc).chain(gold.iter_mut().map(|gold| &mut gold.doc));
                docs.for_each(|doc| wanted.entry(doc.id.clone()).or_default().push(doc));
            }
            if wanted.is_empty() {
                continue;
            }
            for doc in corpus.docs.read()? {
                let doc = doc?;
                for passage in wanted.remove(&doc.id).into_iter().flatten() {
                    *passage = passage_of(&doc);
                }
            }
        }
        for (at, queries) in all.queries.iter().enumerate() {
            let by_id: HashMap<&str, &Query> = queries.iter().map(|query| (query.id.as_str(), query)).collect();
            let here = |candidate: &&mut Candidate| candidate.place.is_some_and(|place| place.queries == at);
            for candidate in self.by_lang.values_mut().flatten().filter(here) {
                let asked = &mut candidate.miss.query;
                if let Some(query) = by_id.get(asked.id.as_str()) {
                    (asked.lang, asked.text) = (query.lang, short(&query.text));
                }
            }
        }
        for candidate in self.by_lang.values_mut().flatten() {
            let Miss { lang, gold, .. } = &mut candidate.miss;
            gold.sort_by_key(|gold| (gold.doc.lang != Some(*lang), gold.rank.unwrap_or(usize::MAX)));
            gold.truncate(TOLD);
        }
        Ok(())
    }
}

/// The worse first.
fn order(a: &Candidate, b: &Candidate) -> Ordering {
    let by_value = a.miss.value.total_cmp(&b.miss.value);
    by_value.then(surest_of(&b.miss).total_cmp(&surest_of(&a.miss))).then_with(|| a.miss.query.id.cmp(&b.miss.query.id))
}

/// The score of what was put first; below all others where nothing was found.
pub fn surest(ranking: &[(DocId, f32)]) -> f32 {
    ranking.first().map_or(f32::NEG_INFINITY, |(_, score)| *score)
}

fn surest_of(miss: &Miss) -> f32 {
    miss.found.first().and_then(|hit| hit.score).unwrap_or(f32::NEG_INFINITY)
}

/// What is told of a ranking: the ids of what was found and of what is right, without texts.
pub fn of_ranking(ranking: &[(DocId, f32)], judged: &BTreeMap<DocId, i32>) -> (Vec<Hit>, Vec<Gold>) {
    let bare = |id: &DocId| Passage { id: id.clone(), ..Passage::default() };
    let is_right = |id: &DocId| judged.get(id).is_some_and(|grade| *grade > 0);
    let hit = |(id, score): &(DocId, f32)| Hit { doc: bare(id), score: Some(*score), gold: is_right(id) };
    let right = judged.iter().filter(|(_, grade)| **grade > 0).take(LOOKED_AT);
    let rank = |id: &DocId| ranking.iter().position(|(other, _)| other == id).map(|at| at + 1);
    let gold = right.map(|(id, _)| Gold { doc: bare(id), rank: rank(id) }).collect();
    (ranking.iter().take(TOLD).map(hit).collect(), gold)
}

fn passage_of(doc: &Doc) -> Passage {
    Passage { id: doc.id.clone(), lang: doc.lang, text: short(&doc.full_text()) }
}

/// The beginning of a text.
pub fn short(text: &str) -> String {
    match text.char_indices().nth(CHARS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(id: &str, value: f64, score: f32) -> Candidate {
        let (found, gold) = of_ranking(&[("d1".into(), score), ("d2".into(), 0.0)], &[("d2".to_owned(), 1)].into());
        let query = Passage { id: id.into(), ..Passage::default() };
        let (view, lang, measure) = ("all".into(), "fi".parse().unwrap(), "AP".into());
        Candidate { miss: Miss { view, lang, measure, value, query, found, gold }, place: None }
    }

    #[test]
    fn the_lowest_stay_and_among_them_the_surest() {
        let mut worst = Worst::new(2);
        let fi = "fi".parse().unwrap();
        for (id, value, score) in [("a", 0.5, 1.0), ("b", 0.0, 0.2), ("c", 0.0, 0.9), ("d", 0.0, 0.1), ("e", 1.0, 1.0)]
        {
            assert_eq!(worst.wants("all", fi, value, score), ["a", "b", "c"].contains(&id));
            worst.offer("all", candidate(id, value, score));
        }
        assert!(!Worst::new(0).wants("all", fi, 0.0, 1.0));
        let misses = worst.into_misses();
        assert_eq!(misses.iter().map(|miss| miss.query.id.as_str()).collect::<Vec<_>>(), ["c", "b"]);
        assert_eq!((misses[0].found.len(), misses[0].found[1].gold, misses[0].gold[0].rank), (2, true, Some(2)));
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        let text = "é".repeat(CHARS + 1);
        assert_eq!(short(&text).chars().count(), CHARS + 1);
        assert_eq!(short("kurz"), "kurz");
    }
}
