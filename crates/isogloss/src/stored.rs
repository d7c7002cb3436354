//! Vectors on disk, their ids, and the model that they are of.

use crate::exit::Fault;
use crate::model::{CalibrationOptions, Model, ModelOptions, calibrated, normalized, precision};
use isogloss_dense::{Manifest, Side};
use isogloss_ir::reader::Lines;
use isogloss_model::CALIBRATION_FILE;
use std::path::Path;

/// Whether `path` is a directory of vectors, finished or begun.
pub fn is_vectors(corpus: &Path) -> bool {
    ["plan.json", "manifest.json"].iter().any(|name| corpus.join(name).exists())
}

/// Ids, one a line, in their order.
///
/// # Errors
/// The file cannot be read.
pub fn read_ids(path: &Path) -> isogloss_ir::Result<Vec<String>> {
    let mut lines = Lines::open(path)?;
    let (mut ids, mut line) = (Vec::new(), String::new());
    while lines.next_content(&mut line)? {
        ids.push(line.clone());
    }
    Ok(ids)
}

/// The model, set as it was when it encoded the documents' vectors in `corpus`; another precision may be asked for.
///
/// # Errors
/// They are another model's, or of queries, or other settings are asked for; or the model cannot be loaded.
pub fn load_for(
    corpus: &Path,
    name: &str,
    options: &ModelOptions,
    calibration: &CalibrationOptions,
) -> anyhow::Result<Model> {
    let plan = Manifest::read(corpus)?.plan;
    let refuse = |option: &str, stored: &str, given: String| {
        let cure = "leave the option out, or encode the corpus anew";
        Fault::new(corpus, format!("its vectors have {option} {stored}, but {given} was asked for; {cure}"))
    };
    if let Some(given) = options.pooling.filter(|p| p.to_string() != plan.pooling) {
        return Err(refuse("pooling", &plan.pooling, given.to_string()).into());
    }
    let stored = normalized(&plan.settings);
    if let (Some(stored), Some(given)) = (stored, options.normalize)
        && stored != given
    {
        return Err(refuse("normalize", &stored.to_string(), given.to_string()).into());
    }
    let stored_method = calibrated(&plan.settings);
    if let Some(method) = stored_method.filter(|_| calibration.uncalibrated) {
        return Err(refuse("calibration", method, "none".into()).into());
    }
    let applied = CalibrationOptions { uncalibrated: stored_method.is_none(), ..calibration.clone() };
    let mut overrides = options.overrides();
    overrides.pooling = plan.pooling.parse().ok();
    overrides.normalize = stored.or(overrides.normalize);
    overrides.precision = overrides.precision.or_else(|| precision(&plan.settings));
    let model = Model::load_calibrated(name, &overrides, &applied)?;
    if model.hash != plan.model_hash {
        let problem = format!(
            "holds vectors of another model ({:?}) than {}; search with that model, or encode the corpus with this one",
            plan.model, name
        );
        return Err(Fault::new(corpus, problem).into());
    }
    if stored_method.is_none() && !calibration.uncalibrated && has_calibration(name)? {
        eprintln!("note: {} holds uncalibrated vectors, so the queries are not calibrated", corpus.display());
    }
    if plan.side == Side::Query {
        return Err(Fault::new(corpus, "holds queries, not documents; encode the corpus with --side doc").into());
    }
    Ok(model)
}

fn has_calibration(model: &str) -> isogloss_model::Result<bool> {
    Ok(isogloss_model::resolve(model)?.join(CALIBRATION_FILE).exists())
}
