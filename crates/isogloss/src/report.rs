//! What was found, to look at: systems side by side as a page, as Markdown, as CSV, and as MTEB's files.

pub mod csv;
pub mod markdown;
pub mod mteb;
pub mod page;

mod bars;
mod change;
mod curves;
mod language_tag;
mod log;
mod manifest;
mod markup;
mod matrix;
mod projection;
mod scatter;
mod table;
mod worst;

pub use log::Log;
pub use projection::Projection;
pub use scatter::Calibrated;

use crate::exit::Fault;
use crate::result::miss::{self, Miss, WORST};
use crate::result::{BenchmarkResult, Figures, Summary};
use change::Change;
use isogloss_ir::{Lang, Resampling};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A result under a name.
pub struct System {
    /// As the command line calls it.
    pub name: String,
    /// Where its files are.
    pub folder: PathBuf,
    /// Which of the colours it has: its own for each name.
    pub colour: usize,
    /// What it was judged by: the benchmark, and where any collection can be, its name.
    pub benchmark: String,
    /// What was found.
    pub result: BenchmarkResult,
}

/// A view of a benchmark with the systems that were judged by it, the baseline first.
pub struct Task<'a> {
    /// The benchmark.
    pub benchmark: &'a str,
    /// The view, `all` where there is one.
    pub view: &'a str,
    /// The systems.
    pub entries: Vec<Entry<'a>>,
    /// What changed from the first system to each other.
    pub changes: Vec<Change>,
}

/// What a system did in a task.
pub struct Entry<'a> {
    /// The system.
    pub system: &'a System,
    /// Its figures.
    pub summary: &'a Summary,
    /// Which of the result's views.
    pub at: usize,
    /// The questions that it answered worst.
    pub misses: Vec<Miss>,
}

/// All there is to show.
pub struct Report<'a> {
    /// The results, the baselines first.
    pub systems: &'a [System],
    /// What they were judged by.
    pub tasks: Vec<Task<'a>>,
    /// How differences were tested.
    pub resampling: Resampling,
    /// Trainings to draw the curves of.
    pub logs: Vec<Log>,
    /// A model whose calibration is pictured.
    pub calibrated: Option<Calibrated>,
}

impl System {
    /// Reads the results of folders under their names, a folder named twice alike once.
    ///
    /// # Errors
    /// A folder holds none, or two results of one name are of one benchmark.
    pub fn read_all(named: impl IntoIterator<Item = (String, PathBuf)>) -> anyhow::Result<Vec<Self>> {
        let (mut systems, mut names): (Vec<Self>, Vec<String>) = (Vec::new(), Vec::new());
        for (name, folder) in named {
            if systems.iter().any(|other| other.name == name && other.folder == folder) {
                continue;
            }
            let result = BenchmarkResult::read(&folder)?;
            let benchmark = benchmark_of(&result);
            if systems.iter().any(|other| other.name == name && other.benchmark == benchmark) {
                let problem = format!("is a second result of {benchmark} called {name}; name it: OTHER=DIR");
                return Err(Fault::new(&folder, problem).into());
            }
            let colour = names.iter().position(|known| *known == name).unwrap_or_else(|| {
                names.push(name.clone());
                names.len() - 1
            });
            systems.push(Self { name, folder, colour, benchmark, result });
        }
        Ok(systems)
    }
}

impl<'a> Report<'a> {
    /// Puts together what belongs together and tests the differences.
    ///
    /// # Errors
    /// Values by query are missing or malformed, or the worst queries are.
    pub fn new(systems: &'a [System], resampling: Resampling) -> anyhow::Result<Self> {
        let mut tasks: Vec<Task> = Vec::new();
        for system in systems {
            let benchmark = system.benchmark.as_str();
            let worst = miss::read(&system.folder.join(WORST))?;
            for (at, summary) in system.result.views.iter().enumerate() {
                let misses = worst.iter().filter(|miss| miss.view == summary.view).cloned().collect();
                let entry = Entry { system, summary, at, misses };
                match tasks.iter_mut().find(|task| (task.benchmark, task.view) == (benchmark, summary.view.as_str())) {
                    Some(task) => task.entries.push(entry),
                    None => {
                        tasks.push(Task { benchmark, view: &summary.view, entries: vec![entry], changes: Vec::new() })
                    }
                }
            }
        }
        for task in &mut tasks {
            task.changes = change::changes(&task.entries, &resampling)?;
        }
        Ok(Self { systems, tasks, resampling, logs: Vec::new(), calibrated: None })
    }
}

impl<'a> Entry<'a> {
    /// The figures of a row: of a language, of a group, of all.
    pub fn figures(&self, row: &str) -> Option<&'a Figures> {
        self.summary.rows().find(|(over, _)| over == row).map(|(_, figures)| figures)
    }
}

impl Task<'_> {
    /// For people: the benchmark, and the view where there are several.
    pub fn title(&self) -> String {
        match self.view {
            "all" => self.benchmark.to_owned(),
            view => format!("{}, {view}", self.benchmark),
        }
    }

    /// All measures, the one to judge by first.
    pub fn measures(&self) -> Vec<&str> {
        let mut measures: Vec<&str> = Vec::new();
        for measure in self.entries.iter().flat_map(|entry| &entry.summary.measures) {
            if !measures.contains(&measure.as_str()) {
                measures.push(measure);
            }
        }
        measures
    }

    /// The measure to judge by.
    pub fn measure(&self) -> &str {
        &self.entries[0].summary.measures[0]
    }

    /// The languages of any system.
    pub fn langs(&self) -> BTreeSet<Lang> {
        self.entries.iter().flat_map(|entry| entry.summary.by_lang.keys().copied()).collect()
    }

    /// The names of rows that are no single language.
    pub fn means(&self) -> Vec<String> {
        let mut names = Vec::new();
        for entry in &self.entries {
            for (name, _) in entry.summary.rows().skip(entry.summary.by_lang.len()) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
        }
        names
    }
}

/// The benchmark of a result; those that take any collection are followed by the name of its folder or file.
fn benchmark_of(result: &BenchmarkResult) -> String {
    let path = result.manifest["data"]["path"].as_str().map(Path::new);
    let name = path.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    // A folder may have a full stop in its name: only what says how a file is written goes.
    let stem = [".gz", ".zst", ".json"].iter().fold(name.as_str(), |name, end| name.strip_suffix(end).unwrap_or(name));
    match result.benchmark.as_str() {
        any @ ("beir" | "squad") if !stem.is_empty() && stem != any => format!("{any} {stem}"),
        one => one.to_owned(),
    }
}

/// Whether less of a measure is better: it is an error.
pub fn is_error(measure: &str) -> bool {
    measure.starts_with("xSIM")
}
