//! A model as the verbs use it: the encoder, its name and the hash of its files.

use crate::exit::Fault;
use isogloss_dense::calibration::Missing;
use isogloss_dense::{EncodeOptions, Side};
use isogloss_engine::{DeviceChoice, Precision};
use isogloss_ir::{Error, Lang};
use isogloss_model::{BiEncoder, CALIBRATION_FILE, Overrides, Pooling};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use xxhash_rust::xxh3::Xxh3;

/// What may be asked of a model over what its folder says.
#[derive(Debug, Clone, clap::Args)]
pub struct ModelOptions {
    /// Pooling of token vectors, over what the model's folder says.
    #[arg(long, value_name = "cls|mean|last")]
    pub pooling: Option<Pooling>,

    /// Whether vectors are L2-normalised, over what the model's folder says.
    #[arg(long, value_name = "true|false")]
    pub normalize: Option<bool>,

    /// Longest text in tokens; the rest of a longer one is cut off.
    #[arg(long, value_name = "N", value_parser = positive)]
    pub max_tokens: Option<usize>,

    /// Number format of the products with the model's weights [default: f32, or that of the vectors searched].
    #[arg(long, value_name = "f32|bf16|int8")]
    pub precision: Option<Precision>,

    /// Where the model runs: cuda is the first NVIDIA GPU that the driver shows, auto that GPU where it can be used.
    #[arg(long, value_name = "auto|cpu|cuda", default_value_t)]
    pub device: DeviceChoice,
}

impl ModelOptions {
    /// As the model takes them.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            pooling: self.pooling,
            normalize: self.normalize,
            max_tokens: self.max_tokens,
            precision: self.precision,
            device: self.device,
        }
    }
}

/// What is asked of a calibrated model.
#[derive(Debug, Clone, clap::Args)]
pub struct CalibrationOptions {
    /// Leave out the model's calibration, as if its folder had none.
    #[arg(long)]
    pub uncalibrated: bool,

    /// What becomes of texts that name no language, or one that the model is not calibrated for: an error, or vectors as
    /// the model gives them.
    #[arg(long, value_name = "error|ignore", default_value = "error", conflicts_with = "uncalibrated")]
    pub calibration_missing: Missing,
}

/// Parses a whole number of at least 1.
///
/// # Errors
/// It is none.
pub fn positive(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "must be a whole number of at least 1".into())
}

/// A loaded model.
pub struct Model {
    /// What encodes.
    pub encoder: Arc<BiEncoder>,
    /// For people: the last part of its folder, or its name on the hub.
    pub name: String,
    /// Of its files: what tells it from any other.
    pub hash: String,
    /// Where its files are.
    pub folder: PathBuf,
}

impl Model {
    /// Loads a model folder, or a model of the local cache or the hub by name; without its calibration.
    ///
    /// # Errors
    /// As [`BiEncoder::load`].
    pub fn load(name: &str, overrides: &Overrides) -> anyhow::Result<Self> {
        let folder = isogloss_model::resolve(name)?;
        let mut encoder = BiEncoder::load(name, overrides)?;
        encoder.set_calibration(None);
        Ok(Self { encoder: Arc::new(encoder), name: short_name(name, &folder), hash: hash(&folder, false)?, folder })
    }

    /// As [`Model::load`], with its calibration, if it has one that is not to be left out.
    ///
    /// # Errors
    /// As [`BiEncoder::load`]; the calibration was fitted on other vectors than are asked for.
    pub fn load_calibrated(name: &str, overrides: &Overrides, options: &CalibrationOptions) -> anyhow::Result<Self> {
        if options.uncalibrated {
            return Self::load(name, overrides);
        }
        let folder = isogloss_model::resolve(name)?;
        let mut encoder = BiEncoder::load(name, overrides)?;
        if let Err(error) = encoder.check_calibration() {
            let path = folder.join(CALIBRATION_FILE);
            return Err(Fault::new(&path, format!("{error} (--uncalibrated)")).into());
        }
        encoder.set_missing_calibration(options.calibration_missing);
        Ok(Self { encoder: Arc::new(encoder), name: short_name(name, &folder), hash: hash(&folder, true)?, folder })
    }

    /// What this model needs to know of a text's language: nothing where it is not calibrated.
    ///
    /// # Errors
    /// There is no fit of the language, and that is not to be passed over. The message begins with a verb.
    pub fn lang_of_text(&self, lang: Option<Lang>) -> Result<Option<Lang>, String> {
        let Some(calibration) = self.encoder.calibration() else { return Ok(None) };
        if self.encoder.missing_calibration() == Missing::Ignore || calibration.check_lang(lang).is_ok() {
            return Ok(lang);
        }
        let cure = "give --calibration-missing ignore or --uncalibrated";
        Err(match lang {
            Some(lang) => {
                let fitted: Vec<&str> = calibration.langs().keys().map(Lang::as_str).collect();
                let fitted = fitted.join(", ");
                format!(
                    "is in {lang}, and the model is calibrated for {fitted} alone; calibrate it for {lang}, or {cure}"
                )
            }
            None => format!("names no language, which the calibrated model needs; declare it (LANG=FILE), or {cure}"),
        })
    }

    /// How this model's vectors are stored.
    pub fn encode_options(&self, side: Side) -> EncodeOptions {
        let layout = self.encoder.layout();
        let length = layout.max_tokens.map_or("none".to_owned(), |n| n.to_string());
        let calibration = self
            .encoder
            .calibration()
            .map_or(String::new(), |calibration| format!(" {CALIBRATION_SETTING}{}", calibration.plan().method));
        let precision = match self.encoder.precision() {
            Precision::F32 => String::new(),
            other => format!(" {PRECISION_SETTING}{other}"),
        };
        EncodeOptions {
            model: self.name.clone(),
            model_hash: self.hash.clone(),
            side,
            pooling: layout.pooling.to_string(),
            settings: format!("normalize={} max_tokens={length}{calibration}{precision}", layout.normalize),
            ..EncodeOptions::default()
        }
    }
}

/// Whether vectors stored under these settings were normalised.
pub fn normalized(settings: &str) -> Option<bool> {
    settings.split_whitespace().find_map(|setting| setting.strip_prefix("normalize=")?.parse().ok())
}

/// Before the method of a calibration in settings.
const CALIBRATION_SETTING: &str = "calibration=";

/// Before the precision in settings, where it is not f32.
const PRECISION_SETTING: &str = "precision=";

/// The precision of the model that made vectors stored under these settings.
pub fn precision(settings: &str) -> Option<Precision> {
    settings.split_whitespace().find_map(|setting| setting.strip_prefix(PRECISION_SETTING)?.parse().ok())
}

/// The method of the calibration of vectors stored under these settings.
pub fn calibrated(settings: &str) -> Option<&str> {
    settings.split_whitespace().find_map(|setting| setting.strip_prefix(CALIBRATION_SETTING))
}

fn short_name(name: &str, folder: &Path) -> String {
    if !Path::new(name).is_dir() {
        return name.to_owned();
    }
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    whole.file_name().map_or_else(|| name.to_owned(), |last| last.to_string_lossy().into_owned())
}

/// Hash of all weights, tokenizers and configurations of a model's folder, with their places in it; with its calibration
/// if that is `calibrated`.
///
/// # Errors
/// The folder cannot be read.
pub fn hash(folder: &Path, calibrated: bool) -> isogloss_ir::Result<String> {
    let mut hash = Xxh3::new();
    for file in files(folder, calibrated)? {
        let place = file.strip_prefix(folder).unwrap_or(&file).to_string_lossy().into_owned();
        let mut reader = fs::File::open(&file).map_err(|e| Error::io(&file, e))?;
        let bytes = reader.metadata().map_err(|e| Error::io(&file, e))?.len();
        hash.update(format!("{place}\n{bytes}\n").as_bytes());
        std::io::copy(&mut reader, &mut HashWriter(&mut hash)).map_err(|e| Error::io(&file, e))?;
    }
    Ok(format!("{:032x}", hash.digest128()))
}

/// The files that [`hash`] reads, in its order.
///
/// # Errors
/// The folder cannot be read.
pub fn files(folder: &Path, calibrated: bool) -> isogloss_ir::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    list(folder, &mut files)?;
    files.retain(|file| calibrated || *file != folder.join(CALIBRATION_FILE));
    files.sort();
    Ok(files)
}

/// Lets a hash be written to.
struct HashWriter<'a>(&'a mut Xxh3);

impl std::io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The `.json` and `.safetensors` files below `folder`: cards and pictures do not change vectors.
fn list(folder: &Path, files: &mut Vec<PathBuf>) -> isogloss_ir::Result<()> {
    for entry in fs::read_dir(folder).map_err(|e| Error::io(folder, e))? {
        let path = entry.map_err(|e| Error::io(folder, e))?.path();
        if path.is_dir() {
            list(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "json" || e == "safetensors") {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_sees_names_and_bytes_of_what_makes_vectors() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write("model.safetensors", "a");
        fs::create_dir(folder.path().join("1_Pooling")).unwrap();
        let first = hash(folder.path(), true).unwrap();
        write("README.md", "words");
        assert_eq!(hash(folder.path(), true).unwrap(), first);
        write("1_Pooling/config.json", "{}");
        let second = hash(folder.path(), true).unwrap();
        write("1_Pooling/config.json", "[]");
        let third = hash(folder.path(), true).unwrap();
        assert!(first != second && second != third && first != third);
        write(CALIBRATION_FILE, "c");
        assert_eq!(hash(folder.path(), false).unwrap(), third);
        assert_ne!(hash(folder.path(), true).unwrap(), third);
    }

    #[test]
    fn settings_tell_of_normalisation_calibration_and_precision() {
        assert_eq!(normalized("normalize=true max_tokens=none"), Some(true));
        assert_eq!(normalized(""), None);
        assert_eq!(calibrated("normalize=true max_tokens=9 calibration=scale"), Some("scale"));
        assert_eq!(calibrated("normalize=true max_tokens=9"), None);
        assert_eq!(precision("normalize=true max_tokens=9 precision=bf16"), Some(Precision::Bf16));
        assert_eq!(precision("normalize=true max_tokens=9"), None);
    }
}
