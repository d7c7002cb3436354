//! A training's log, as `isogloss train` writes it: a line a step and a line an evaluation.

use crate::exit::Fault;
use isogloss_ir::Error;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// Values by step.
pub type Series = Vec<(f64, f64)>;

/// A log under a name.
pub struct Log {
    /// As the command line calls it.
    pub name: String,
    /// What was logged, in the order in which it first came.
    pub series: Vec<(String, Series)>,
}

/// What a step's line holds besides that is no curve of training.
const PASSED_OVER: [&str; 5] = ["step", "epoch", "rows", "tokens", "best"];

impl Log {
    /// Reads a file, or `log.jsonl` of a training's folder. A last line without end is being written and passed over.
    ///
    /// # Errors
    /// It cannot be read, a line is no JSON object with a step, or there is none.
    pub fn read(name: String, path: &Path) -> anyhow::Result<Self> {
        let file = if path.is_dir() { path.join("log.jsonl") } else { path.to_owned() };
        let text = std::fs::read_to_string(&file).map_err(|e| Error::io(&file, e))?;
        let mut log = Self { name, series: Vec::new() };
        let mut places = BTreeMap::new();
        for (number, line) in (1..).zip(text.split_inclusive('\n').filter(|line| line.ends_with('\n'))) {
            let cure = "name a log.jsonl that isogloss train wrote";
            let fault = |problem: String| Fault::new(&file, format!("line {number}: {problem}; {cure}"));
            let line: Map<String, Value> = serde_json::from_str(line).map_err(|e| fault(e.to_string()))?;
            let step = line.get("step").and_then(Value::as_f64).ok_or_else(|| fault("missing field `step`".into()))?;
            for (name, value) in values(&line) {
                let at = *places.entry(name.clone()).or_insert(log.series.len());
                if at == log.series.len() {
                    log.series.push((name, Vec::new()));
                }
                log.series[at].1.push((step, value));
            }
        }
        match log.series.is_empty() {
            true => Err(Fault::new(&file, "holds no step; name the log.jsonl of a training that has begun").into()),
            false => Ok(log),
        }
    }
}

fn values(line: &Map<String, Value>) -> Vec<(String, f64)> {
    if let (Some(Value::String(measure)), Some(value)) =
        (line.get("measure"), line.get("value").and_then(Value::as_f64))
    {
        return vec![(measure.clone(), value)];
    }
    let mut all = Vec::new();
    for (name, value) in line.iter().filter(|(name, _)| !PASSED_OVER.contains(&name.as_str())) {
        match value {
            Value::Object(terms) => {
                all.extend(terms.iter().filter_map(|(term, value)| Some((term.clone(), value.as_f64()?))));
            }
            value => all.extend(value.as_f64().map(|value| (name.clone(), value))),
        }
    }
    all
}
