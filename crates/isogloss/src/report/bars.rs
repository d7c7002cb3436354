//! Bars by language, a colour a system, with whiskers for the intervals.

use super::markup::{Text, legend, short, ticks};
use super::{Entry, Task};
use isogloss_ir::bootstrap::Interval;
use std::fmt::Write;

/// Per cent of the width that the names of the rows take.
const NAMES: f64 = 18.0;

/// Pixels of a bar.
const BAR: usize = 9;

/// Pixels between rows.
const GAP: usize = 9;

/// Pixels of an axis.
const AXIS: usize = 20;

/// A bar a system in every row, of the means by `measure`; scales with the page's width.
pub fn bars(task: &Task, measure: &str) -> String {
    let rows = rows(task);
    let scale = Scale::of(task, measure);
    let pitch = BAR * task.entries.len() + GAP;
    let height = AXIS + pitch * rows.len() + AXIS;
    let title = format!("{}, {measure} by language", task.title());
    let mut svg = format!("<svg role=\"img\" aria-label=\"{}\" height=\"{height}\">\n", Text(&title));
    scale.draw(height, &mut svg);
    for (at, row) in rows.iter().enumerate() {
        let top = AXIS + GAP / 2 + pitch * at;
        let middle = top + BAR * task.entries.len() / 2 + 4;
        svg += &format!("<text class=\"end\" x=\"{}%\" y=\"{middle}\">{}</text>\n", NAMES - 1.0, Text(row));
        for (place, entry) in task.entries.iter().enumerate() {
            if let Some((mean, interval)) = entry.figures(row).and_then(|figures| figures.get(measure)) {
                bar(entry, row, mean, interval, top + BAR * place, &scale, &mut svg);
            }
        }
    }
    svg += "</svg>\n";
    let names = task.entries.iter().map(|entry| (entry.system.colour, entry.system.name.as_str()));
    let legend = if task.entries.len() > 1 { legend(names) } else { String::new() };
    format!("<figure>{legend}{svg}<figcaption>{}{}</figcaption></figure>\n", Text(&title), whiskers(task))
}

fn whiskers(task: &Task) -> String {
    let bootstrap = task.entries.iter().find_map(|entry| entry.system.result.bootstrap);
    bootstrap.map_or(String::new(), |b| format!("; whiskers: {} % intervals", b.confidence * 100.0))
}

/// The rows of all systems, languages before means.
fn rows(task: &Task) -> Vec<String> {
    task.langs().into_iter().map(|lang| lang.to_string()).chain(task.means()).collect()
}

fn bar(entry: &Entry, row: &str, mean: f64, interval: Option<Interval>, top: usize, scale: &Scale, svg: &mut String) {
    let told = interval.map_or(String::new(), |[low, high]| format!(" [{low:.4}, {high:.4}]"));
    let title = format!("{}, {row}: {mean:.4}{told}", entry.system.name);
    let (colour, width) = (entry.system.colour % 8, scale.x(mean) - NAMES);
    let _ = writeln!(
        svg,
        "<rect class=\"f{colour}\" x=\"{NAMES}%\" y=\"{top}\" width=\"{width:.3}%\" height=\"{}\"><title>{}</title></rect>",
        BAR - 1,
        Text(&title)
    );
    if let Some(bounds) = interval {
        let ([low, high], middle) = (bounds.map(|bound| scale.x(bound)), top + BAR / 2);
        let mut line = |x1: f64, y1: usize, x2: f64, y2: usize| {
            let _ = writeln!(svg, "<line class=\"whisker\" x1=\"{x1:.3}%\" y1=\"{y1}\" x2=\"{x2:.3}%\" y2=\"{y2}\"/>");
        };
        line(low, middle, high, middle);
        line(low, middle - 2, low, middle + 2);
        line(high, middle - 2, high, middle + 2);
    }
}

/// From a value to its place in per cent of the width.
struct Scale {
    ticks: Vec<f64>,
}

impl Scale {
    fn of(task: &Task, measure: &str) -> Self {
        let values = task.entries.iter().flat_map(|entry| entry.summary.rows());
        let highest = values.filter_map(|(_, figures)| figures.get(measure));
        let highest = highest.map(|(mean, interval)| interval.map_or(mean, |[_, high]| high.max(mean)));
        Self { ticks: ticks(0.0, highest.fold(0.01, f64::max)) }
    }

    fn x(&self, value: f64) -> f64 {
        let last = self.ticks[self.ticks.len() - 1];
        NAMES + (98.0 - NAMES) * (value / last).clamp(0.0, 1.0)
    }

    fn draw(&self, height: usize, svg: &mut String) {
        let bottom = height - AXIS;
        for tick in &self.ticks {
            let x = self.x(*tick);
            let _ = writeln!(svg, "<line class=\"grid\" x1=\"{x:.3}%\" y1=\"{AXIS}\" x2=\"{x:.3}%\" y2=\"{bottom}\"/>");
            for y in [AXIS - 6, bottom + 14] {
                let _ = writeln!(svg, "<text class=\"tick middle\" x=\"{x:.3}%\" y=\"{y}\">{}</text>", short(*tick));
            }
        }
    }
}
