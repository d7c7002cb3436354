//! Comparisons as tables.

use super::{Report, Versus};
use crate::sheet::Sheet;
use isogloss_ir::compare::Paired;
use isogloss_ir::{Comparison, Resampling};
use std::io::{self, Write};

/// Levels of the marks `*`, `**` and `***`.
const LEVELS: [f64; 3] = [0.05, 0.01, 0.001];

/// One table for every system and measure, then what the figures mean.
pub(super) fn write(report: &Report, markdown: bool, out: &mut impl Write) -> io::Result<()> {
    for versus in &report.comparisons {
        let title = format!("{}: {} against {}", versus.measure, versus.system, report.baseline);
        writeln!(out, "{title}{}", if markdown { "\n" } else { "" })?;
        sheet(versus).write(markdown, out)?;
        writeln!(out)?;
    }
    match report.comparisons.first() {
        Some(versus) => writeln!(out, "{}", legend(&versus.found.resampling)),
        None => Ok(()),
    }
}

fn sheet(versus: &Versus) -> Sheet {
    let mut sheet = Sheet::new([
        "over",
        "queries",
        "baseline",
        "system",
        "difference",
        "p",
        "Holm p",
        "t-test p",
        "d_z",
        "detectable",
        "",
    ]);
    for (over, paired) in rows(&versus.found) {
        let difference = format!("{:+.4} [{:+.4}, {:+.4}]", paired.difference, paired.interval[0], paired.interval[1]);
        let number = |value: Option<f64>, digits: usize| value.map_or("-".into(), |value| format!("{value:.digits$}"));
        sheet.push(vec![
            over,
            paired.queries.to_string(),
            format!("{:.4}", paired.baseline),
            format!("{:.4}", paired.mean),
            difference,
            p_value(paired.randomisation_test.p),
            paired.holm.map_or("-".into(), |holm| p_value(holm.randomisation_test)),
            paired.t_test.map_or("-".into(), |test| p_value(test.p)),
            number(paired.effect_size, 2),
            number(paired.detectable_difference, 4),
            mark(paired),
        ]);
    }
    sheet
}

/// Languages, their mean, all queries.
pub fn rows(found: &Comparison) -> impl Iterator<Item = (String, &Paired)> {
    let by_lang = found.by_lang.iter().map(|(lang, paired)| (lang.to_string(), paired));
    let macro_mean = found.macro_mean.iter().map(|paired| (format!("{} languages", found.by_lang.len()), paired));
    by_lang.chain(macro_mean).chain([("all queries".to_owned(), &found.all)])
}

/// A p-value to four digits.
pub fn p_value(p: f64) -> String {
    if p > 0.0 && p < 0.0001 { "<0.0001".into() } else { format!("{p:.4}") }
}

/// Stars for what is significant, words where nothing could have been.
pub fn mark(paired: &Paired) -> String {
    match paired.is_hopeless(LEVELS[0]) {
        true => "too few differ".into(),
        false => "*".repeat(LEVELS.iter().filter(|level| paired.p() < **level).count()),
    }
}

/// What the columns mean.
pub fn legend(resampling: &Resampling) -> String {
    let Resampling { seed, resamples, confidence } = *resampling;
    let percent = confidence * 100.0;
    format!(
        "{percent} % bootstrap intervals and p of the paired two-sided randomisation test, {resamples} resamples, seed {seed}\n\
         * p < 0.05, ** p < 0.01, *** p < 0.001, after Holm's correction over the languages where there are some\n\
         d_z: mean difference over its standard deviation; detectable: the difference that a t-test at 5 % finds with 80 % power\n\
         too few differ: no outcome of so few differing queries could reach p < 0.05"
    )
}

/// Every number of every comparison, a row each.
pub(super) fn write_csv(report: &Report, out: &mut impl Write) -> io::Result<()> {
    let mut sheet = Sheet::new([
        "baseline",
        "system",
        "measure",
        "over",
        "queries",
        "mean_baseline",
        "mean_system",
        "difference",
        "low",
        "high",
        "randomisation_p",
        "holm_randomisation_p",
        "t",
        "t_test_p",
        "holm_t_test_p",
        "effect_size",
        "detectable_difference",
    ]);
    for versus in &report.comparisons {
        for (over, paired) in rows(&versus.found) {
            let number = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
            let mut row = vec![report.baseline.clone(), versus.system.clone(), versus.measure.clone(), over];
            row.push(paired.queries.to_string());
            row.extend([paired.baseline, paired.mean, paired.difference].map(|value| value.to_string()));
            row.extend(paired.interval.map(|value| value.to_string()));
            row.push(paired.randomisation_test.p.to_string());
            row.push(number(paired.holm.map(|holm| holm.randomisation_test)));
            row.push(number(paired.t_test.and_then(|test| test.t)));
            row.push(number(paired.t_test.map(|test| test.p)));
            row.push(number(paired.holm.map(|holm| holm.t_test)));
            row.extend([paired.effect_size, paired.detectable_difference].map(number));
            sheet.push(row);
        }
    }
    sheet.write_csv(out)
}
