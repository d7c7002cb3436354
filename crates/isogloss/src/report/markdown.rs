//! The report as Markdown.

use super::change::{self, Change, difference, verdict};
use super::{Entry, Report, Task};
use crate::cmd::compare::table::{p_value, rows};
use crate::result::miss::Passage;
use crate::sheet::Sheet;
use std::io::{self, Write};

/// Writes it.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "# Report\n")?;
    for task in &report.tasks {
        writeln!(out, "## {}\n", plain(&task.title()))?;
        for measure in task.measures() {
            writeln!(out, "{}\n", plain(measure))?;
            figures(task, measure).write(true, out)?;
            writeln!(out)?;
        }
        for found in &task.changes {
            changed(found, out)?;
        }
        worst(task, out)?;
    }
    if report.tasks.iter().any(|task| !task.changes.is_empty()) {
        writeln!(out, "{}\n", change::legend(&report.resampling))?;
    }
    writeln!(out, "## What this depends on\n")?;
    for system in report.systems {
        let manifest = &system.result.manifest;
        writeln!(out, "- {}, {}: `{}`", plain(&system.name), plain(&system.benchmark), code(&manifest.to_string()))?;
    }
    Ok(())
}

fn figures(task: &Task, measure: &str) -> Sheet {
    let names = task.entries.iter().map(|entry| plain(&entry.system.name));
    let mut sheet = Sheet::new(["mean over".into(), "queries".into()].into_iter().chain(names));
    let langs = task.langs().into_iter().map(|lang| lang.to_string());
    for over in langs.chain(task.means()) {
        let queries = task.entries.iter().find_map(|entry| entry.figures(&over)).map_or(0, |figures| figures.queries);
        let cell = |entry: &Entry| match entry.figures(&over).and_then(|figures| figures.get(measure)) {
            None => "–".to_owned(),
            Some((mean, None)) => format!("{mean:.4}"),
            Some((mean, Some([low, high]))) => format!("{mean:.4} [{low:.4}, {high:.4}]"),
        };
        let cells: Vec<String> = task.entries.iter().map(cell).collect();
        sheet.push([over, queries.to_string()].into_iter().chain(cells).collect());
    }
    sheet
}

fn changed(change: &Change, out: &mut impl Write) -> io::Result<()> {
    let title = format!("{}: {} against {}", change.measure, change.system, change.baseline);
    writeln!(out, "{}\n", plain(&title))?;
    let found = match &change.found {
        Ok(found) => found,
        Err(problem) => return writeln!(out, "Not compared: {}\n", plain(problem)),
    };
    let mut sheet = Sheet::new(["over", "queries", "difference", "p", "Holm p", ""]);
    for (over, paired) in rows(found) {
        sheet.push(vec![
            over,
            paired.queries.to_string(),
            difference(paired),
            p_value(paired.randomisation_test.p),
            paired.holm.map_or("–".into(), |holm| p_value(holm.randomisation_test)),
            verdict(paired, &change.measure).0.into(),
        ]);
    }
    sheet.write(true, out)?;
    writeln!(out)
}

/// The worst queries, each with what is right and what was found first.
fn worst(task: &Task, out: &mut impl Write) -> io::Result<()> {
    if task.entries.iter().any(|entry| !entry.misses.is_empty()) {
        writeln!(out, "### Worst queries\n")?;
    }
    for (entry, miss) in task.entries.iter().flat_map(|entry| entry.misses.iter().map(move |miss| (entry, miss))) {
        let figure = format!("{} {:.4}, {}", miss.measure, miss.value, entry.system.name);
        writeln!(out, "- {} ({})", passage(&miss.query), plain(&figure))?;
        for gold in &miss.gold {
            let rank = gold.rank.map_or("not found".into(), |rank| format!("rank {rank}"));
            writeln!(out, "  - right, {rank}: {}", passage(&gold.doc))?;
        }
        for (rank, hit) in (1..).zip(&miss.found) {
            writeln!(out, "  - found, rank {rank}: {}", passage(&hit.doc))?;
        }
    }
    writeln!(out)
}

fn passage(passage: &Passage) -> String {
    let lang = passage.lang.map_or("language not named".into(), |lang| lang.to_string());
    format!("**{lang}** {} {}", plain(&passage.id), plain(&passage.text))
}

/// Text in which nothing is markup, neither Markdown's nor HTML's.
pub fn plain(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '\n' | '\r' => escaped.push(' '),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '$' => escaped.extend(['\\', c]),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Text between backticks.
fn code(text: &str) -> String {
    text.replace('`', "'").replace('\n', " ")
}
