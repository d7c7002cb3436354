//! Prompts in the data: before every text, before some, or where the model puts one, too.

use super::finding::{Check, Example, Findings, keep};
use super::text::PROMPTS;
use std::collections::BTreeMap;

/// Texts with a prompt from which some are no accident, or their share.
const SOME: u64 = 3;
const SHARE: f64 = 0.01;
/// Prompts of queries with those of documents that belong to them.
const TWINS: [(&str, &str); 2] = [("query: ", "passage: "), ("search_query: ", "search_document: ")];

/// The prompts that one side's texts begin with.
#[derive(Default)]
pub(super) struct Prompts {
    texts: u64,
    begun: BTreeMap<String, (u64, Vec<Example>)>,
    /// Texts that begin with one prompt twice.
    twice: (u64, Vec<Example>),
    /// The first texts without.
    without: Vec<Example>,
}

impl Prompts {
    /// Takes note of a text; `own` is the prompt of the model.
    pub fn add(&mut self, line: usize, text: &str, own: &str) {
        self.texts += 1;
        let known = [own].into_iter().chain(PROMPTS).filter(|prompt| !prompt.is_empty());
        let Some(prompt) = known.into_iter().find(|prompt| text.starts_with(prompt)) else {
            keep(&mut self.without, line, text);
            return;
        };
        if text[prompt.len()..].trim_start().starts_with(prompt.trim_end()) {
            self.twice.0 += 1;
            keep(&mut self.twice.1, line, text);
        }
        let begun = self.begun.entry(prompt.to_owned()).or_default();
        begun.0 += 1;
        keep(&mut begun.1, line, text);
    }

    /// Tells documents without the prompt that belongs to the one of all these queries.
    pub fn tell_forgotten(&self, docs: &Prompts, findings: &mut Findings, file: usize) {
        for (of_queries, of_docs) in TWINS {
            let common = self.begun.get(of_queries).is_some_and(|(found, _)| *found == self.texts);
            if common && docs.begun.is_empty() && docs.texts > 0 {
                let detail = format!("queries: {of_queries:?}, texts without {of_docs:?}");
                findings.add_all(file, Check::PromptMixed, &detail, docs.texts, Some(docs.texts), docs.without.clone());
            }
        }
    }

    /// Tells what is wrong with the texts of `side`.
    pub fn tell(&self, findings: &mut Findings, file: usize, side: &str, own: &str) {
        let of = Some(self.texts);
        if self.twice.0 > 0 {
            findings.add_all(
                file,
                Check::PromptDoubled,
                &format!("{side}: twice in the text"),
                self.twice.0,
                of,
                self.twice.1.clone(),
            );
        }
        for (prompt, (found, examples)) in &self.begun {
            let detail = format!("{side}: {prompt:?}");
            let some = *found >= SOME || *found as f64 >= SHARE * self.texts as f64;
            let (check, found, examples) = match () {
                () if prompt == own => (Check::PromptDoubled, *found, examples),
                () if *found == self.texts => (Check::PromptInData, *found, examples),
                // The fewer are told: those with the prompt, or those that it was forgotten for.
                () if some && self.texts - found < *found => (Check::PromptMixed, self.texts - found, &self.without),
                () if some => (Check::PromptMixed, *found, examples),
                () => continue,
            };
            findings.add_all(file, check, &detail, found, of, examples.clone());
        }
    }
}
