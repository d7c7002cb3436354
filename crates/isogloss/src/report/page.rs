//! The page: one HTML file with all that it shows, read by no script.

use super::change::{self, difference, verdict};
use super::markup::{Table, Text};
use super::{Report, Task, bars::bars, curves, manifest, matrix, scatter, table::table, worst};
use std::fmt::Write;

const STYLE: &str = include_str!("style.css");

/// The whole file.
pub fn page(report: &Report) -> String {
    let mut sections: Vec<(String, String)> = vec![("Overview".into(), overview(report))];
    sections.extend(report.tasks.iter().map(|task| (task.title(), task_section(task, report))));
    if !report.logs.is_empty() {
        sections.push(("Training".into(), curves::section(&report.logs)));
    }
    sections.extend(report.calibrated.iter().map(|it| ("Calibration".to_owned(), scatter::section(it))));
    sections.push(("What this depends on".into(), manifest::section(report)));
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta name=\"color-scheme\" content=\"light dark\"/>\n<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n",
        Text(&title(report))
    );
    let _ = writeln!(html, "<header>\n<h1>{}</h1>", Text(&title(report)));
    let links = sections.iter().enumerate();
    let links: String = links.map(|(at, (title, _))| format!("<a href=\"#s{at}\">{}</a>\n", Text(title))).collect();
    let _ = writeln!(html, "<nav>\n{links}</nav>\n</header>\n<main>");
    for (at, (title, content)) in sections.iter().enumerate() {
        let _ = writeln!(html, "<section id=\"s{at}\">\n<h2>{}</h2>\n{content}</section>", Text(title));
    }
    html + "</main>\n</body>\n</html>\n"
}

fn title(report: &Report) -> String {
    let mut names: Vec<&str> = Vec::new();
    for task in &report.tasks {
        if !names.contains(&task.benchmark) {
            names.push(task.benchmark);
        }
    }
    match names.len() {
        0..=4 => format!("Report: {}", names.join(", ")),
        many => format!("Report: {many} benchmarks"),
    }
}

/// The mean over languages by each task's measure, a row a task and system.
fn overview(report: &Report) -> String {
    let compared = report.tasks.iter().any(|task| !task.changes.is_empty());
    let header = ["judged by", "system", "measure", "mean of languages"].into_iter();
    let mut table = Table::new(header.chain(compared.then_some("against the baseline")));
    for task in &report.tasks {
        for entry in &task.entries {
            let measure = &entry.summary.measures[0];
            let mean = match entry.summary.macro_mean.get(measure) {
                None => "–".into(),
                Some((mean, None)) => format!("{mean:.4}"),
                Some((mean, Some([low, high]))) => {
                    format!("{mean:.4} <span class=\"interval\">[{low:.4}, {high:.4}]</span>")
                }
            };
            let cells = [task.title(), entry.system.name.clone(), measure.clone()].map(|cell| Text(&cell).to_string());
            let change = compared.then(|| changed(task, &entry.system.name));
            table.row("", cells.into_iter().chain([mean]).chain(change));
        }
    }
    format!("{table}{}", drawn(report))
}

fn changed(task: &Task, system: &str) -> String {
    let of = |change: &&change::Change| change.system == system && change.measure == task.measure();
    let Some(change) = task.changes.iter().find(of) else { return "baseline".into() };
    match change.whole() {
        None => "not compared".into(),
        Some(paired) => {
            let (word, class) = verdict(paired, &change.measure);
            format!("{} <span class=\"{class}\">{word}</span>", difference(paired))
        }
    }
}

fn drawn(report: &Report) -> String {
    let bootstrap = report.systems.iter().find_map(|system| system.result.bootstrap);
    bootstrap.map_or(String::new(), |b| {
        let percent = b.confidence * 100.0;
        format!(
            "<p class=\"dim\">{percent} % intervals from {} bootstrap resamples of the queries, seed {}.</p>\n",
            b.resamples, b.seed
        )
    })
}

fn task_section(task: &Task, report: &Report) -> String {
    let missing = |entry: &super::Entry| match entry.summary.missing {
        0 => String::new(),
        n => format!(
            "<p class=\"dim\">{}: judged queries that were not found and count 0: {n}</p>\n",
            Text(&entry.system.name)
        ),
    };
    let missing: String = task.entries.iter().map(missing).collect();
    let changes = change::section(task, &report.resampling);
    let matrices = matrix::section(task);
    format!("{}{}{missing}{changes}{matrices}{}", bars(task, task.measure()), table(task), worst::section(task))
}
