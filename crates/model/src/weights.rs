//! Checkpoints in the safetensors format: read with every name and shape checked, written atomically.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use isogloss_engine::{Buffer, Tensor};
use memmap2::Mmap;
use rayon::prelude::*;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::Value;

use crate::config::keys::Keys;
use crate::error::{Error, Result};

/// One or more safetensors files, open for reading.
pub struct Checkpoint {
    files: Vec<(PathBuf, Mmap)>,
    /// Which file holds a tensor.
    index: HashMap<String, usize>,
    /// What the names start with in this checkpoint, such as `bert.`.
    prefix: String,
}

fn map(path: &Path) -> Result<Mmap> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    // SAFETY: the mapping is read only; a file changed underneath would change numbers, not memory safety,
    // since every read goes through bounds-checked slices.
    unsafe { Mmap::map(&file) }.map_err(Error::io("map", path))
}

/// An error about one tensor, or about the file as a whole (`*`).
fn tensor_error(path: &Path, tensor: &str, problem: impl ToString) -> Error {
    Error::Tensor { path: path.to_path_buf(), tensor: tensor.to_string(), problem: problem.to_string() }
}

fn malformed(path: &Path, reason: impl std::fmt::Display) -> Error {
    tensor_error(path, "*", format!("not a safetensors file ({reason}); download or save it again"))
}

/// The files of a folder's checkpoint: `model.safetensors`, or those its index names.
fn checkpoint_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let single = dir.join("model.safetensors");
    if single.exists() {
        return Ok(vec![single]);
    }
    let index = dir.join("model.safetensors.index.json");
    if !index.exists() {
        let cure = "convert the checkpoint with transformers' save_pretrained, which writes it";
        return Err(Error::Missing { path: single, cure });
    }
    let keys = Keys::read(&index)?;
    let Some(names) = keys.value.get("weight_map").and_then(Value::as_object) else {
        return Err(keys.wrong("weight_map", "tensor names and their files", keys.get("weight_map")));
    };
    let mut files: Vec<PathBuf> = names.values().filter_map(Value::as_str).map(|name| dir.join(name)).collect();
    files.sort();
    files.dedup();
    Ok(files)
}

impl Checkpoint {
    /// Opens a folder's checkpoint.
    ///
    /// # Errors
    /// There is none, or a file does not parse.
    pub fn open(dir: &Path) -> Result<Checkpoint> {
        Checkpoint::from_files(&checkpoint_files(dir)?)
    }

    /// Opens the given safetensors files as one checkpoint.
    ///
    /// # Errors
    /// A file is unreadable or does not parse.
    pub fn from_files(paths: &[PathBuf]) -> Result<Checkpoint> {
        let mut checkpoint = Checkpoint { files: Vec::new(), index: HashMap::new(), prefix: String::new() };
        for (i, path) in paths.iter().enumerate() {
            let data = map(path)?;
            let (_, header) = SafeTensors::read_metadata(&data).map_err(|e| malformed(path, e))?;
            SafeTensors::deserialize(&data).map_err(|e| malformed(path, e))?;
            checkpoint.index.extend(header.tensors().into_keys().map(|name| (name, i)));
            checkpoint.files.push((path.clone(), data));
        }
        Ok(checkpoint)
    }

    /// Finds which of `prefixes` the names start with, by a tensor every checkpoint of the architecture has.
    pub fn detect_prefix(&mut self, prefixes: &[&str], anchor: &str) {
        let found = prefixes.iter().find(|p| self.index.contains_key(&format!("{p}{anchor}")));
        self.prefix = found.map_or(String::new(), |p| (*p).to_string());
    }

    /// Names of all tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.index.keys().map(String::as_str)
    }

    /// Whether there is a tensor of this name (after the prefix).
    pub fn has(&self, name: &str) -> bool {
        self.index.contains_key(&format!("{}{name}", self.prefix))
    }

    /// The values and shape of a tensor, as f32.
    ///
    /// # Errors
    /// It is missing, not of a floating-point type, or holds a value that is not finite.
    pub fn read(&self, name: &str) -> Result<(Vec<f32>, Vec<usize>)> {
        let name = format!("{}{name}", self.prefix);
        let Some(&at) = self.index.get(&name) else {
            return Err(tensor_error(&self.files[0].0, &name, "is missing; config.json asks for it"));
        };
        let (path, data) = &self.files[at];
        let tensors = SafeTensors::deserialize(data).map_err(|e| malformed(path, e))?;
        let view = tensors.tensor(&name).map_err(|e| malformed(path, e))?;
        let values = to_f32(path, &name, &view)?;
        match first_not_finite(&values) {
            Some(at) => Err(tensor_error(path, &name, format!("element {at} is {}, must be finite", values[at]))),
            None => Ok((values, view.shape().to_vec())),
        }
    }

    /// A tensor of the given shape.
    ///
    /// # Errors
    /// As [`Checkpoint::read`], or the shape is another.
    pub fn take(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let (values, got) = self.read(name)?;
        if got == shape {
            return Ok(values);
        }
        let problem = format!("has shape {got:?}; config.json asks for {shape:?}");
        Err(tensor_error(&self.files[0].0, &format!("{}{name}", self.prefix), problem))
    }

    /// A parameter of the given shape.
    ///
    /// # Errors
    /// As [`Checkpoint::take`].
    pub fn parameter(&self, name: &str, shape: &[usize]) -> Result<Tensor> {
        Ok(Tensor::parameter(Buffer::from(self.take(name, shape)?), shape))
    }
}

/// Elements that a task reads.
const BLOCK: usize = 1 << 15;

/// Index of the first element that is infinite or not a number.
fn first_not_finite(values: &[f32]) -> Option<usize> {
    // Without an early exit a block is looked through by vectors.
    let all_finite = |block: &[f32]| block.iter().fold(true, |all, x| all & x.is_finite());
    let block = values.par_chunks(BLOCK).position_first(|block| !all_finite(block))?;
    let start = block * BLOCK;
    values[start..].iter().position(|x| !x.is_finite()).map(|at| start + at)
}

/// The elements of `N` bytes each.
fn values<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f32 + Sync) -> Vec<f32> {
    let mut values = vec![0.0; bytes.len() / N];
    values.par_chunks_mut(BLOCK).zip(bytes.par_chunks(BLOCK * N)).for_each(|(to, from)| {
        to.iter_mut().zip(from.as_chunks().0).for_each(|(x, bytes)| *x = value(*bytes));
    });
    values
}

fn to_f32(path: &Path, name: &str, view: &TensorView) -> Result<Vec<f32>> {
    match view.dtype() {
        Dtype::F32 => Ok(values(view.data(), f32::from_le_bytes)),
        Dtype::F16 => Ok(values(view.data(), |bytes| half::f16::from_le_bytes(bytes).to_f32())),
        Dtype::BF16 => Ok(values(view.data(), |bytes| half::bf16::from_le_bytes(bytes).to_f32())),
        other => Err(tensor_error(path, name, format!("has type {other:?}; save it as F32, F16 or BF16"))),
    }
}

/// Writes named tensors to a safetensors file: to a temporary name first, synced, then renamed. Equal tensors and
/// metadata give equal bytes.
///
/// # Errors
/// The file cannot be written; nothing is left behind.
pub fn write_safetensors<'a>(
    path: &Path,
    tensors: impl IntoIterator<Item = (String, Vec<usize>, &'a [f32])>,
    metadata: (&str, String),
) -> Result<()> {
    let views = tensors.into_iter().map(|(name, shape, data)| {
        let bytes: &'a [u8] = bytemuck::cast_slice(data);
        TensorView::new(Dtype::F32, shape, bytes)
            .map(|view| (name.clone(), view))
            .map_err(|e| tensor_error(path, &name, e))
    });
    let views = views.collect::<Result<Vec<_>>>()?;
    let metadata = HashMap::from([(metadata.0.to_string(), metadata.1)]);
    // The same name every time: what a killed process left is overwritten, not added to.
    let temporary = path.with_extension("safetensors.partial");
    let written = safetensors::serialize_to_file(views, Some(metadata), &temporary)
        .map_err(|e| tensor_error(&temporary, "*", e))
        .and_then(|()| persist(&temporary, path));
    if written.is_err() {
        // Nothing more can be done about a file that cannot even be removed.
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

/// Syncs a finished temporary file and gives it its name.
fn persist(temporary: &Path, path: &Path) -> Result<()> {
    let sync = |p: &Path| File::open(p).and_then(|f| f.sync_all()).map_err(Error::io("sync", p));
    sync(temporary)?;
    std::fs::rename(temporary, path).map_err(Error::io("rename to", path))?;
    sync(path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")))
}

/// The string of a safetensors file's metadata under `key`.
///
/// # Errors
/// The file is unreadable or has no such key.
pub fn read_metadata(path: &Path, key: &str) -> Result<String> {
    let data = map(path)?;
    let (_, header) = SafeTensors::read_metadata(&data).map_err(|e| malformed(path, e))?;
    let found = header.metadata().as_ref().and_then(|m| m.get(key).cloned());
    found.ok_or_else(|| tensor_error(path, "*", format!("has no metadata under \"{key}\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_of_every_type_are_read_and_the_first_that_is_not_finite_is_found() {
        let n = 2 * BLOCK + 3;
        let numbers: Vec<f32> = (0..n).map(|i| (i % 251) as f32 - 125.0).collect();
        let narrow: Vec<u8> = numbers.iter().flat_map(|x| half::bf16::from_f32(*x).to_le_bytes()).collect();
        assert_eq!(values(bytemuck::cast_slice(&numbers), f32::from_le_bytes), numbers);
        assert_eq!(values(&narrow, |bytes| half::bf16::from_le_bytes(bytes).to_f32()), numbers);
        assert_eq!(first_not_finite(&numbers), None);
        for at in [0, BLOCK - 1, BLOCK, n - 1] {
            let mut spoilt = numbers.clone();
            spoilt[n - 1] = f32::NAN;
            spoilt[at] = f32::NEG_INFINITY;
            assert_eq!(first_not_finite(&spoilt), Some(at));
        }
    }
}
