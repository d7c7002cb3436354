//! All that a benchmark's figures depend on: the call, the versions, the model, the data, the machine.

use super::Judged;
use crate::hashes::{hashes, hashes_of, revision};
use crate::model::files;
use isogloss_dense::Side;
use isogloss_engine::Isa;
use isogloss_ir::file_hash;
use isogloss_lexical::Index;
use serde_json::{Value, json};
use std::path::Path;

/// The manifest, as JSON.
///
/// `bm25` is null where no index of words was searched.
///
/// # Errors
/// A file of the data or the model cannot be read.
pub fn manifest(judged: &Judged) -> anyhow::Result<Value> {
    let args = judged.args;
    let given = match &args.run {
        Some(run) => json!({ "path": run, "xxh3": hashes(run)? }),
        None => Value::Null,
    };
    let index = match &args.words.bm25 {
        Some(index) => json!({
            "path": index,
            "analyzer": analyzer(index),
            "k1": args.words.k1,
            "b": args.words.b,
            "xxh3": hashes(index)?,
        }),
        None => Value::Null,
    };
    let data = hashes(judged.data)?;
    let command: Vec<String> = std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    let mut manifest = json!({
        "command": command,
        "seed": args.seed,
        "resamples": args.resamples,
        "model": model(judged)?,
        "run": given,
        "bm25": index,
        "data": { "path": judged.data, "revision": revision(&data), "xxh3": data },
    });
    if let (Value::Object(manifest), Value::Object(surroundings)) = (&mut manifest, surroundings()) {
        manifest.extend(surroundings);
    }
    Ok(manifest)
}

/// The analyzer of an index of words, or of each in a folder of them.
fn analyzer(folder: &Path) -> Value {
    let of = |folder: &Path| Index::open(folder).ok().map(|index| Value::from(index.profile()));
    of(folder).unwrap_or_else(|| {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let mut found: Vec<_> =
            entries.filter_map(|e| Some((e.file_name().to_string_lossy().into_owned(), of(&e.path())?))).collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        Value::Object(found.into_iter().collect())
    })
}

/// The program and the machine.
pub fn surroundings() -> Value {
    json!({
        "isogloss": env!("CARGO_PKG_VERSION"),
        "commit": Some(env!("ISOGLOSS_COMMIT")).filter(|commit| !commit.is_empty()),
        "hardware": {
            "cpu": cpu_name(),
            "instructions": Isa::current().to_string(),
            "threads": rayon::current_num_threads(),
            "os": std::env::consts::OS,
            "arch": std::env::consts::ARCH,
        },
    })
}

fn model(judged: &Judged) -> anyhow::Result<Value> {
    let Some(model) = &judged.model else { return Ok(Value::Null) };
    let layout = model.encoder.layout();
    let tokenizer = match layout.tokenizer.is_dir() {
        true => layout.tokenizer.join("tokenizer.json"),
        false => layout.tokenizer.clone(),
    };
    Ok(json!({
        "name": model.name,
        "path": judged.args.model,
        "xxh3": model.hash,
        "files": hashes_of(&model.folder, &files(&model.folder, !judged.args.calibration.uncalibrated)?)?,
        "tokenizer_xxh3": if tokenizer.is_file() { Some(file_hash(&tokenizer)?) } else { None },
        "dim": layout.dim(),
        "pooling": layout.pooling.to_string(),
        "calibration": model.encoder.calibration().map(|calibration| calibration.plan().method.to_string()),
        "normalize": layout.normalize,
        "max_tokens": layout.max_tokens,
        "query_prompt": layout.prompt(Side::Query),
        "passage_prompt": layout.prompt(Side::Doc),
    }))
}

/// The processor's name, where the system tells it.
fn cpu_name() -> Option<String> {
    let info = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
