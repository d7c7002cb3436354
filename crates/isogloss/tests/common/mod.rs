//! What the tests of the program share: a folder to work in, small data, small models.
#![allow(dead_code)] // every test file uses its part

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;

/// A temporary folder in which the program runs.
pub struct Sandbox(tempfile::TempDir);

impl Sandbox {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    /// The program with arguments apart by blanks, run in the folder.
    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_isogloss"));
        command.current_dir(self.0.path()).args(line.split_whitespace());
        // A GPU's driver, where there is one, shows none.
        command.env("CUDA_VISIBLE_DEVICES", "");
        command.env_remove("ISOGLOSS_DATA").env_remove("RUST_BACKTRACE").stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    /// Runs what must succeed and returns its stdout.
    pub fn ok(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(output.status.success(), "isogloss {line}\n{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// All files below `name` with their bytes, by their places.
    pub fn files(&self, name: &str) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        collect(&self.path(name), &mut files);
        files
    }

    /// Copies a folder from elsewhere to `name`.
    pub fn copy(&self, from: &Path, name: &str) {
        let mut files = BTreeMap::new();
        collect(from, &mut files);
        for (path, bytes) in files {
            self.write(&format!("{name}/{}", path.strip_prefix(from).unwrap().display()), bytes);
        }
    }

    /// Pairs, a corpus of their German side, queries of their English side, qrels, and a tokenizer.
    pub fn with_data() -> Self {
        let sandbox = Self::new();
        let (mut pairs, mut corpus) = ("src_lang\ttgt_lang\tsrc\ttgt\n".to_owned(), String::new());
        let (mut queries, mut qrels) = (String::new(), "query-id\tcorpus-id\tscore\n".to_owned());
        for (i, (english, german)) in sentences().iter().enumerate() {
            pairs += &format!("en\tde\t{english}\t{german}\n");
            corpus += &format!("{{\"_id\":\"d{i}\",\"title\":\"\",\"text\":\"{german}\",\"lang\":\"de\"}}\n");
            queries += &format!("{{\"_id\":\"q{i}\",\"text\":\"{english}\",\"lang\":\"en\"}}\n");
            qrels += &format!("q{i}\td{i}\t1\n");
        }
        sandbox.write("pairs.tsv", pairs);
        sandbox.write("corpus.jsonl", corpus);
        sandbox.write("queries.jsonl", queries);
        sandbox.write("qrels.tsv", qrels);
        sandbox.ok("tokenizer train pairs.tsv --vocab-size 90 --out tokenizer");
        sandbox
    }
}

fn collect(folder: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => collect(&path, files),
            false => drop(files.insert(path.clone(), fs::read(&path).unwrap())),
        }
    }
}

/// 48 English sentences and their German translations.
pub fn sentences() -> Vec<(String, String)> {
    let animals = [("horse", "Pferd"), ("sheep", "Schaf"), ("pig", "Schwein"), ("chick", "Küken")];
    let deeds = [("sleeps", "schläft"), ("drinks", "trinkt"), ("runs", "rennt"), ("plays", "spielt")];
    let places = [("in the garden", "im Garten"), ("by the river", "am Fluss"), ("on the roof", "auf dem Dach")];
    let mut all = Vec::new();
    for (animal, tier) in animals {
        for (does, tut) in deeds {
            all.extend(
                places.map(|(place, ort)| (format!("the {animal} {does} {place}"), format!("das {tier} {tut} {ort}"))),
            );
        }
    }
    all
}

/// A run file for a new static model.
pub fn static_run(out: &str, steps: usize) -> String {
    run_file(out, steps, "architecture = \"static\"\nhidden_size = 32", "learning_rate = 0.02\nweight_decay = 0.0")
}

/// A run file for a new transformer of two layers.
pub fn transformer_run(out: &str, steps: usize) -> String {
    let sizes = "architecture = \"xlm_roberta\"\nhidden_size = 32\nlayers = 2\nheads = 2\nmax_tokens = 64";
    run_file(out, steps, sizes, "learning_rate = 0.001")
}

fn run_file(out: &str, steps: usize, model: &str, optimizer: &str) -> String {
    format!(
        "out = \"{out}\"\nseed = 3\n[model.new]\ntokenizer = \"tokenizer\"\n{model}\n[recipe]\nname = \"contrastive\"\n\
         symmetric = true\n[[data]]\npath = \"pairs.tsv\"\nformat = \"parallel\"\n[batch]\nrows = 16\n[optimizer]\n\
         {optimizer}\n[schedule]\nsteps = {steps}\n[checkpoint]\nevery = 3\n"
    )
}

/// Starts the program, kills it as soon as `reached` holds, and says whether it was still running.
pub fn kill_when(sandbox: &Sandbox, line: &str, reached: impl Fn() -> bool) -> bool {
    let mut child = sandbox.command(line).spawn().unwrap();
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            let mut told = String::new();
            child.stderr.take().expect("it is piped").read_to_string(&mut told).unwrap();
            assert!(status.success(), "isogloss {line}: {status}\n{told}");
            return false;
        }
        if reached() {
            child.kill().unwrap();
            child.wait().unwrap();
            return true;
        }
        thread::yield_now();
    }
}

/// What has to be said where the system or a parser gives no semicolon: what was expected is a cure too.
const CURES: [&str; 7] = ["; ", "needs", "expected", "must be", "known", "supported", "asks for"];

/// Runs what must fail as the input's fault and checks the promise; `told` are parts of the message.
pub fn refused(sandbox: &Sandbox, line: &str, told: &[&str]) {
    let before = sandbox.files("");
    let output = sandbox.run(line);
    check(line, &output, told);
    let resumable = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        [".lock", "plan.json", "run.toml", "manifest.json", "log.jsonl"].contains(&name)
            && !path.with_file_name("vectors-00000.iso").exists()
    };
    let after = sandbox.files("");
    let left: Vec<_> = after.keys().filter(|path| !before.contains_key(*path) && !resumable(path)).collect();
    assert!(left.is_empty(), "isogloss {line}\nleft {left:?}");
    assert!(before.iter().all(|(path, bytes)| after.get(path) == Some(bytes)), "isogloss {line}\nchanged a file");
}

/// Checks exit code and message alone.
pub fn check(line: &str, output: &Output, told: &[&str]) {
    let message = String::from_utf8(output.stderr.clone()).unwrap();
    let context = format!("isogloss {line}\n{message}");
    assert_eq!(output.status.code(), Some(2), "{context}");
    let notes = ["note: ", "encoding ", "training on "];
    let lines: Vec<&str> = message.lines().filter(|line| !notes.iter().any(|note| line.starts_with(note))).collect();
    assert!(lines.len() == 1 && lines[0].starts_with("error: "), "{context}");
    assert!(CURES.iter().any(|cure| lines[0].contains(cure)), "no cure: {context}");
    for part in told {
        assert!(lines[0].contains(part), "{part:?} is not told: {context}");
    }
    assert!(output.stdout.is_empty(), "{context}");
}
