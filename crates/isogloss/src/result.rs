//! The folder that `benchmark` writes and `report`, `compare` and `verify` read.

pub mod figures;
pub mod miss;

pub use figures::{Figures, Summary};

use crate::exit::Fault;
use isogloss_ir::{Bootstrap, Error};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;

/// The file of figures.
pub const RESULT: &str = "result.json";

/// The file that holds the values by query of the first view.
pub const PER_QUERY: &str = "per_query.jsonl";

/// Everything that a benchmark found and what it depends on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BenchmarkResult {
    /// Its name.
    pub benchmark: String,
    /// The questions that were averaged together, each group a view.
    pub views: Vec<Summary>,
    /// How the intervals were drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bootstrap: Option<Bootstrap>,
    /// The command, the versions, the model, the data, the machine.
    pub manifest: Value,
}

impl BenchmarkResult {
    /// Reads the result of a folder.
    ///
    /// # Errors
    /// There is none, or it is malformed.
    pub fn read(folder: &Path) -> anyhow::Result<Self> {
        let path = folder.join(RESULT);
        if !path.is_file() {
            let problem = format!("holds no {RESULT}; name a folder that isogloss benchmark --out wrote");
            return Err(Fault::new(folder, problem).into());
        }
        let text = std::fs::read_to_string(&path).map_err(|e| Error::io(&path, e))?;
        let cure = "; repair the file, or judge again";
        let result: Self = serde_json::from_str(&text).map_err(|e| Fault::new(&path, format!("{e}{cure}")))?;
        match result.views.iter().find(|view| view.measures.is_empty()) {
            Some(view) => Err(Fault::new(&path, format!("the view {:?} has no measure{cure}", view.view)).into()),
            None => Ok(result),
        }
    }
}

/// Where the values of the `at`-th view, called `name`, are kept.
pub fn per_query_file(at: usize, name: &str) -> String {
    if at == 0 { PER_QUERY.into() } else { format!("per_query.{}.jsonl", slug(name)) }
}

/// A name fit for a file's.
pub fn slug(name: &str) -> String {
    let plain = name.replace('→', "-to-");
    plain.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect()
}
