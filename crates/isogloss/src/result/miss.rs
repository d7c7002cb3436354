//! The questions that fared worst, with the texts to see why.

use isogloss_ir::{AtomicFile, Error, Lang};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use crate::exit::Fault;

/// The file of them in a result's folder.
pub const WORST: &str = "worst.jsonl";

/// A question with what was found for it and what should have been.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Miss {
    /// The view it counts in.
    pub view: String,
    /// The language whose row it counts in.
    pub lang: Lang,
    /// The measure it fared badly by.
    pub measure: String,
    /// Its value.
    pub value: f64,
    /// What was asked.
    pub query: Passage,
    /// The first found, best first.
    pub found: Vec<Hit>,
    /// Right answers: those in the question's language before others, the best found first.
    pub gold: Vec<Gold>,
}

/// A text, cut short where it is long.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Passage {
    /// Its id; empty where it has none.
    pub id: String,
    /// Its language, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lang: Option<Lang>,
    /// What it says.
    pub text: String,
}

/// A document found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hit {
    /// The document.
    #[serde(flatten)]
    pub doc: Passage,
    /// Its score, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f32>,
    /// Whether it is right.
    pub gold: bool,
}

/// A right document.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Gold {
    /// The document.
    #[serde(flatten)]
    pub doc: Passage,
    /// Its rank from 1, where it was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rank: Option<usize>,
}

/// Writes them as JSON lines, whole or not at all.
///
/// # Errors
/// The file cannot be written.
pub fn write(misses: &[Miss], path: &Path) -> isogloss_ir::Result<()> {
    let mut file = AtomicFile::create(path)?;
    for miss in misses {
        serde_json::to_writer(&mut file, miss).map_err(|e| Error::io(path, e.into()))?;
        writeln!(file).map_err(|e| Error::io(path, e))?;
    }
    file.commit()
}

/// Reads them; none where there is no file.
///
/// # Errors
/// The file cannot be read or is malformed.
pub fn read(path: &Path) -> anyhow::Result<Vec<Miss>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let file = File::open(path).map_err(|e| Error::io(path, e))?;
    let mut all = Vec::new();
    for (number, line) in (1..).zip(BufReader::new(file).lines()) {
        let line = line.map_err(|e| Error::io(path, e))?;
        let miss = serde_json::from_str(&line)
            .map_err(|e| Fault::new(path, format!("line {number}: {e}; repair it, or judge again")))?;
        all.push(miss);
    }
    Ok(all)
}
