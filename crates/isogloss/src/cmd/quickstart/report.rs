//! What the quickstart found: as tables for people and as JSON.

use super::passages::MEASURE;
use comfy_table::{CellAlignment, Table, presets};
use isogloss_engine::Isa;
use isogloss_ir::{Lang, write_atomic};
use isogloss_model::BiEncoder;
use isogloss_train::RunConfig;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::time::Duration;

/// Figures of both directions between a language and English, 0 to 1.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Both {
    /// The language's texts search English ones.
    pub to_english: f64,
    /// English texts search the language's.
    pub from_english: f64,
}

/// The figures of one evaluation set.
#[derive(Debug, Serialize)]
pub struct Set {
    /// By language.
    by_lang: BTreeMap<Lang, Both>,
    /// The unweighted mean of the languages other than English.
    mean: Both,
    /// Texts that each one is searched among.
    among: usize,
}

impl Set {
    /// Takes the figures of each language, each measured among so many texts.
    pub fn new(by_lang: BTreeMap<Lang, Both>, among: usize) -> Self {
        let others: Vec<&Both> =
            by_lang.iter().filter(|(lang, _)| lang.as_str() != "en").map(|(_, both)| both).collect();
        let mean = |of: fn(&Both) -> f64| others.iter().map(|both| of(both)).sum::<f64>() / others.len().max(1) as f64;
        let mean = Both { to_english: mean(|both| both.to_english), from_english: mean(|both| both.from_english) };
        Self { by_lang, mean, among }
    }
}

/// The figures of one model.
#[derive(Debug, Serialize)]
pub struct Scores {
    /// Accuracy@1 on short sentences, the domain of most training pairs.
    pub tatoeba: Set,
    /// Accuracy@1 on news, another domain.
    pub ntrex: Set,
    /// nDCG@10 from questions to passages.
    pub passages: Set,
}

/// A search to look at.
#[derive(Debug, Serialize)]
pub struct Search {
    /// The question's language.
    pub lang: Lang,
    /// The question's id.
    pub id: String,
    /// The question.
    pub query: String,
    /// What was found, best first.
    pub found: Vec<Found>,
}

/// A passage found.
#[derive(Debug, Serialize)]
pub struct Found {
    /// The passage's id.
    pub id: String,
    /// Its language.
    pub lang: Option<Lang>,
    /// Its inner product with the question.
    pub score: f32,
    /// Whether it answers the question.
    pub gold: bool,
    /// Its beginning.
    pub text: String,
}

/// Time spent, in seconds.
#[derive(Debug, Serialize)]
pub struct Seconds {
    tokenizer: f64,
    training: f64,
    measuring: f64,
    total: f64,
}

impl Seconds {
    /// Of the stages, in this run of the program.
    pub fn new(tokenizer: Duration, training: Duration, measuring: Duration, total: Duration) -> Self {
        let [tokenizer, training, measuring, total] =
            [tokenizer, training, measuring, total].map(|time| (time.as_secs_f64() * 10.0).round() / 10.0);
        Self { tokenizer, training, measuring, total }
    }
}

/// All figures of a quickstart.
#[derive(Debug, Serialize)]
pub struct Report {
    isogloss: &'static str,
    seed: u64,
    steps: usize,
    vocabulary: usize,
    dim: usize,
    cpu: String,
    threads: usize,
    seconds: Seconds,
    before: Scores,
    after: Scores,
    searches: Vec<Search>,
}

impl Report {
    /// The figures of a run, before and after training.
    pub fn new(
        config: &RunConfig,
        model: &BiEncoder,
        seconds: Seconds,
        before: Scores,
        after: Scores,
        searches: Vec<Search>,
    ) -> Self {
        Self {
            isogloss: env!("CARGO_PKG_VERSION"),
            seed: config.seed,
            steps: config.schedule.steps,
            vocabulary: super::vocabulary(model),
            dim: model.layout().dim(),
            cpu: Isa::current().to_string(),
            threads: rayon::current_num_threads(),
            seconds,
            before,
            after,
            searches,
        }
    }

    /// Writes all figures as JSON.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        Ok(write_atomic(path, text.as_bytes())?)
    }

    fn sentences(&self) -> Table {
        let header = ["language", "Tatoeba →en", "Tatoeba en→", "NTREX →en", "NTREX en→"];
        table(&header, &[(&self.before.tatoeba, &self.after.tatoeba), (&self.before.ntrex, &self.after.ntrex)])
    }

    fn passages(&self) -> Table {
        table(&["language", "→en", "en→"], &[(&self.before.passages, &self.after.passages)])
    }
}

/// One row per language and one for the mean; before and after in one cell, in percent.
fn table(header: &[&str], sets: &[(&Set, &Set)]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(header);
    let cell = |before: f64, after: f64| format!("{:.1} → {:.1}", 100.0 * before, 100.0 * after);
    let cells = |before: Option<&Both>, after: Option<&Both>| match (before, after) {
        (Some(b), Some(a)) => [cell(b.to_english, a.to_english), cell(b.from_english, a.from_english)],
        _ => ["–".to_owned(), "–".to_owned()],
    };
    let langs = sets.iter().flat_map(|(before, _)| before.by_lang.keys());
    for lang in langs.collect::<std::collections::BTreeSet<_>>() {
        let values = sets.iter().flat_map(|(b, a)| cells(b.by_lang.get(lang), a.by_lang.get(lang)));
        table.add_row(std::iter::once(lang.to_string()).chain(values));
    }
    let means = sets.iter().flat_map(|(b, a)| cells(Some(&b.mean), Some(&a.mean)));
    table.add_row(std::iter::once("mean without en".to_owned()).chain(means));
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sentences, passages) = (&self.after.tatoeba, &self.after.passages);
        writeln!(f, "Sentence retrieval among {}, accuracy@1 in %, before → after training", sentences.among)?;
        writeln!(f, "(Tatoeba: short sentences as in training; NTREX: news, another domain)\n")?;
        writeln!(f, "{}\n", self.sentences().trim_fmt())?;
        writeln!(f, "Question → passage among {}, {MEASURE} in %, before → after training\n", passages.among)?;
        writeln!(f, "{}\n", self.passages().trim_fmt())?;
        writeln!(f, "Searches over the passages of all languages (* answers the question)")?;
        for search in &self.searches {
            writeln!(f, "\n[{}] {}", search.lang, search.query)?;
            for found in &search.found {
                let mark = if found.gold { '*' } else { ' ' };
                let lang = found.lang.map_or("?".to_owned(), |lang| lang.to_string());
                writeln!(f, "  {mark} {lang}  {:.3}  {}", found.score, found.text)?;
            }
        }
        writeln!(f)
    }
}
