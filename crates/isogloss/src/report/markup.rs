//! What every part of the page is written with: escaped text, tables, axes' steps.

use std::fmt::{self, Display, Write};

/// Text as HTML shows it: nothing in it is markup, and characters that XML forbids are replaced.
pub struct Text<'a>(pub &'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\u{fffe}' | '\u{ffff}' => f.write_char('\u{fffd}')?,
                c if c.is_control() && !matches!(c, '\n' | '\t') => f.write_char('\u{fffd}')?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Rows under a header, in a box that scrolls by itself. Cells are markup.
#[derive(Default)]
pub struct Table {
    head: String,
    body: String,
}

impl Table {
    /// A table whose header row consists of these texts.
    pub fn new<'a>(header: impl IntoIterator<Item = &'a str>) -> Self {
        let cells: String = header.into_iter().map(|cell| format!("<th scope=\"col\">{}</th>", Text(cell))).collect();
        Self { head: format!("<tr>{cells}</tr>"), body: String::new() }
    }

    /// A table whose header rows are given as markup.
    pub fn with_head(head: String) -> Self {
        Self { head, body: String::new() }
    }

    /// Adds a row of markup; the first cell names it.
    pub fn row(&mut self, class: &str, cells: impl IntoIterator<Item = String>) {
        self.body += &format!("<tr class=\"{class}\">");
        for (at, cell) in cells.into_iter().enumerate() {
            self.body += &match at {
                0 => format!("<th scope=\"row\">{cell}</th>"),
                _ => format!("<td>{cell}</td>"),
            };
        }
        self.body += "</tr>\n";
    }
}

impl Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { head, body } = self;
        writeln!(f, "<div class=\"box\"><table><thead>{head}</thead>\n<tbody>\n{body}</tbody></table></div>")
    }
}

/// A part that opens on demand.
pub fn details(summary: &str, content: &str) -> String {
    format!("<details><summary>{}</summary>\n{content}</details>\n", Text(summary))
}

/// Which names go with which colours; the first eight have their own.
pub fn legend<'a>(names: impl IntoIterator<Item = (usize, &'a str)>) -> String {
    let item = |(colour, name): (usize, &str)| {
        let square =
            format!("<svg aria-hidden=\"true\"><rect class=\"f{}\" width=\"12\" height=\"12\"/></svg>", colour % 8);
        format!("<li>{square}{}</li>", Text(name))
    };
    format!("<ul class=\"legend\">{}</ul>\n", names.into_iter().map(item).collect::<String>())
}

/// Three to eight round numbers from `low` to `high` or a little around them.
pub fn ticks(low: f64, high: f64) -> Vec<f64> {
    let span = if high > low { high - low } else { low.abs().max(1.0) };
    let rough = span / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    let step =
        [1.0, 2.0, 5.0, 10.0].map(|n| n * power).into_iter().find(|step| *step >= rough * 0.999).unwrap_or(rough);
    let first = (low / step + 1e-9).floor() as i64;
    let last = ((low + span) / step - 1e-9).ceil() as i64;
    (first..=last).map(|n| n as f64 * step).collect()
}

/// A number beside an axis: short, without zeros at its end.
pub fn short(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        size if !(1e-3..1e9).contains(&size) => format!("{value:.1e}"),
        size if size >= 1e6 => bare(value / 1e6) + " M",
        size if size >= 1e4 => bare(value / 1e3) + " k",
        _ => bare(value),
    }
}

fn bare(value: f64) -> String {
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_never_markup() {
        let text = Text("<script>alert('&\"')</script>\u{1}\u{ffff}א").to_string();
        assert_eq!(text, "&lt;script&gt;alert(&#39;&amp;&quot;&#39;)&lt;/script&gt;\u{fffd}\u{fffd}א");
    }

    #[test]
    fn ticks_are_round_and_hold_the_range() {
        for (low, high) in [(0.0, 1.0), (0.0, 0.07), (3.2, 10.62), (-4.0, 250.0), (0.5, 0.5), (0.0, 0.0)] {
            let ticks = ticks(low, high);
            assert!((2..=9).contains(&ticks.len()), "{ticks:?}");
            assert!(ticks[0] <= low + 1e-9 && *ticks.last().unwrap() >= high - 1e-9, "{ticks:?}");
        }
        assert_eq!(ticks(0.0, 1.0).into_iter().map(short).collect::<Vec<_>>(), ["0", "0.2", "0.4", "0.6", "0.8", "1"]);
        assert_eq!([2.5e-6, 2e5, 1.5e6, -12.0].map(short), ["2.5e-6", "200 k", "1.5 M", "-12"]);
    }
}
