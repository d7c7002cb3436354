//! Weights of two lists by the language of the query, as a file keeps them.

use super::{Floor, Fusion, Scale};
use crate::error::{Error, Result};
use crate::fields::json_error;
use crate::{Lang, write_atomic};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// How a first and a second list become one: the weight of the second by the query's language, and one for all others.
///
/// Written as JSON `{"method": "minmax", "all": 0.45, "langs": {"sw": 0.7}}`, with `"floor": ["zero"]` where it is not the lowest score.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// What brings scores to one scale.
    #[serde(rename = "method")]
    pub scale: Scale,
    /// What documents scored that the first list lacks, and the second; the lowest where nothing is said.
    #[serde(rename = "floor", default, skip_serializing_if = "Vec::is_empty")]
    pub floors: Vec<Floor>,
    /// The weight in languages without their own.
    pub all: f64,
    /// The weights that languages have of their own.
    pub langs: BTreeMap<Lang, f64>,
}

const EXPECTED: &str =
    "weights that `isogloss fuse --fit` wrote: {\"method\": \"minmax\", \"all\": 0.5, \"langs\": {\"sw\": 0.7}}";

impl Weights {
    /// The weight of the second list for queries in `lang`: its own, else that of its primary subtag, else the one for all.
    pub fn of(&self, lang: Option<Lang>) -> f64 {
        let own = |lang: Lang| self.langs.get(&lang).or_else(|| self.langs.get(&lang.primary()));
        *lang.and_then(own).unwrap_or(&self.all)
    }

    /// How the lists of queries in `lang` become one; its caller knows their depths, to fill them by the floors.
    pub fn fusion(&self, lang: Option<Lang>) -> Fusion {
        Fusion::of_two(self.scale, self.of(lang))
    }

    /// Reads a file of weights.
    ///
    /// # Errors
    /// It cannot be read or is malformed.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = fs::read_to_string(path).map_err(|source| Error::io(path, source))?;
        serde_json::from_str(&text).map_err(|e| json_error(&e, path, e.line().max(1), EXPECTED))
    }

    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let mut text = serde_json::to_string_pretty(self).map_err(|e| Error::io(path, e.into()))?;
        text.push('\n');
        write_atomic(path, text.as_bytes())
    }
}

impl Serialize for Floor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Floor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Scale {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Scale {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_has_its_own_weight_or_that_of_all() {
        let lang = |code: &str| Some(code.parse::<Lang>().unwrap());
        let langs = [("pt", 0.25), ("zh-Hant", 1.0)].map(|(code, weight)| (code.parse().unwrap(), weight)).into();
        let weights = Weights { scale: Scale::Centred, floors: vec![Floor::Zero], all: 0.8, langs };
        let of = ["pt", "pt-BR", "zh-Hant", "zh", "fi"].map(|code| weights.of(lang(code)));
        assert_eq!((of, weights.of(None)), ([0.25, 0.25, 1.0, 0.8, 0.8], 0.8));
        assert_eq!(weights.fusion(lang("pt")), Fusion::mr_tydi(0.25));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.json");
        weights.write(&path).unwrap();
        assert_eq!(Weights::read(&path).unwrap(), weights);
    }

    #[test]
    fn what_is_no_file_of_weights_is_told_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("w.json");
        for (text, told) in [
            ("{\n\"method\": \"minmax\"\n}", "w.json:3"),
            ("{\"method\": \"best\", \"all\": 1, \"langs\": {}}", "unknown fusion"),
            ("{\"method\": \"sum\", \"all\": 1, \"langs\": {\"?\": 1}}", "no language code"),
            ("{\"method\": \"sum\", \"floor\": [\"one\"], \"all\": 1, \"langs\": {}}", "unknown floor"),
            ("", "w.json:1"),
        ] {
            fs::write(&path, text).unwrap();
            let error = Weights::read(&path).unwrap_err().to_string();
            assert!(error.contains(told) && error.contains("fuse --fit"), "{error}");
        }
    }
}
