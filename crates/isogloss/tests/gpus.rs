//! Training on several GPUs, which libraries of `crates/engine/tests/cuda_host` stand in for: it gives what one gives, ends in the same bytes
//! when it was killed, and tells what goes wrong.

mod common;
#[path = "../../engine/tests/cuda_host/mod.rs"]
mod cuda_host;

use common::{Sandbox, sentences};
use std::fs;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Sandbox and the program in it, on emulated GPUs.
struct Gpus(Sandbox);

impl Gpus {
    fn new() -> Self {
        let sandbox = Sandbox::with_data();
        let labelled = |(english, german): &(String, String)| {
            let long = format!("{german} ").repeat(6);
            format!("{{\"query\":\"{english}\",\"pos\":[\"{german}\"],\"neg\":[\"{long}\"]}}\n")
        };
        sandbox.write("labelled.jsonl", sentences().iter().map(labelled).collect::<String>());
        let document = |(i, of): (usize, &[(String, String)])| {
            let english: Vec<&str> = of.iter().map(|(english, _)| english.as_str()).collect();
            let german: Vec<&str> = of.iter().map(|(_, german)| german.as_str()).collect();
            [("en", english), ("de", german)].map(|(lang, sentences)| {
                serde_json::json!({"id": format!("{lang}{i}"), "lang": lang, "sentences": sentences}).to_string() + "\n"
            })
        };
        let documents = sentences().chunks(6).enumerate().flat_map(document).collect::<String>();
        sandbox.write("documents.jsonl", documents);
        Self(sandbox)
    }

    fn command(&self, line: &str) -> Command {
        let mut command = self.0.command(line);
        cuda_host::in_place_of_a_gpu(&mut command);
        command
    }

    fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    fn ok(&self, line: &str) {
        let output = self.run(line);
        assert!(output.status.success(), "isogloss {line}\n{}", told(&output));
    }

    /// Trains `tables` on so many GPUs.
    fn train(&self, tables: &str, gpus: usize) -> Trained {
        let out = format!("on{gpus}");
        let _ = fs::remove_dir_all(self.0.path(&out));
        self.0.write("run.toml", run_file(&out, tables));
        self.ok(&format!("train run.toml --device cuda --gpus {gpus}"));
        self.trained(&out)
    }

    fn trained(&self, out: &str) -> Trained {
        let bytes = self.0.read(&format!("{out}/model/model.safetensors"));
        let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let number = |bytes: &[u8]| f32::from_le_bytes(bytes.try_into().unwrap());
        Trained { log: self.log(out), weights: bytes[header..].chunks_exact(4).map(number).collect() }
    }

    /// The log without what depends on the clock.
    fn log(&self, out: &str) -> Vec<serde_json::Value> {
        let log = String::from_utf8(self.0.read(&format!("{out}/log.jsonl"))).unwrap();
        let mut lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for line in &mut lines {
            line.as_object_mut().unwrap().remove("tokens_per_second");
        }
        lines
    }
}

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What a run leaves.
struct Trained {
    log: Vec<serde_json::Value>,
    weights: Vec<f32>,
}

impl Trained {
    /// Weights up to 10⁻⁵ of the largest; losses, their terms and norms up to 5·10⁻⁵, since CCP without a warm-up of the rate magnifies differences.
    fn is_near(&self, other: &Trained, what: &str) {
        assert_eq!((self.log.len(), self.weights.len()), (other.log.len(), other.weights.len()), "{what}");
        for (line, expected) in self.log.iter().zip(&other.log) {
            numbers_are_near(line, expected, what);
        }
        let largest = other.weights.iter().fold(0f32, |largest, x| largest.max(x.abs()));
        let errors = self.weights.iter().zip(&other.weights).map(|(x, y)| (x - y).abs());
        let error = errors.fold(0f32, f32::max) / largest;
        assert!(error < 1e-5, "{what}: weights differ by {error:e}");
    }
}

fn numbers_are_near(line: &serde_json::Value, expected: &serde_json::Value, what: &str) {
    for (key, expected) in expected.as_object().unwrap() {
        match (line[key].as_f64(), expected.as_f64()) {
            (Some(x), Some(y)) => assert!((x - y).abs() <= 5e-5 * y.abs().max(1.0), "{what}: {key} {x} {y}"),
            _ if expected.is_object() => numbers_are_near(&line[key], expected, what),
            _ => assert_eq!(&line[key], expected, "{what}: {key}"),
        }
    }
}

/// A run of four steps. Updates are not divided by roots of nearly nothing, which would magnify the rounding of gradients that are zero.
fn run_file(out: &str, tables: &str) -> String {
    let model = match tables.contains("query_generation") {
        true => "architecture = \"mt5\"",
        false => "architecture = \"xlm_roberta\"\nmax_tokens = 64",
    };
    format!(
        "out = \"{out}\"\nseed = 3\n[model.new]\ntokenizer = \"tokenizer\"\nhidden_size = 16\nlayers = 1\nheads = 2\n{model}\n\
         [optimizer]\nlearning_rate = 0.01\neps = 0.001\n[schedule]\nsteps = 4\n[checkpoint]\nevery = 2\n{tables}\n"
    )
}

const CONTRASTIVE: &str = "[recipe]\nname = \"contrastive\"\n[[data]]\npath = \"labelled.jsonl\"\n";
const CCP: &str = "[recipe]\nname = \"ccp\"\nunit_tokens = 4\nbank = 8\nwarm_up_batches = 2\nmonitor_every = 2\n[[data]]\n\
                   path = \"documents.jsonl\"\n";
const MLM: &str = "[recipe]\nname = \"mlm\"\nunit_tokens = 20\n[[data]]\npath = \"documents.jsonl\"\n";
const GENERATION: &str = "[recipe]\nname = \"query_generation\"\n[[data]]\npath = \"labelled.jsonl\"\nlang = \"en\"\n";

/// What one GPU gives, two and three give.
fn several_give_what_one_gives(name: &str, tables: &str) {
    let gpus = Gpus::new();
    let one = gpus.train(tables, 1);
    assert_eq!(one.log.len(), 4);
    for several in 2..=cuda_host::DEVICES {
        gpus.train(tables, several).is_near(&one, &format!("{name} on {several}"));
    }
}

#[test]
fn contrastive() {
    several_give_what_one_gives("contrastive", &format!("{CONTRASTIVE}[batch]\nrows = 6\naccumulate = 2\n"));
}

#[test]
fn contrastive_in_chunks() {
    several_give_what_one_gives("in chunks", &format!("{CONTRASTIVE}[batch]\nrows = 6\nchunk_tokens = 40\n"));
}

#[test]
fn a_head_with_a_bank_and_batch_norm() {
    several_give_what_one_gives("ccp", &format!("{CCP}[batch]\nrows = 4\n"));
    several_give_what_one_gives("ccp in chunks", &format!("{CCP}[batch]\nrows = 4\nchunk_tokens = 15\n"));
}

#[test]
fn masked_words() {
    several_give_what_one_gives("mlm", &format!("{MLM}[batch]\nrows = 6\n"));
    several_give_what_one_gives("mlm in chunks", &format!("{MLM}[batch]\nrows = 6\nchunk_tokens = 30\n"));
}

#[test]
fn a_generator() {
    several_give_what_one_gives("query_generation", &format!("{GENERATION}[batch]\nrows = 4\nchunk_tokens = 60\n"));
}

#[test]
fn several_recipes_whose_heads_take_turns() {
    let task = |recipe: &str, share: &str| {
        recipe.replace("[recipe]", &format!("[[task]]\n{share}[task.recipe]")).replace("[[data]]", "[[task.data]]")
    };
    let tables = task(CCP, "share = 1.0\n") + "[task.batch]\nrows = 4\n";
    let tables = tables + &task(MLM, "share = 1.0\n") + "[task.batch]\nrows = 3\n";
    several_give_what_one_gives("two recipes", &tables);
}

#[test]
fn fewer_texts_than_gpus() {
    // One query, its passage, and a negative that is most of the tokens.
    several_give_what_one_gives("one example", &format!("{CONTRASTIVE}[batch]\nrows = 1\n"));
    several_give_what_one_gives("one unit", &format!("{MLM}[batch]\nrows = 1\n"));
    several_give_what_one_gives("one pair", &format!("{GENERATION}[batch]\nrows = 1\n"));
}

#[test]
fn early_stopping_and_the_best_model_are_those_of_one() {
    let watched = "[evaluate]\nevery = 1\nparallel = \"pairs.tsv\"\npatience = 1\nkeep_best = true\n";
    let gpus = Gpus::new();
    let tables = format!("{CONTRASTIVE}[batch]\nrows = 6\n{watched}");
    let (one, two) = (gpus.train(&tables, 1), gpus.train(&tables, 2));
    assert!(one.log.iter().any(|line| line.get("measure").is_some()));
    two.is_near(&one, "watched");
}

/// Waits until something holds; at most a minute.
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(60), "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// The processes that a process started.
fn children(process: u32) -> Vec<u32> {
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    children.split_whitespace().map(|id| id.parse().unwrap()).collect()
}

/// Whether a process computes still; one that has ended and whose end nobody looked at does not.
fn runs(process: u32) -> bool {
    let state = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    state.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

/// Kills a process, unless it has ended.
fn kill(process: u32) {
    Command::new("kill").args(["-9", &process.to_string()]).stderr(Stdio::null()).status().unwrap();
}

#[test]
fn a_run_that_was_killed_ends_in_the_same_bytes() {
    let gpus = Gpus::new();
    let tables = format!("{CCP}[batch]\nrows = 4\n");
    let run = |out: &str| run_file(out, &tables).replace("steps = 4", "steps = 30").replace("every = 2", "every = 3");
    gpus.0.write("whole.toml", run("whole"));
    gpus.0.write("killed.toml", run("killed"));
    gpus.ok("train whole.toml --device cuda --gpus 2");
    let lines = || fs::read_to_string(gpus.0.path("killed/log.jsonl")).map_or(0, |log| log.lines().count());
    let mut kills = 0;
    for (step, is_killed) in [(4, 0), (11, 1), (20, 2)] {
        let mut command = gpus.command("train killed.toml --device cuda --gpus 2 --resume");
        let mut started = command.stderr(Stdio::piped()).spawn().unwrap();
        wait_until("both are started", || children(started.id()).len() == 2);
        let processes = children(started.id());
        wait_until("a step is done", || lines() >= step);
        // The one that was called, one of the others, or the one that writes.
        kill([started.id(), processes[1], processes[0]][is_killed]);
        kills += usize::from(!started.wait().unwrap().success());
        wait_until("no process is left", || processes.iter().all(|process| !runs(*process)));
    }
    assert!(kills >= 2, "too fast to be killed: {kills}");
    gpus.ok("train killed.toml --device cuda --gpus 2 --resume");
    assert!(gpus.0.read("whole/model/model.safetensors") == gpus.0.read("killed/model/model.safetensors"));
    assert_eq!(gpus.log("whole"), gpus.log("killed"));
    assert_eq!(gpus.0.files("whole").len(), gpus.0.files("killed").len());
}

#[test]
fn a_process_that_fails_ends_the_run_with_its_error() {
    let gpus = Gpus::new();
    gpus.0.write("run.toml", run_file("out", &format!("{CONTRASTIVE}[batch]\nrows = 6\n")));
    let line = "train run.toml --device cuda --gpus 3";
    let output = gpus.command(line).env("CUDA_HOST_NCCL_FAILS", "1:9").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        told(&output).lines().last().unwrap(),
        "error: GPU 1: NCCL could not add gradients: unhandled system error: CUDA_HOST_NCCL_FAILS said so; NCCL_DEBUG=INFO \
         tells more, and --resume goes on from the last checkpoint"
    );
    let output = gpus.command(line).env("CUDA_HOST_NCCL_FAILS", "0:9").output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(told(&output).contains("error: NCCL could not add gradients"), "{}", told(&output));
    gpus.ok(line);

    let run = run_file("long", &format!("{CONTRASTIVE}[batch]\nrows = 6\n")).replace("steps = 4", "steps = 5000");
    gpus.0.write("long.toml", run);
    let started = gpus.command("train long.toml --device cuda --gpus 2").spawn().unwrap();
    wait_until("a step is done", || gpus.0.path("long/log.jsonl").exists());
    kill(children(started.id())[1]);
    let output = started.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(told(&output).contains("the process of GPU 1 was ended (signal: 9 (SIGKILL))"), "{}", told(&output));
}

#[test]
fn what_all_processes_come_upon_is_told_once() {
    let gpus = Gpus::new();
    gpus.0.write("run.toml", run_file("out", &CONTRASTIVE.replace("labelled", "missing")));
    let output = gpus.run("train run.toml --device cuda --gpus 3");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(told(&output).matches("error: ").count(), 1, "{}", told(&output));
    assert!(told(&output).contains("missing.jsonl"), "{}", told(&output));
}

#[test]
fn what_cannot_be_is_refused() {
    let gpus = Gpus::new();
    gpus.0.write("run.toml", run_file("out", CONTRASTIVE));
    for (line, problem) in [
        ("train run.toml --gpus 2", "--gpus: the run trains on cpu; give --device cuda"),
        ("train run.toml --device auto --gpus 2", "--gpus: the run trains on auto; give --device cuda"),
        (
            "train run.toml --device cuda --gpus 4",
            "--gpus: 4 are asked for and the driver shows 3; give at most as many",
        ),
        ("train run.toml --device cuda --gpus 0", "invalid value '0' for '--gpus <N>'"),
        ("train run.toml --device cuda --gpus 2 --dry-run", "cannot be used with"),
    ] {
        let output = gpus.run(line);
        assert_eq!(output.status.code(), Some(2), "{line}");
        assert!(told(&output).contains(problem), "{line}: {}", told(&output));
    }
    let output =
        gpus.command("train run.toml --device cuda --gpus 2").env("CUDA_VISIBLE_DEVICES", "2").output().unwrap();
    assert!(told(&output).contains("2 are asked for and the driver shows 1"), "{}", told(&output));
    assert!(!gpus.0.path("out").exists());
}

#[test]
fn doctor_tells_how_many_there_are_and_whether_they_can_talk() {
    let output = Gpus::new().run("doctor --gpu");
    let out = String::from_utf8(output.stdout).unwrap();
    assert_eq!(out.lines().last(), Some("3 GPU(s) shown, NCCL 2.27.7"));
}
