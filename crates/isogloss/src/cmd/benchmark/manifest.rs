//! All that a benchmark's figures depend on: the call, the versions, the model, the data, the machine.

use super::Judged;
use isogloss_dense::Side;
use isogloss_engine::Isa;
use isogloss_ir::Error;
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::Xxh3;

/// The manifest, as JSON.
///
/// # Errors
/// A file of the data or the model cannot be read.
pub fn manifest(judged: &Judged) -> anyhow::Result<Value> {
    let args = judged.args;
    let given = match &args.run {
        Some(run) => json!({ "path": run, "xxh3": hashes(run)? }),
        None => Value::Null,
    };
    Ok(json!({
        "command": std::env::args().collect::<Vec<_>>(),
        "isogloss": env!("CARGO_PKG_VERSION"),
        "seed": args.seed,
        "resamples": args.resamples,
        "model": model(judged)?,
        "run": given,
        "data": { "path": judged.data, "xxh3": hashes(judged.data)? },
        "hardware": {
            "cpu": cpu_name(),
            "instructions": Isa::current().to_string(),
            "threads": rayon::current_num_threads(),
            "os": std::env::consts::OS,
            "arch": std::env::consts::ARCH,
        },
    }))
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
        "xxh3": model.hash,
        "tokenizer_xxh3": if tokenizer.is_file() { Some(hash(&tokenizer)?) } else { None },
        "dim": layout.dim(),
        "pooling": layout.pooling.to_string(),
        "normalize": layout.normalize,
        "max_tokens": layout.max_tokens,
        "query_prompt": layout.prompt(Side::Query),
        "passage_prompt": layout.prompt(Side::Doc),
    }))
}

/// The hash of a file, or of every file of a folder by its place.
fn hashes(path: &Path) -> isogloss_ir::Result<Value> {
    if path.is_file() {
        return Ok(hash(path)?.into());
    }
    let mut files = Vec::new();
    list(path, &mut files)?;
    files.sort();
    let mut hashes = Map::new();
    for file in files {
        let place = file.strip_prefix(path).unwrap_or(&file).to_string_lossy().into_owned();
        hashes.insert(place, hash(&file)?.into());
    }
    Ok(hashes.into())
}

/// The files below a folder, hidden ones aside.
fn list(folder: &Path, files: &mut Vec<PathBuf>) -> isogloss_ir::Result<()> {
    for entry in std::fs::read_dir(folder).map_err(|e| Error::io(folder, e))? {
        let entry = entry.map_err(|e| Error::io(folder, e))?;
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if path.is_dir() { list(&path, files)? } else { files.push(path) }
    }
    Ok(())
}

fn hash(path: &Path) -> isogloss_ir::Result<String> {
    let mut file = File::open(path).map_err(|e| Error::io(path, e))?;
    let (mut hash, mut block) = (Xxh3::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut block).map_err(|e| Error::io(path, e))? {
            0 => return Ok(format!("{:032x}", hash.digest128())),
            n => hash.update(&block[..n]),
        }
    }
}

/// The processor's name, where the system tells it.
fn cpu_name() -> Option<String> {
    let info = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
