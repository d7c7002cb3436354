//! Reading a JSON file key by key, with errors that name file and key.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::error::{Error, Result};

/// An object of a JSON file.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    pub(crate) path: PathBuf,
    /// Where in the file, dotted, with a dot at its end; empty at the top.
    prefix: String,
    pub(crate) value: Value,
}

impl Keys {
    /// Reads a file whose top is an object.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let value = read_json(path)?;
        Self::new(path, value)
    }

    /// Takes an object that stems from `path`.
    pub(crate) fn new(path: &Path, value: Value) -> Result<Self> {
        let keys = Self { path: path.to_owned(), prefix: String::new(), value };
        match keys.value.is_object() {
            true => Ok(keys),
            false => Err(keys.wrong("the file", "an object", Some(&keys.value))),
        }
    }

    /// The value of `key`; `null` counts as missing.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.value.get(key).filter(|v| !v.is_null())
    }

    /// The object under `key`.
    pub(crate) fn object(&self, key: &str) -> Result<Option<Keys>> {
        let nested = |value: &Value| Keys {
            path: self.path.clone(),
            prefix: format!("{}{key}.", self.prefix),
            value: value.clone(),
        };
        match self.get(key) {
            None => Ok(None),
            Some(value) if value.is_object() => Ok(Some(nested(value))),
            other => Err(self.wrong(key, "an object", other)),
        }
    }

    /// A whole number, not negative, that must be there.
    pub(crate) fn uint(&self, key: &str) -> Result<usize> {
        self.uint_opt(key)?.ok_or_else(|| self.wrong(key, "a whole number", None))
    }

    /// A whole number that must be there and not be 0.
    pub(crate) fn positive(&self, key: &str) -> Result<usize> {
        match self.uint(key)? {
            0 => Err(self.wrong(key, "at least 1", self.get(key))),
            n => Ok(n),
        }
    }

    /// A whole number, not negative, where there is one.
    pub(crate) fn uint_opt(&self, key: &str) -> Result<Option<usize>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let number = value.as_u64().and_then(|n| usize::try_from(n).ok());
        number.map(Some).ok_or_else(|| self.wrong(key, "a whole number", Some(value)))
    }

    /// A number, or `default` where there is none.
    pub(crate) fn float_or(&self, key: &str, default: f64) -> Result<f64> {
        let Some(value) = self.get(key) else { return Ok(default) };
        value.as_f64().ok_or_else(|| self.wrong(key, "a number", Some(value)))
    }

    /// true or false, or `default` where there is neither.
    pub(crate) fn bool_or(&self, key: &str, default: bool) -> Result<bool> {
        let Some(value) = self.get(key) else { return Ok(default) };
        value.as_bool().ok_or_else(|| self.wrong(key, "true or false", Some(value)))
    }

    /// A string that must be there.
    pub(crate) fn string(&self, key: &str) -> Result<&str> {
        self.string_opt(key)?.ok_or_else(|| self.wrong(key, "a string", None))
    }

    /// A string, where there is one.
    pub(crate) fn string_opt(&self, key: &str) -> Result<Option<&str>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        value.as_str().map(Some).ok_or_else(|| self.wrong(key, "a string", Some(value)))
    }

    /// The error of a missing key (`got` none) or one of another type.
    pub(crate) fn wrong(&self, key: &str, expected: &'static str, got: Option<&Value>) -> Error {
        let got = got.map_or("missing".to_owned(), |v| v.to_string());
        Error::Key { path: self.path.clone(), key: format!("{}{key}", self.prefix), expected, got }
    }

    /// The error of a value that is not supported.
    pub(crate) fn unsupported(&self, key: &str, name: impl ToString, known: &'static str) -> Error {
        let key = format!("{}{key}", self.prefix);
        Error::Unsupported { path: self.path.clone(), key, name: name.to_string(), known }
    }
}

/// Parses a whole file.
pub(crate) fn read_json(path: &Path) -> Result<Value> {
    let text = fs::read(path).map_err(Error::io("read", path))?;
    serde_json::from_slice(&text).map_err(|source| Error::Json { path: path.to_owned(), source })
}
