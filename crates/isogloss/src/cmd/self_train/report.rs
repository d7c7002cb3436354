//! What a round found, wrote and gained; which model of all is the best.

use super::generation::{Generation, survivors, to_read};
use super::round::{MEASURE, Round, mined_report};
use super::steps::{Steps, write_json};
use crate::sheet::Sheet;
use isogloss_ir::{Error, write_atomic};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

/// Written queries of a language shown in a report.
const SHOWN: usize = 20;
/// Characters of a passage shown beside one.
const WIDTH: usize = 160;

/// A model of the loop.
pub struct Judged {
    /// Its folder.
    pub model: PathBuf,
    /// nDCG@10 by language, from 0 to 1.
    pub values: BTreeMap<String, f64>,
}

impl Judged {
    /// The mean over languages, where there is a development set.
    fn mean(&self) -> Option<f64> {
        (!self.values.is_empty()).then(|| self.values.values().sum::<f64>() / self.values.len() as f64)
    }
}

/// Points of 100 that the last model is ahead of the one before, in the mean over languages.
pub fn gain(judged: &[Judged]) -> Option<f64> {
    let [.., before, last] = judged else { return None };
    Some(100.0 * (last.mean()? - before.mean()?))
}

/// The model with the highest mean, of equal ones the first; the last where there is no development set.
pub fn best(judged: &[Judged]) -> usize {
    let last = judged.len() - 1;
    // The last of the maxima going backwards is the first of them.
    let highest = (0..=last).rev().max_by(|a, b| mean(judged, *a).total_cmp(&mean(judged, *b)));
    if judged[0].values.is_empty() { last } else { highest.unwrap_or(last) }
}

fn mean(judged: &[Judged], at: usize) -> f64 {
    judged[at].mean().unwrap_or(f64::NEG_INFINITY)
}

/// What the whole loop gave.
pub fn result(judged: &[Judged], chosen: usize) -> Value {
    let of_round = |(at, one): (usize, &Judged)| json!({"round": at, "model": one.model, "dev": one.values, "mean": one.mean(), "gain": gain(&judged[..=at])});
    json!({"measure": MEASURE, "rounds": judged.iter().enumerate().map(of_round).collect::<Vec<_>>(), "chosen": chosen})
}

/// The same for people.
pub fn table(judged: &[Judged], chosen: usize) -> Sheet {
    let langs: Vec<&String> = judged[0].values.keys().collect();
    let points = |value: Option<f64>| value.map_or(String::new(), |value| format!("{:.2}", 100.0 * value));
    let mut sheet = Sheet::new(["round"].into_iter().chain(langs.iter().map(|lang| lang.as_str())).chain(["mean"]));
    for (at, one) in judged.iter().enumerate() {
        let mark = if at == chosen { " (chosen)" } else { "" };
        let values = langs.iter().map(|lang| points(one.values.get(*lang).copied()));
        sheet.push([format!("{at}{mark}")].into_iter().chain(values).chain([points(one.mean())]).collect());
    }
    sheet
}

/// What one round found and wrote, language by language.
pub struct Report {
    json: Value,
    text: String,
}

impl Report {
    /// Of the last round.
    ///
    /// # Errors
    /// A file of the round cannot be read.
    pub fn of(round: &Round<'_>, steps: &Steps, judged: &[Judged]) -> anyhow::Result<Self> {
        let (mut langs, mut text) = (Map::new(), String::new());
        for language in &round.config.language {
            let lang = language.lang.to_string();
            let folder = steps.path(&round.name(&lang));
            let rows = folder.join("mined.jsonl");
            let mut found = json!({ "mined": mined_report(&rows)? });
            writeln!(text, "# {lang}\n")?;
            let told = rows.with_extension("jsonl.report.txt");
            text += &fs::read_to_string(&told).map_err(|e| Error::io(&told, e))?;
            if let Some(generate) = &round.config.generate {
                let mut counts = survivors(&folder)?;
                let left_out = !(Generation { round, config: generate }).are_enough(&folder)?;
                counts["left_out"] = left_out.into();
                counts["min_kept"] = generate.min_kept.into();
                tell_survivors(&mut text, &counts)?;
                found["generated"] = counts;
                let sample = steps.path(&format!("passages/{lang}.jsonl"));
                for [query, passage] in to_read(&folder, &sample, SHOWN)? {
                    writeln!(text, "  query    {query}\n  passage  {}\n", beginning(&passage))?;
                }
            }
            let dev: Vec<_> = judged.iter().filter_map(|one| one.values.get(&lang)).collect();
            if let [.., before, after] = dev[..] {
                found["dev"] = json!({ "before": before, "after": after });
                writeln!(text, "development set: {MEASURE} {:.2}, before {:.2}\n", 100.0 * after, 100.0 * before)?;
            }
            langs.insert(lang, found);
        }
        let gain = gain(judged);
        if let Some(gain) = gain {
            writeln!(text, "# all\n\ngain {gain:.2} points of {MEASURE} in the mean")?;
        }
        Ok(Self { json: json!({"round": round.number, "langs": langs, "gain": gain}), text })
    }

    /// Writes `at.json` and `at.txt`.
    ///
    /// # Errors
    /// The disk's.
    pub fn write(&self, at: &Path) -> anyhow::Result<()> {
        write_json(&at.with_extension("json"), &self.json)?;
        Ok(write_atomic(at.with_extension("txt"), self.text.as_bytes())?)
    }
}

fn tell_survivors(text: &mut String, counts: &Value) -> anyhow::Result<()> {
    let dropped = counts["dropped"].as_object().into_iter().flatten();
    let dropped: Vec<String> = dropped.map(|(rule, count)| format!("{rule} {count}")).collect();
    let (read, kept, least) = (&counts["read"], &counts["kept"], &counts["min_kept"]);
    writeln!(text, "{read} queries written, {kept} kept; dropped: {}", dropped.join(", "))?;
    if counts["left_out"] == true {
        writeln!(text, "the {kept} kept are left out of the training: fewer than min_kept {least}")?;
    }
    Ok(writeln!(text)?)
}

/// The first characters of a text, in one line.
fn beginning(text: &str) -> String {
    let mut start: String = text.chars().take(WIDTH).collect::<String>().replace(['\n', '\t'], " ");
    if start.len() < text.len() {
        start.push('…');
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(values: &[Option<f64>]) -> Vec<Judged> {
        let one = |value: &Option<f64>| Judged {
            model: "m".into(),
            values: value.iter().map(|value| ("fa".to_owned(), *value)).collect(),
        };
        values.iter().map(one).collect()
    }

    #[test]
    fn the_best_is_the_first_of_the_highest_and_the_last_where_nothing_is_measured() {
        assert_eq!(best(&judged(&[Some(0.2), Some(0.5), Some(0.5), Some(0.4)])), 1);
        assert_eq!(best(&judged(&[Some(0.6), Some(0.5)])), 0);
        assert_eq!(best(&judged(&[None, None, None])), 2);
        assert_eq!(gain(&judged(&[None, None])), None);
        let gained = gain(&judged(&[Some(0.2), Some(0.25)])).unwrap();
        assert!((gained - 5.0).abs() < 1e-9);
    }
}
