//! The state of a run in one file: weights, optimiser moments, position in the data, best measure. Written atomically, so a run killed at any
//! moment resumes from the last whole checkpoint and ends with the same bytes.

use std::path::{Path, PathBuf};

use isogloss_engine::Buffer;
use isogloss_engine::optim::{AdamW, Moments};
use isogloss_model::{BiEncoder, Checkpoint, read_metadata, write_safetensors};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::sampler::SamplerState;

/// Everything of a run that is not a tensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunState {
    /// Hash of the run's configuration and data.
    pub fingerprint: String,
    /// Optimiser steps done.
    pub step: usize,
    /// Updates the optimiser made.
    pub updates: u64,
    /// Position in the data.
    pub sampler: SamplerState,
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

/// Writes the checkpoint of a run.
///
/// # Errors
/// The file cannot be written; an earlier one stays as it was.
pub fn save(out: &Path, model: &BiEncoder, optimizer: &AdamW, state: &RunState) -> Result<()> {
    let json = serde_json::to_string(state).map_err(|e| Error::value("checkpoint", e.to_string()))?;
    let parameters = model.parameters();
    let weights = parameters.iter().map(|(name, t)| (format!("weight.{name}"), t.shape().to_vec(), t.data()));
    let moments = parameters.iter().zip(&optimizer.moments).flat_map(|((name, t), m)| {
        [("first", &m.first), ("second", &m.second)]
            .map(|(kind, data)| (format!("{kind}.{name}"), t.shape().to_vec(), &data[..]))
    });
    Ok(write_safetensors(&checkpoint_path(out), weights.chain(moments), ("state", json))?)
}

/// Reads the checkpoint of a run into its model and optimiser; `None` if there is none.
///
/// # Errors
/// The file is damaged or belongs to a run of another configuration or other data.
pub fn load(out: &Path, fingerprint: &str, model: &mut BiEncoder, optimizer: &mut AdamW) -> Result<Option<RunState>> {
    let path = checkpoint_path(out);
    if !path.exists() {
        return Ok(None);
    }
    let damaged = |problem: String| Error::Output { path: path.clone(), problem };
    let state: RunState = serde_json::from_str(&read_metadata(&path, "state")?)
        .map_err(|e| damaged(format!("its state does not parse ({e}); delete it to start over")))?;
    if state.fingerprint != fingerprint {
        let cure = "restore the run file and data, or choose another out directory";
        return Err(damaged(format!("belongs to a run with another configuration or other data; {cure}")));
    }
    let stored = Checkpoint::from_files(std::slice::from_ref(&path))?;
    for (name, parameter) in model.parameters_mut() {
        let shape = parameter.shape().to_vec();
        let values = stored.take(&format!("weight.{name}"), &shape)?;
        parameter.data_mut().expect("a model just loaded is not shared").copy_from_slice(&values);
        if stored.has(&format!("first.{name}")) {
            let first = Buffer::from(stored.take(&format!("first.{name}"), &shape)?);
            let second = Buffer::from(stored.take(&format!("second.{name}"), &shape)?);
            optimizer.moments.push(Moments { first, second });
        }
    }
    optimizer.updates = state.updates;
    Ok(Some(state))
}
