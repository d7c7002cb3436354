//! Where the quickstart finds its data, and the run file it trains with.

use crate::exit::Fault;
use isogloss_ir::{Error, write_atomic};
use isogloss_train::RunConfig;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};

/// The run as it stands in the repository.
const RUN: &str = include_str!("../../../../../runs/quickstart.toml");

/// The run with its paths filled in; its presence tells a folder of ours.
pub const RUN_FILE: &str = "quickstart.toml";

/// The files of one quickstart.
pub struct Setup {
    /// The run with its paths filled in.
    pub run_file: PathBuf,
    /// What the tokenizer is trained on.
    pub training_texts: Vec<PathBuf>,
    /// Folder of the tokenizer.
    pub tokenizer: PathBuf,
    /// Folder of the model before training.
    pub fresh: PathBuf,
    /// Directory of all vectors.
    pub vectors: PathBuf,
    /// All figures.
    pub report: PathBuf,
    /// Short sentences: the domain of most training pairs.
    pub tatoeba: PathBuf,
    /// News: another domain.
    pub ntrex: PathBuf,
    /// Questions and passages in several languages.
    pub passages: PathBuf,
}

impl Setup {
    /// Finds the data and writes the run file into `out`.
    ///
    /// # Errors
    /// The data are not there, or `out` was begun with another run.
    pub fn prepare(out: &Path, data: Option<&Path>, steps: Option<usize>) -> anyhow::Result<Self> {
        let data = data_folder(data)?;
        let mut config: RunConfig = toml::from_str(RUN)?;
        config.out = out.join("run");
        config.schedule.steps = steps.unwrap_or(config.schedule.steps);
        config.schedule.warmup = config.schedule.warmup.min(config.schedule.steps / 2);
        for set in &mut config.data {
            if let Ok(within) = set.path.strip_prefix("data") {
                set.path = data.join(within);
            }
        }
        let tokenizer = out.join("tokenizer");
        if let Some(new) = &mut config.model.new {
            new.tokenizer.clone_from(&tokenizer);
        }
        let setup = Self {
            run_file: out.join(RUN_FILE),
            training_texts: config.data.iter().map(|set| set.path.clone()).collect(),
            tokenizer,
            fresh: out.join("fresh"),
            vectors: out.join("vectors"),
            report: out.join("report.json"),
            tatoeba: data.join("eval/tatoeba.tsv.zst"),
            ntrex: data.join("eval/ntrex.tsv.zst"),
            passages: data.join("eval/xquad_r"),
        };
        setup.begin(out, &toml::to_string(&config)?)?;
        Ok(setup)
    }

    /// Writes the run file, or holds the run against the one there.
    fn begin(&self, out: &Path, run: &str) -> anyhow::Result<()> {
        match fs::read_to_string(&self.run_file) {
            Ok(begun) if begun == run => Ok(()),
            Ok(_) => {
                let problem = "was begun with other steps, data or settings; give the same, or another --out";
                Err(Fault::new(&self.run_file, problem).into())
            }
            Err(_) => {
                fs::create_dir_all(out).map_err(|e| Error::io(out, e))?;
                Ok(write_atomic(&self.run_file, run.as_bytes())?)
            }
        }
    }
}

/// The folder given, or named by the environment, or here, or where this program was built.
fn data_folder(given: Option<&Path>) -> Result<PathBuf, Fault> {
    let source = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../data");
    let folder = match (given, env::var_os("ISOGLOSS_DATA")) {
        (Some(given), _) => given.to_owned(),
        (None, Some(named)) => PathBuf::from(named),
        (None, None) if holds_data(Path::new("data")) => PathBuf::from("data"),
        (None, None) => source(),
    };
    match holds_data(&folder) {
        true => Ok(folder),
        false => {
            let cure = "run in the root of the repository, or give --data";
            Err(Fault::new(&folder, format!("has no train/parallel.tsv.zst, so it is not the bundled data; {cure}")))
        }
    }
}

fn holds_data(folder: &Path) -> bool {
    folder.join("train/parallel.tsv.zst").exists()
}
