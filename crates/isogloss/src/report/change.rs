//! What changed from the baseline to another system, and whether it is more than luck.

use super::markup::{Table, Text, details};
use super::{Entry, Task, is_error};
use crate::cmd::compare::table::{p_value, rows};
use crate::result::per_query_file;
use isogloss_ir::compare::Paired;
use isogloss_ir::{Comparison, PerQuery, Resampling, compare};

/// Below this a corrected p-value is called significant.
const LEVEL: f64 = 0.05;

/// A system beside the baseline by one measure.
pub struct Change {
    /// The baseline's name.
    pub baseline: String,
    /// The other's.
    pub system: String,
    /// The measure.
    pub measure: String,
    /// Whether the two were judged on data of one revision.
    pub same_data: bool,
    /// What the tests found, or why the two cannot be compared.
    pub found: Result<Comparison, String>,
}

/// Every other system of `entries` beside the first, by each measure of the first that it has.
///
/// # Errors
/// Values by query are missing or malformed.
pub fn changes(entries: &[Entry], resampling: &Resampling) -> anyhow::Result<Vec<Change>> {
    let mut changes = Vec::new();
    let [baseline, others @ ..] = entries else { return Ok(changes) };
    if others.is_empty() {
        return Ok(changes);
    }
    let before = values(baseline)?;
    let revision = |entry: &Entry| entry.system.result.manifest["data"]["revision"].clone();
    for other in others {
        let after = values(other)?;
        for measure in before.measures() {
            let (Some(old), Some(new)) = (before.scores(measure), after.scores(measure)) else { continue };
            let found = compare(&old, &new, before.langs().as_ref(), resampling);
            changes.push(Change {
                baseline: baseline.system.name.clone(),
                system: other.system.name.clone(),
                measure: measure.clone(),
                same_data: revision(baseline) == revision(other),
                found: found.map_err(|error| error.to_string()),
            });
        }
    }
    Ok(changes)
}

fn values(entry: &Entry) -> isogloss_ir::Result<PerQuery> {
    PerQuery::read(entry.system.folder.join(per_query_file(entry.at, entry.summary.view.as_str())))
}

impl Change {
    /// The difference of the languages' mean, or of all queries where no languages are known.
    pub fn whole(&self) -> Option<&Paired> {
        self.found.as_ref().ok().map(|found| found.macro_mean.as_ref().unwrap_or(&found.all))
    }
}

/// What a difference says, in words and as a class of colour.
pub fn verdict(paired: &Paired, measure: &str) -> (&'static str, &'static str) {
    let class = |up: bool| if up != is_error(measure) { "good" } else { "bad" };
    match () {
        () if paired.is_hopeless(LEVEL) => ("too few differ", "dim"),
        () if paired.p() >= LEVEL => ("not significant", "dim"),
        () if paired.difference > 0.0 => ("higher", class(true)),
        () => ("lower", class(false)),
    }
}

/// A difference with its interval.
pub fn difference(paired: &Paired) -> String {
    let [low, high] = paired.interval;
    format!("{:+.4} [{low:+.4}, {high:+.4}]", paired.difference)
}

/// Tables of a task's changes: by the first measure to see at once, by the others on demand.
pub fn section(task: &Task, resampling: &Resampling) -> String {
    let mut html = String::new();
    for change in &task.changes {
        let title = format!("{}: {} against {}", change.measure, change.system, change.baseline);
        let content = match &change.found {
            Ok(found) => format!("{}{}", summary(change), table(found, &change.measure)),
            Err(problem) => format!("<p>Not compared: {}</p>\n", Text(problem)),
        };
        html += &match change.measure == task.measure() {
            true => format!("<h3>{}</h3>\n{content}", Text(&title)),
            false => details(&title, &content),
        };
    }
    if !html.is_empty() {
        html += &format!("<p class=\"dim\">{}</p>\n", Text(&legend(resampling)));
    }
    html
}

fn summary(change: &Change) -> String {
    let Ok(found) = &change.found else { return String::new() };
    let count = |word: &str| found.by_lang.values().filter(|paired| verdict(paired, &change.measure).0 == word).count();
    let (higher, lower, all) = (count("higher"), count("lower"), found.by_lang.len());
    let langs = match all {
        0 => String::new(),
        _ => format!(" Of {all} languages {higher} significantly higher, {lower} significantly lower."),
    };
    let other_data = if change.same_data { "" } else { " The two results' data are not of one revision." };
    let less = if is_error(&change.measure) { " It is an error: lower is better." } else { "" };
    change.whole().map_or(String::new(), |paired| {
        let (word, class) = verdict(paired, &change.measure);
        format!("<p>{} <span class=\"{class}\">{word}</span>.{langs}{less}{other_data}</p>\n", difference(paired))
    })
}

fn table(found: &Comparison, measure: &str) -> Table {
    let header = ["over", "difference", "", "p", "Holm p", "baseline", "system", "queries", "d_z", "detectable"];
    let mut table = Table::new(header);
    for (at, (over, paired)) in rows(found).enumerate() {
        let (word, class) = verdict(paired, measure);
        let number =
            |value: Option<f64>, digits: usize| value.map_or("–".into(), |value| format!("{value:.digits$}"));
        let cells = [
            Text(&over).to_string(),
            difference(paired),
            format!("<span class=\"{class}\">{word}</span>"),
            Text(&p_value(paired.randomisation_test.p)).to_string(),
            paired.holm.map_or("–".into(), |holm| Text(&p_value(holm.randomisation_test)).to_string()),
            format!("{:.4}", paired.baseline),
            format!("{:.4}", paired.mean),
            paired.queries.to_string(),
            number(paired.effect_size, 2),
            number(paired.detectable_difference, 4),
        ];
        let means = found.by_lang.len();
        table.row(
            if at > means {
                "mean"
            } else if at == means {
                "mean first-mean"
            } else {
                ""
            },
            cells,
        );
    }
    table
}

/// What the columns mean.
pub fn legend(resampling: &Resampling) -> String {
    format!(
        "{} % bootstrap intervals of the difference; p of the paired two-sided randomisation test, {} resamples, seed {}; higher and lower: p < {LEVEL}, \
         after Holm's correction over the languages. d_z: mean difference over its standard deviation; detectable: the difference that a t-test at 5 % \
         finds with 80 % power. Too few differ: no outcome of so few differing queries could reach p < {LEVEL}.",
        resampling.confidence * 100.0,
        resampling.resamples,
        resampling.seed
    )
}
