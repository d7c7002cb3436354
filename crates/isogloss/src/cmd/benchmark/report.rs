//! What a benchmark found: tables for people, and one JSON document.

use crate::result::miss::Miss;
use crate::result::{BenchmarkResult, Summary, per_query_file};
use crate::sheet::Sheet;
use isogloss_ir::{Bootstrap, Lang, LanguageBias, PerQuery};
use serde_json::Value;
use std::collections::BTreeSet;
use std::io::{self, Write};

/// Questions that are averaged together.
pub struct View {
    /// Its name, `all` where there is one.
    pub name: &'static str,
    /// The values of every question.
    pub per_query: PerQuery,
    /// Judged questions that were not found and count 0.
    pub missing: usize,
    /// Languages whose mean is told besides, where all of them are there.
    pub groups: Vec<(&'static str, BTreeSet<Lang>)>,
    /// The questions of each language that fared worst, where they are kept.
    pub worst: Vec<Miss>,
    /// How much languages were preferred, where documents in several were searched at once.
    pub language_bias: Option<LanguageBias>,
}

impl View {
    /// No questions yet.
    pub fn new(name: &'static str, measures: Vec<String>) -> Self {
        Self {
            name,
            per_query: PerQuery::new(measures),
            missing: 0,
            groups: Vec::new(),
            worst: Vec::new(),
            language_bias: None,
        }
    }

    /// Where the values of the `at`-th view go.
    pub fn file_name(&self, at: usize) -> String {
        per_query_file(at, self.name)
    }

    fn summary(&self, bootstrap: &Bootstrap) -> Summary {
        let summary = Summary::new(self.name, &self.per_query, self.missing, &self.groups, bootstrap);
        Summary { language_bias: self.language_bias.clone(), ..summary }
    }
}

/// Averages every view.
pub fn result(benchmark: &str, views: &[View], bootstrap: Bootstrap, manifest: Value) -> BenchmarkResult {
    BenchmarkResult {
        benchmark: benchmark.to_owned(),
        views: views.iter().map(|view| view.summary(&bootstrap)).collect(),
        bootstrap: (bootstrap.resamples > 0).then_some(bootstrap),
        manifest,
    }
}

/// A table a view, then how the intervals were drawn.
pub fn write(result: &BenchmarkResult, markdown: bool, out: &mut impl Write) -> io::Result<()> {
    for summary in &result.views {
        let title = match result.views.len() {
            1 => result.benchmark.clone(),
            _ => format!("{}, {}", result.benchmark, summary.view),
        };
        writeln!(out, "{title}\n")?;
        sheet(summary).write(markdown, out)?;
        if summary.missing > 0 {
            writeln!(out, "judged queries that were not found and count 0: {}", summary.missing)?;
        }
        writeln!(out)?;
    }
    match result.bootstrap {
        Some(Bootstrap { seed, resamples, confidence }) => {
            let percent = confidence * 100.0;
            writeln!(out, "{percent} % intervals from {resamples} bootstrap resamples of the queries, seed {seed}")
        }
        None => Ok(()),
    }
}

fn sheet(summary: &Summary) -> Sheet {
    let header = ["mean over", "queries"].into_iter().map(str::to_owned);
    let mut sheet = Sheet::new(header.chain(summary.measures.iter().cloned()));
    for (over, figures) in summary.rows() {
        let cells = figures.cells().map(|(_, mean, interval)| match interval {
            Some([low, high]) => format!("{mean:.4} [{low:.4}, {high:.4}]"),
            None => format!("{mean:.4}"),
        });
        sheet.push([over, figures.queries.to_string()].into_iter().chain(cells).collect());
    }
    sheet
}

/// Every mean, a row each.
pub fn write_csv(result: &BenchmarkResult, out: &mut impl Write) -> io::Result<()> {
    let mut sheet = Sheet::new(["benchmark", "view", "over", "queries", "measure", "mean", "low", "high"]);
    for summary in &result.views {
        for (over, figures) in summary.rows() {
            for (measure, mean, interval) in figures.cells() {
                let bound = |side: usize| interval.map_or(String::new(), |interval| interval[side].to_string());
                let mut row = vec![result.benchmark.clone(), summary.view.clone(), over.clone()];
                row.extend([figures.queries.to_string(), measure.to_owned(), mean.to_string()]);
                row.extend([bound(0), bound(1)]);
                sheet.push(row);
            }
        }
    }
    sheet.write_csv(out)
}
