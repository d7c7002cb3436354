//! Training curves: a picture for everything that was logged, a line a log.

use super::log::{Log, Series};
use super::markup::{Text, legend, short, ticks};
use std::fmt::Write;

/// Pixels of a picture's height and of the room for the steps below it.
const HEIGHT: usize = 180;
const BELOW: usize = 18;

/// Per cent of the width beside a picture for its values.
const BESIDE: f64 = 11.0;

/// Most points of a line; more are averaged, neighbours together.
const POINTS: usize = 300;

/// Pictures of all series of all logs.
pub fn section(logs: &[Log]) -> String {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in logs.iter().flat_map(|log| &log.series) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let legend =
        if logs.len() > 1 { legend(logs.iter().map(|log| log.name.as_str()).enumerate()) } else { String::new() };
    let pictures: String = names.iter().map(|name| picture(name, logs)).collect();
    let averaged = logs.iter().flat_map(|log| &log.series).any(|(_, series)| series.len() > POINTS);
    let note = if averaged {
        format!("<p class=\"dim\">Each point is the mean of neighbouring steps, {POINTS} points a line at most.</p>\n")
    } else {
        String::new()
    };
    format!("{legend}<div class=\"pair\">\n{pictures}</div>\n{note}")
}

fn picture(name: &str, logs: &[Log]) -> String {
    let lines: Vec<(usize, Series)> = logs
        .iter()
        .enumerate()
        .filter_map(|(at, log)| Some((at, thinned(&log.series.iter().find(|(other, _)| other == name)?.1))))
        .collect();
    let bounds = |side: fn(&(f64, f64)) -> f64| {
        let values = || lines.iter().flat_map(|(_, series)| series).map(side);
        (values().fold(f64::MAX, f64::min), values().fold(f64::MIN, f64::max))
    };
    let ((first, last), (low, high)) = (bounds(|point| point.0), bounds(|point| point.1));
    let values = ticks(low, high);
    let (bottom, top) = (values[0], values[values.len() - 1]);
    let y = |value: f64| 6.0 + (HEIGHT - 12) as f64 * (1.0 - (value - bottom) / (top - bottom));
    let x = |step: f64| if last > first { (step - first) / (last - first) * 1000.0 } else { 500.0 };
    let mut svg = format!("<svg role=\"img\" aria-label=\"{}\" height=\"{}\">\n", Text(name), HEIGHT + BELOW);
    for value in &values {
        let y = y(*value);
        let _ = writeln!(
            svg,
            "<line class=\"grid\" x1=\"{BESIDE}%\" x2=\"100%\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text class=\"tick end\" x=\"{}%\" y=\"{:.1}\">{}</text>",
            BESIDE - 1.5,
            y + 4.0,
            short(*value)
        );
    }
    let _ = writeln!(
        svg,
        "<text class=\"tick\" x=\"{BESIDE}%\" y=\"{y}\">{}</text><text class=\"tick end\" x=\"100%\" y=\"{y}\">step {}</text>",
        short(first),
        short(last),
        y = HEIGHT + BELOW - 4
    );
    let _ = writeln!(
        svg,
        "<svg x=\"{BESIDE}%\" y=\"0\" width=\"{}%\" height=\"{HEIGHT}\" viewBox=\"0 0 1000 {HEIGHT}\" preserveAspectRatio=\"none\">",
        100.0 - BESIDE
    );
    for (at, series) in &lines {
        let points: Vec<String> =
            series.iter().map(|(step, value)| format!("{:.1},{:.1}", x(*step), y(*value))).collect();
        let _ = writeln!(svg, "<polyline class=\"curve l{}\" points=\"{}\"/>", at % 8, points.join(" "));
    }
    format!("<figure>{svg}</svg>\n</svg>\n<figcaption>{}</figcaption></figure>\n", Text(name))
}

/// At most [`POINTS`] points: the means of neighbours, as many each.
fn thinned(series: &Series) -> Series {
    let each = series.len().div_ceil(POINTS).max(1);
    let mean = |part: &[(f64, f64)]| {
        let n = part.len() as f64;
        (part.iter().map(|point| point.0).sum::<f64>() / n, part.iter().map(|point| point.1).sum::<f64>() / n)
    };
    series.chunks(each).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_series_are_averaged() {
        let series: Series = (0..1000).map(|step| (f64::from(step), f64::from(step % 2))).collect();
        let thinned = thinned(&series);
        assert_eq!((thinned.len(), thinned[0]), (250, (1.5, 0.5)));
        assert_eq!(super::thinned(&vec![(1.0, 2.0)]), [(1.0, 2.0)]);
    }
}
