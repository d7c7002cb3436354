//! What a benchmark found: tables for people, and one JSON document.

use crate::sheet::Sheet;
use isogloss_ir::bootstrap::Interval;
use isogloss_ir::{Bootstrap, Lang, PerQuery};
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
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
}

impl View {
    /// No questions yet.
    pub fn new(name: &'static str, measures: Vec<String>) -> Self {
        Self { name, per_query: PerQuery::new(measures), missing: 0, groups: Vec::new() }
    }

    /// Where the values of the `at`-th view go.
    pub fn file_name(&self, at: usize) -> String {
        let slug: String =
            self.name.replace('→', "-to-").chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
        if at == 0 { "per_query.jsonl".into() } else { format!("per_query.{slug}.jsonl") }
    }
}

/// Everything that a benchmark found and what it depends on.
#[derive(Serialize)]
pub struct Report {
    benchmark: &'static str,
    views: Vec<Summary>,
    /// How the intervals were drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    bootstrap: Option<Bootstrap>,
    manifest: Value,
}

#[derive(Serialize)]
struct Summary {
    view: &'static str,
    measures: Vec<String>,
    missing: usize,
    by_lang: BTreeMap<Lang, Figures>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    groups: BTreeMap<&'static str, Figures>,
    macro_mean: Figures,
    all: Figures,
}

/// Means and how sure they are.
#[derive(Serialize)]
struct Figures {
    queries: usize,
    mean: Named<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<Named<Interval>>,
}

/// Values in the order of the measures; a JSON object under their names.
struct Named<T>(Vec<(String, T)>);

impl<T: Serialize> Serialize for Named<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(measure, value)| (measure, value)))
    }
}

impl<T> Named<T> {
    fn new(measures: &[String], values: impl IntoIterator<Item = T>) -> Self {
        Self(measures.iter().cloned().zip(values).collect())
    }
}

type Rows<'a> = BTreeMap<Lang, Vec<&'a [f64]>>;

impl Report {
    /// Averages every view.
    pub fn new(benchmark: &'static str, views: &[View], bootstrap: Bootstrap, manifest: Value) -> Self {
        let views = views.iter().map(|view| Summary::new(view, &bootstrap)).collect();
        Self { benchmark, views, bootstrap: (bootstrap.resamples > 0).then_some(bootstrap), manifest }
    }

    /// A table a view, then how the intervals were drawn.
    pub fn write(&self, markdown: bool, out: &mut impl Write) -> io::Result<()> {
        for summary in &self.views {
            let title = if self.views.len() > 1 {
                format!("{}, {}", self.benchmark, summary.view)
            } else {
                self.benchmark.into()
            };
            writeln!(out, "{title}\n")?;
            summary.sheet().write(markdown, out)?;
            if summary.missing > 0 {
                writeln!(out, "judged queries that were not found and count 0: {}", summary.missing)?;
            }
            writeln!(out)?;
        }
        match self.bootstrap {
            Some(Bootstrap { seed, resamples, confidence }) => {
                let percent = confidence * 100.0;
                writeln!(out, "{percent} % intervals from {resamples} bootstrap resamples of the queries, seed {seed}")
            }
            None => Ok(()),
        }
    }

    /// Every mean, a row each.
    pub fn write_csv(&self, out: &mut impl Write) -> io::Result<()> {
        let mut sheet = Sheet::new(["benchmark", "view", "over", "queries", "measure", "mean", "low", "high"]);
        for summary in &self.views {
            for (over, figures) in summary.rows() {
                for (measure, mean, interval) in figures.cells() {
                    let bound = |side: usize| interval.map_or(String::new(), |interval| interval[side].to_string());
                    let mut row = vec![self.benchmark.to_owned(), summary.view.to_owned(), over.clone()];
                    row.extend([figures.queries.to_string(), measure.to_owned(), mean.to_string()]);
                    row.extend([bound(0), bound(1)]);
                    sheet.push(row);
                }
            }
        }
        sheet.write_csv(out)
    }
}

impl Summary {
    fn new(view: &View, bootstrap: &Bootstrap) -> Self {
        let mut rows = Rows::new();
        for (_, lang, values) in view.per_query.iter() {
            rows.entry(lang.unwrap_or_else(|| "und".parse().expect("a code"))).or_default().push(values);
        }
        let measures = view.per_query.measures();
        let group =
            |langs: &BTreeSet<Lang>| Figures::of_langs(langs.iter().map(|lang| &rows[lang]), measures, bootstrap);
        let whole = |langs: &BTreeSet<Lang>| !langs.is_empty() && langs.iter().all(|lang| rows.contains_key(lang));
        Self {
            view: view.name,
            measures: view.per_query.measures().to_vec(),
            missing: view.missing,
            by_lang: rows.iter().map(|(lang, rows)| (*lang, Figures::of_langs([rows], measures, bootstrap))).collect(),
            groups: view
                .groups
                .iter()
                .filter(|(_, langs)| whole(langs))
                .map(|(name, langs)| (*name, group(langs)))
                .collect(),
            macro_mean: Figures::of_langs(rows.values(), measures, bootstrap),
            all: Figures::of_langs([&rows.values().flatten().copied().collect()], measures, bootstrap),
        }
    }

    /// Languages, groups of them, all of them, all queries.
    fn rows(&self) -> impl Iterator<Item = (String, &Figures)> {
        let by_lang = self.by_lang.iter().map(|(lang, figures)| (lang.to_string(), figures));
        let groups = self.groups.iter().map(|(name, figures)| ((*name).to_owned(), figures));
        let whole =
            [(format!("{} languages", self.by_lang.len()), &self.macro_mean), ("all queries".into(), &self.all)];
        by_lang.chain(groups).chain(whole)
    }

    fn sheet(&self) -> Sheet {
        let mut sheet =
            Sheet::new(["mean over", "queries"].into_iter().map(str::to_owned).chain(self.measures.iter().cloned()));
        for (over, figures) in self.rows() {
            let cells = figures.cells().map(|(_, mean, interval)| match interval {
                Some([low, high]) => format!("{mean:.4} [{low:.4}, {high:.4}]"),
                None => format!("{mean:.4}"),
            });
            sheet.push([over, figures.queries.to_string()].into_iter().chain(cells).collect());
        }
        sheet
    }
}

impl Figures {
    /// The mean of the languages' means.
    fn of_langs<'a>(
        langs: impl IntoIterator<Item = &'a Vec<&'a [f64]>>,
        measures: &[String],
        bootstrap: &Bootstrap,
    ) -> Self {
        let groups: Vec<Vec<&[f64]>> = langs.into_iter().cloned().collect();
        let mean = |column: usize| {
            let means = groups.iter().map(|rows| rows.iter().map(|row| row[column]).sum::<f64>() / rows.len() as f64);
            means.sum::<f64>() / groups.len() as f64
        };
        let intervals = bootstrap.macro_mean(&groups, measures.len());
        Self {
            queries: groups.iter().map(Vec::len).sum(),
            mean: Named::new(measures, (0..measures.len()).map(mean)),
            interval: (!intervals.is_empty()).then(|| Named::new(measures, intervals)),
        }
    }

    /// Each measure with its mean and, where one was drawn, its interval.
    fn cells(&self) -> impl Iterator<Item = (&str, f64, Option<Interval>)> {
        let interval = |at: usize| self.interval.as_ref().map(|all| all.0[at].1);
        self.mean.0.iter().enumerate().map(move |(at, (measure, mean))| (measure.as_str(), *mean, interval(at)))
    }
}
