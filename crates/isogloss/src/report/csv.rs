//! Every figure of every system as CSV, a row each, with the difference from the baseline where there is one.

use super::{Report, Task};
use crate::cmd::compare::table;
use crate::sheet::Sheet;
use isogloss_ir::compare::Paired;
use std::io::{self, Write};

const HEADER: [&str; 14] = [
    "benchmark",
    "view",
    "system",
    "over",
    "queries",
    "measure",
    "mean",
    "low",
    "high",
    "baseline",
    "difference",
    "difference_low",
    "difference_high",
    "p",
];

/// Writes it; p is Holm's for single languages.
///
/// # Errors
/// Those of the writer.
pub fn write(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let mut sheet = Sheet::new(HEADER);
    for task in &report.tasks {
        for entry in &task.entries {
            for (over, figures) in entry.summary.rows() {
                for (measure, mean, interval) in figures.cells() {
                    let bound = |side: usize| interval.map_or(String::new(), |interval| interval[side].to_string());
                    let mut row = [task.benchmark, task.view, &entry.system.name, &over].map(str::to_owned).to_vec();
                    row.extend([figures.queries.to_string(), measure.to_owned(), mean.to_string(), bound(0), bound(1)]);
                    row.extend(change(task, &entry.system.name, measure, &over));
                    sheet.push(row);
                }
            }
        }
    }
    sheet.write_csv(out)
}

fn change(task: &Task, system: &str, measure: &str, over: &str) -> [String; 5] {
    let change = task.changes.iter().find(|change| change.system == system && change.measure == measure);
    let found = change.and_then(|change| Some((change.baseline.clone(), change.found.as_ref().ok()?)));
    let Some((baseline, found)) = found else { return Default::default() };
    let cells = |paired: &Paired| {
        let [low, high] = paired.interval;
        let numbers = [paired.difference, low, high, paired.p()].map(|value| value.to_string());
        let [difference, low, high, p] = numbers;
        [baseline.clone(), difference, low, high, p]
    };
    table::rows(found).find(|(row, _)| row == over).map_or_else(Default::default, |(_, paired)| cells(paired))
}
