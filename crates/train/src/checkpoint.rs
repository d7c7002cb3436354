//! The state of a run in one file: weights, optimiser moments, position in the data, what recipes keep, best measure. Written atomically, so a run killed at any
//! moment resumes from the last whole checkpoint and ends with the same bytes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use isogloss_engine::Tensor;
use isogloss_engine::optim::{AdamW, Moments};
use isogloss_model::{Checkpoint, read_metadata, write_safetensors};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::error::{Error, Result};
use crate::task::{Task, TaskState};
use crate::trainable::Trainable;

/// Everything of a run that is not a tensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunState {
    /// Hash of the run's configuration and data.
    pub fingerprint: String,
    /// Optimiser steps done.
    pub step: usize,
    /// Updates the optimiser made.
    pub updates: u64,
    /// Position of every task in its data, and what it counts.
    pub tasks: Vec<TaskState>,
    /// Best measure so far and its step.
    pub best: Option<(f64, usize)>,
    /// Evaluations since the best one.
    pub stale: usize,
    /// Bytes of the log written by then.
    pub log_bytes: u64,
}

/// Where a run keeps its checkpoint.
pub fn checkpoint_path(out: &Path) -> PathBuf {
    out.join("checkpoint.safetensors")
}

/// The weights of a run in a fixed order: the model's, then those of its tasks.
pub fn parameters<'a, M: Trainable>(model: &'a M, tasks: &'a [Box<dyn Task<M>>]) -> Vec<(String, &'a Tensor)> {
    let own = tasks.iter().enumerate().flat_map(|(n, task)| named(n, task.parameters()));
    model.parameters().into_iter().chain(own).collect()
}

/// As [`parameters`], to change.
pub fn parameters_mut<'a, M: Trainable>(
    model: &'a mut M,
    tasks: &'a mut [Box<dyn Task<M>>],
) -> impl Iterator<Item = (String, &'a mut Tensor)> {
    let own = tasks.iter_mut().enumerate().flat_map(|(n, task)| named(n, task.parameters_mut()));
    model.parameters_mut().into_iter().chain(own)
}

fn named<T>(task: usize, parameters: Vec<(String, T)>) -> impl Iterator<Item = (String, T)> {
    parameters.into_iter().map(move |(name, tensor)| (format!("task.{task}.{name}"), tensor))
}

/// Writes the checkpoint of a run; what its tasks keep is filled into `state`.
///
/// # Errors
/// The file cannot be written; an earlier one stays as it was.
pub fn save<M: Trainable>(
    out: &Path,
    model: &M,
    tasks: &[Box<dyn Task<M>>],
    optimizer: &AdamW,
    mut state: RunState,
) -> Result<()> {
    let mut kept = Vec::new();
    for (n, task) in tasks.iter().enumerate() {
        let (task_state, tensors) = task.state();
        state.tasks.push(task_state);
        kept.extend(tensors.into_iter().map(|(name, tensor)| (format!("{}{name}", kept_prefix(n)), tensor)));
    }
    let json = serde_json::to_string(&state).map_err(|e| Error::value("checkpoint", e.to_string()))?;
    let parameters = parameters(model, tasks);
    let weights = parameters.iter().map(|(name, t)| (format!("weight.{name}"), t.shape().to_vec(), t.data()));
    let moments = parameters.iter().zip(&optimizer.moments).flat_map(|((name, t), m)| {
        [("first", &m.first), ("second", &m.second)]
            .map(|(kind, moment)| (format!("{kind}.{name}"), t.shape().to_vec(), moment.data()))
    });
    let kept = kept.iter().map(|(name, t)| (name.clone(), t.shape().to_vec(), t.data()));
    Ok(write_safetensors(&checkpoint_path(out), weights.chain(moments).chain(kept), ("state", json))?)
}

/// Hash of what processes that train together have in common: weights, and what tasks keep.
///
/// # Errors
/// A task's state cannot be written as JSON.
pub fn hash<M: Trainable>(model: &M, tasks: &[Box<dyn Task<M>>]) -> Result<u64> {
    let mut hash = Xxh3::new();
    let mut add = |tensor: &Tensor| {
        for block in tensor.data().chunks(1 << 12) {
            hash.update(&block.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>());
        }
    };
    parameters(model, tasks).into_iter().for_each(|(_, parameter)| add(parameter));
    let states: Vec<_> = tasks.iter().map(|task| task.state()).collect();
    states.iter().flat_map(|(_, tensors)| tensors.values()).for_each(add);
    let states: Vec<_> = states.into_iter().map(|(state, _)| state).collect();
    hash.update(serde_json::to_string(&states).map_err(|e| Error::value("checkpoint", e.to_string()))?.as_bytes());
    Ok(hash.digest())
}

/// What the names of the tensors begin with that a task keeps.
fn kept_prefix(task: usize) -> String {
    format!("kept.{task}.")
}

/// Reads the checkpoint of a run into its model, tasks and optimiser; `None` if there is none.
///
/// # Errors
/// The file is damaged or belongs to a run of another configuration or other data.
pub fn load<M: Trainable>(
    out: &Path,
    fingerprint: &str,
    model: &mut M,
    tasks: &mut [Box<dyn Task<M>>],
    optimizer: &mut AdamW,
) -> Result<Option<RunState>> {
    let path = checkpoint_path(out);
    if !path.exists() {
        return Ok(None);
    }
    let damaged = |problem: String| Error::Output { path: path.clone(), problem };
    let mut state: RunState = serde_json::from_str(&read_metadata(&path, "state")?)
        .map_err(|e| damaged(format!("its state does not parse ({e}); delete it to start over")))?;
    if state.fingerprint != fingerprint {
        let cure = "restore the run file and data, or choose another out directory";
        return Err(damaged(format!("belongs to a run with another configuration or other data; {cure}")));
    }
    let stored = Checkpoint::from_files(std::slice::from_ref(&path))?;
    for (name, parameter) in parameters_mut(model, tasks) {
        let shape = parameter.shape().to_vec();
        let values = stored.take(&format!("weight.{name}"), &shape)?;
        parameter.data_mut().expect("a model just loaded is not shared").copy_from_slice(&values);
        if stored.has(&format!("first.{name}")) {
            let moment =
                |kind: &str| Ok::<_, Error>(Tensor::new(stored.take(&format!("{kind}.{name}"), &shape)?, &shape));
            optimizer.moments.push(Moments { first: moment("first")?, second: moment("second")? });
        }
    }
    for (n, (task, task_state)) in tasks.iter_mut().zip(std::mem::take(&mut state.tasks)).enumerate() {
        task.restore(task_state, kept(&stored, n)?)?;
    }
    optimizer.updates = state.updates;
    Ok(Some(state))
}

/// The tensors that a task kept.
fn kept(stored: &Checkpoint, task: usize) -> Result<BTreeMap<String, Tensor>> {
    let prefix = kept_prefix(task);
    let names = stored.names().filter_map(|name| Some((name, name.strip_prefix(&prefix)?.to_string())));
    let tensor = |(full, name): (&str, String)| {
        let (values, shape) = stored.read(full)?;
        Ok((name, Tensor::new(values, &shape)))
    };
    names.map(tensor).collect()
}
