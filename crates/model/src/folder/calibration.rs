//! `calibration.safetensors` of a model's folder: what [`Calibration`] knows of every language.
//!
//! Tensors `<lang>.mean` `[dim]`, `<lang>.std` `[dim]` and `<lang>.rotation` `[dim, dim]`, as far as the method has them; the
//! metadata hold, as JSON, the version of the layout, the plan and the number of texts of every language. Other tools
//! pass the file over.

use std::collections::BTreeMap;
use std::path::Path;

use isogloss_dense::calibration::{Calibration, CalibrationPlan, LangFit};
use isogloss_ir::Lang;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::weights::{Checkpoint, read_metadata, write_safetensors};

/// The file's name.
pub const CALIBRATION_FILE: &str = "calibration.safetensors";

/// The key of the metadata.
const KEY: &str = "isogloss.calibration";

/// Version of the layout above.
const VERSION: u64 = 1;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u64,
    plan: CalibrationPlan,
    texts: BTreeMap<Lang, u64>,
}

/// The calibration of a model's folder, for vectors of `dim`; `None` where there is none.
///
/// # Errors
/// A file that cannot be read, of another version or for vectors of another length; tensors that the plan does not
/// name, or lacks.
pub fn read_calibration(folder: &Path, dim: usize) -> Result<Option<Calibration>> {
    let path = folder.join(CALIBRATION_FILE);
    if !path.exists() {
        return Ok(None);
    }
    let checkpoint = Checkpoint::from_files(std::slice::from_ref(&path))?;
    let header = header(&path)?;
    let mut langs = BTreeMap::new();
    let mut known = Vec::new();
    for (lang, texts) in header.texts {
        let mut part = |part: &str, shape: &[usize]| {
            let name = format!("{lang}.{part}");
            known.push(name.clone());
            checkpoint.has(&name).then(|| values(&checkpoint, &path, &name, shape)).transpose()
        };
        let mean = part("mean", &[dim])?.unwrap_or_default();
        let (std, rotation) = (part("std", &[dim])?, part("rotation", &[dim, dim])?);
        langs.insert(lang, LangFit { texts, mean, std, rotation });
    }
    if let Some(tensor) = checkpoint.names().find(|name| !known.iter().any(|known| known == name)) {
        let problem = "its language is not in the metadata; fit the calibration again".to_owned();
        return Err(Error::Tensor { path, tensor: tensor.to_owned(), problem });
    }
    let calibration = Calibration::new(header.plan, dim, langs);
    calibration.map(Some).map_err(|source| Error::Calibration { path, source: Box::new(source) })
}

fn header(path: &Path) -> Result<Header> {
    let json = |source| Error::Json { path: path.to_owned(), source };
    let value: Value = serde_json::from_str(&read_metadata(path, KEY)?).map_err(json)?;
    match value["version"].as_u64() {
        Some(VERSION) => serde_json::from_value(value).map_err(json),
        _ => Err(Error::Key {
            path: path.to_owned(),
            key: "calibration version".into(),
            expected: "1; fit the calibration again with this program",
            got: value["version"].to_string(),
        }),
    }
}

fn values(checkpoint: &Checkpoint, path: &Path, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
    let (values, got) = checkpoint.read(name)?;
    match got == shape {
        true => Ok(values),
        false => {
            let problem =
                format!("has shape {got:?}, the model's vectors ask for {shape:?}; fit the calibration again");
            Err(Error::Tensor { path: path.to_owned(), tensor: name.to_owned(), problem })
        }
    }
}

/// Puts a calibration into a model's folder, at once or not at all; equal calibrations give equal bytes.
///
/// # Errors
/// The file cannot be written.
pub fn write_calibration(folder: &Path, calibration: &Calibration) -> Result<()> {
    let dim = calibration.dim();
    let mut tensors: Vec<(String, Vec<usize>, &[f32])> = Vec::new();
    for (lang, fit) in calibration.langs() {
        tensors.push((format!("{lang}.mean"), vec![dim], &fit.mean));
        tensors.extend(fit.std.iter().map(|std| (format!("{lang}.std"), vec![dim], &std[..])));
        tensors.extend(fit.rotation.iter().map(|w| (format!("{lang}.rotation"), vec![dim, dim], &w[..])));
    }
    let texts = calibration.langs().iter().map(|(lang, fit)| (*lang, fit.texts)).collect();
    let header = Header { version: VERSION, plan: calibration.plan().clone(), texts };
    let header = serde_json::to_string(&header).expect("plain data");
    write_safetensors(&folder.join(CALIBRATION_FILE), tensors, (KEY, header))
}

#[cfg(test)]
mod tests {
    use super::*;
    use isogloss_dense::Side;
    use isogloss_dense::calibration::Method;

    fn lang(code: &str) -> Lang {
        code.parse().unwrap()
    }

    fn rotated() -> Calibration {
        let fit = |rotation| LangFit { texts: 7, mean: vec![0.5, -1.0], std: Some(vec![2.0, 0.25]), rotation };
        let turn = Some(vec![0.6, -0.8, 0.8, 0.6]);
        let plan = CalibrationPlan {
            method: Method::Rotate,
            target: Some(lang("en")),
            normalize: true,
            pooling: "mean".into(),
            side: Side::Doc,
        };
        Calibration::new(plan, 2, BTreeMap::from([(lang("en"), fit(None)), (lang("zh-Hant"), fit(turn))])).unwrap()
    }

    #[test]
    fn what_is_written_reads_back_in_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read_calibration(folder.path(), 2).unwrap(), None);
        write_calibration(folder.path(), &rotated()).unwrap();
        let bytes = std::fs::read(folder.path().join(CALIBRATION_FILE)).unwrap();
        let read = read_calibration(folder.path(), 2).unwrap().unwrap();
        assert_eq!(read, rotated());
        write_calibration(folder.path(), &read).unwrap();
        assert_eq!(std::fs::read(folder.path().join(CALIBRATION_FILE)).unwrap(), bytes);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_says_one_thing_and_holds_another_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(CALIBRATION_FILE);
        let refused = |tensors: &[(&str, &[f32])], header: &str| {
            let tensors = tensors.iter().map(|(name, data)| (name.to_string(), vec![data.len()], *data));
            write_safetensors(&path, tensors, (KEY, header.to_owned())).unwrap();
            read_calibration(folder.path(), 2).unwrap_err().to_string()
        };
        let plan = |method: &str| {
            format!(
                "{{\"version\":1,\"plan\":{{\"method\":\"{method}\",\"target\":null,\"normalize\":true,\
                 \"pooling\":\"mean\",\"side\":\"doc\"}},\"texts\":{{\"sw\":7}}}}"
            )
        };
        let (mean, long): (&[f32], &[f32]) = (&[0.0, 1.0], &[0.0; 3]);
        assert!(refused(&[("sw.mean", mean)], "{\"version\":9}").contains("calibration version is 9"));
        assert!(refused(&[("sw.mean", mean)], "{").contains("calibration.safetensors: EOF"));
        assert!(refused(&[("sw.mean", mean)], &plan("scale")).contains("sw.std is missing, but the method is scale"));
        assert!(refused(&[("sw.mean", mean), ("sw.std", mean)], &plan("shift")).contains("sw.std is there"));
        assert!(refused(&[("sw.std", mean)], &plan("scale")).contains("sw.mean is 0 numbers"));
        assert!(refused(&[("sw.mean", long)], &plan("shift")).contains("tensor sw.mean: has shape [3]"));
        assert!(refused(&[("sw.mean", mean), ("ko.mean", mean)], &plan("shift")).contains("tensor ko.mean"));
        assert!(refused(&[("sw.mean", &[0.0, f32::NAN])], &plan("shift")).contains("must be finite"));
        std::fs::write(&path, "none").unwrap();
        assert!(read_calibration(folder.path(), 2).unwrap_err().to_string().contains("not a safetensors file"));
    }
}
