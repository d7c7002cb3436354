//! Killed at any moment and started again, training and encoding end in the same bytes.

mod common;

use common::{Sandbox, kill_when, transformer_run};
use std::fs;

#[test]
fn a_training_run() {
    let sandbox = Sandbox::with_data();
    let run = |out: &str| transformer_run(out, 40) + "[evaluate]\nevery = 10\nparallel = \"pairs.tsv\"\n";
    sandbox.write("whole.toml", run("whole"));
    sandbox.write("killed.toml", run("killed"));
    sandbox.ok("train whole.toml");
    let lines = || fs::read_to_string(sandbox.path("killed/log.jsonl")).map_or(0, |log| log.lines().count());
    let mut kills = 0;
    for step in [1, 5, 11, 12, 22, 37] {
        kills += usize::from(kill_when(&sandbox, "train killed.toml --resume", || lines() >= step));
    }
    assert!(kills >= 4, "too fast to be killed: {kills}");
    sandbox.ok("train killed.toml --resume");
    let model = |out: &str| sandbox.read(&format!("{out}/model/model.safetensors"));
    assert!(model("whole") == model("killed"));
    let steps = |out: &str| String::from_utf8(sandbox.read(&format!("{out}/log.jsonl"))).unwrap().lines().count();
    assert_eq!(steps("whole"), steps("killed"));
    assert_eq!(sandbox.ok("train killed.toml --resume"), "killed/model\n", "a finished run has nothing left to do");
}

#[test]
fn an_encoding() {
    let sandbox = Sandbox::with_data();
    sandbox.write("run.toml", transformer_run("out", 1));
    sandbox.ok("train run.toml");
    let text = "das Pferd schläft im Garten ".repeat(3);
    sandbox.write("many.txt", (0..3000).map(|i| format!("{text}{i}\n")).collect::<String>());
    let encode = |out: &str| format!("encode out/model many.txt --out {out} --rows-per-shard 100 --dtype int8");
    sandbox.ok(&encode("whole"));
    let mut kills = 0;
    for shard in [0, 3, 4, 11, 26] {
        let reached = || sandbox.path(&format!("killed/vectors-{shard:05}.iso")).exists();
        kills += usize::from(kill_when(&sandbox, &encode("killed"), reached));
    }
    assert!(kills >= 3, "too fast to be killed: {kills}");
    sandbox.ok(&encode("killed"));
    let names = |out: &str| -> Vec<_> {
        let files = sandbox.files(out).into_iter();
        files.map(|(path, bytes)| (path.file_name().unwrap().to_owned(), bytes)).filter(|(n, _)| n != ".lock").collect()
    };
    assert!(names("whole") == names("killed"));
}
