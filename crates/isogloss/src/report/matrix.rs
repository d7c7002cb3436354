//! Languages of queries by languages of documents, as a map of heat.

use super::markup::Text;
use super::{Entry, Task};
use isogloss_ir::language_bias::Cell;
use isogloss_ir::{Lang, LanguageBias};
use std::fmt::Write;

/// Pixels of a row, of the least width of a column, and of the names at the side.
const ROW: usize = 24;
const COLUMN: usize = 42;
const NAMES: f64 = 12.0;

/// The maps of every system whose pool was in several languages.
pub fn section(task: &Task) -> String {
    let of_entry = |entry: &Entry| entry.summary.language_bias.as_ref().map(|bias| maps(entry, bias));
    let maps: String = task.entries.iter().filter_map(of_entry).collect();
    match maps.is_empty() {
        true => maps,
        false => format!("<h3>Query languages by document languages</h3>\n{maps}"),
    }
}

fn maps(entry: &Entry, bias: &LanguageBias) -> String {
    let (k, name) = (bias.k, &entry.system.name);
    let ratio = bias.bias_ratio.map_or(String::new(), |ratio| format!("; bias ratio {ratio:.2} (1 is none)"));
    let shares =
        format!("{name}: share of each document language (columns) in the top {k} of each query language{ratio}");
    let lacking = match bias.unranked {
        0 => String::new(),
        n => format!("; {n} right documents that the run lacks count as one behind its last"),
    };
    let ranks = format!("{name}: mean rank of the first right document in each language (columns){lacking}");
    let share = map(bias, &shares, |cell| Some(cell.share), false);
    let rank = map(bias, &ranks, |cell| cell.rank, true);
    share + &rank
}

/// One map; the strongest colour is the largest value, or with `low` the smallest.
fn map(bias: &LanguageBias, title: &str, value: impl Fn(&Cell) -> Option<f64>, low: bool) -> String {
    let langs: Vec<Lang> = bias.pool_share.keys().copied().collect();
    let values = || bias.matrix.values().flat_map(|row| row.values()).filter_map(&value);
    let (least, most) = (values().fold(f64::MAX, f64::min), values().fold(f64::MIN, f64::max));
    let heat = |value: f64| {
        let part = if most > least { (value - least) / (most - least) } else { 0.0 };
        if low { 1.0 - part } else { part }
    };
    let width = (100.0 - NAMES) / langs.len() as f64;
    let (height, least_width) = (ROW * (bias.matrix.len() + 1), COLUMN * (langs.len() + 1));
    let mut svg = format!(
        "<svg role=\"img\" aria-label=\"{}\" height=\"{height}\" style=\"min-width:{least_width}px\">\n",
        Text(title)
    );
    for (column, lang) in langs.iter().enumerate() {
        let x = NAMES + width * (column as f64 + 0.5);
        let _ = writeln!(svg, "<text class=\"tick middle\" x=\"{x:.3}%\" y=\"16\">{lang}</text>");
    }
    for (at, (lang, row)) in bias.matrix.iter().enumerate() {
        let top = ROW * (at + 1);
        let _ = writeln!(svg, "<text class=\"tick\" x=\"4\" y=\"{}\">{lang}</text>", top + 16);
        for (column, other) in langs.iter().enumerate() {
            let Some(value) = row.get(other).and_then(&value) else { continue };
            let (x, heat) = (NAMES + width * column as f64, heat(value));
            let (shown, class) = (shown(value, low), if heat > 0.68 { "middle on" } else { "middle" });
            let _ = writeln!(
                svg,
                "<rect class=\"heat\" x=\"{x:.3}%\" y=\"{top}\" width=\"{width:.3}%\" height=\"{ROW}\" fill-opacity=\"{:.3}\"/>\
                 <text class=\"{class}\" x=\"{:.3}%\" y=\"{}\">{shown}<title>{lang} → {other}: {value:.4}</title></text>",
                0.04 + 0.96 * heat,
                x + width / 2.0,
                top + 16
            );
        }
    }
    format!("<figure><div class=\"box\">{svg}</svg></div><figcaption>{}</figcaption></figure>\n", Text(title))
}

fn shown(value: f64, rank: bool) -> String {
    match rank {
        true if value >= 99.95 => format!("{value:.0}"),
        true => format!("{value:.1}"),
        false => format!("{value:.2}"),
    }
}
