//! Results in MTEB's layout: a JSON file a task, as `mteb.TaskResult` reads it.
//!
//! A view of a benchmark is a task under the benchmark's own name, never MTEB's, whose splits and measures may differ; a
//! language is a subset. The split is called `test`.

use super::language_tag::language_tag;
use super::{Entry, Report, Task};
use crate::exit::Fault;
use crate::result::{Figures, slug};
use isogloss_ir::write_atomic;
use serde_json::{Map, Value, json};
use std::path::Path;

/// All tasks of all systems, in order.
pub fn all(report: &Report) -> Vec<Value> {
    report.tasks.iter().flat_map(|task| task.entries.iter().map(move |entry| task_result(task, entry))).collect()
}

/// Writes `SYSTEM/REVISION/TASK.json` below `folder` and `model_meta.json` beside, as MTEB's own results lie; the revision is
/// the hash of the model or the run.
///
/// # Errors
/// A file cannot be written, or two systems' names are alike but for signs.
pub fn write(report: &Report, folder: &Path) -> anyhow::Result<()> {
    let mut written = Vec::new();
    for task in &report.tasks {
        for entry in &task.entries {
            let (name, revision) = (model_name(entry), revision(entry));
            let place = folder.join(name.replace('/', "__")).join(&revision);
            let path = place.join(format!("{}.json", task_name(task)));
            if written.contains(&path) {
                let problem = format!("is written twice, by {:?} too; give systems names that differ in letters", name);
                return Err(Fault::new(&path, problem).into());
            }
            std::fs::create_dir_all(&place).map_err(|e| isogloss_ir::Error::io(&place, e))?;
            write_json(&path, &task_result(task, entry))?;
            write_json(&place.join("model_meta.json"), &json!({ "name": name, "revision": revision }))?;
            written.push(path);
        }
    }
    Ok(())
}

fn write_json(path: &Path, value: &Value) -> isogloss_ir::Result<()> {
    write_atomic(path, format!("{value:#}\n").as_bytes())
}

/// `isogloss/NAME`: MTEB's names have an organisation before the stroke.
fn model_name(entry: &Entry) -> String {
    let name = slug(&entry.system.name.replace(['/', '_', '.', ' '], "-"));
    format!("isogloss/{}", name.trim_matches('-'))
}

fn revision(entry: &Entry) -> String {
    let manifest = &entry.system.result.manifest;
    let hash = manifest["model"]["xxh3"].as_str().or(manifest["run"]["xxh3"].as_str());
    hash.unwrap_or("no_revision_available").to_owned()
}

fn task_name(task: &Task) -> String {
    let plain = |name: &str| slug(&name.replace([' ', '_'], "-"));
    match task.view {
        "all" => plain(task.benchmark),
        view => format!("{}.{}", plain(task.benchmark), plain(view)),
    }
}

fn task_result(task: &Task, entry: &Entry) -> Value {
    let main = &entry.summary.measures[0];
    let subset = |(lang, figures): (&isogloss_ir::Lang, &Figures)| {
        let mut scores = Map::new();
        scores.insert("main_score".into(), json!(figures.mean.get(main)));
        scores.insert("hf_subset".into(), json!(lang));
        scores.insert("languages".into(), json!([language_tag(*lang)]));
        scores.extend(figures.mean.0.iter().map(|(measure, value)| (key(measure), json!(value))));
        scores.insert("queries".into(), json!(figures.queries));
        Value::Object(scores)
    };
    let scores: Vec<Value> = entry.summary.by_lang.iter().map(subset).collect();
    json!({
        "dataset_revision": entry.system.result.manifest["data"]["revision"],
        "task_name": task_name(task),
        "mteb_version": Value::Null,
        "scores": { "test": scores },
        "evaluation_time": Value::Null,
        "kg_co2_emissions": Value::Null,
    })
}

/// A measure's key: `ndcg_at_10` of `nDCG@10`, `mrr_at_100` of `RR@100`, `recall_at_100` of `R@100`.
fn key(measure: &str) -> String {
    let (name, cutoff) = measure.split_once('@').map_or((measure, None), |(name, cutoff)| (name, Some(cutoff)));
    let name = match name {
        "RR" => "mrr",
        "R" => "recall",
        "AP" | "mAP" => "map",
        "A" => "accuracy",
        other => other,
    };
    let whole = cutoff.map_or(name.to_owned(), |cutoff| format!("{name}_at_{cutoff}"));
    let plain = whole.to_lowercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    plain.trim_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measures_have_the_fields_keys() {
        let cases = [
            ("nDCG@10", "ndcg_at_10"),
            ("RR@100", "mrr_at_100"),
            ("R@100", "recall_at_100"),
            ("mAP@20", "map_at_20"),
            ("AP", "map"),
            ("A@1", "accuracy_at_1"),
            ("A@1(en-xx)", "accuracy_at_1_en_xx"),
            ("xSIM(xx-en)", "xsim_xx_en"),
            ("R@2kt", "recall_at_2kt"),
        ];
        for (measure, expected) in cases {
            assert_eq!(key(measure), expected);
        }
    }
}
