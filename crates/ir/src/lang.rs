//! Language codes: BCP-47 or ISO 639-1/3, in one spelling.

use crate::error::{Error, Result, snippet};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

mod aliases;

const CAPACITY: usize = 23;

/// A language tag such as `sw`, `ckb`, `zh-Hant` or `pt-BR`: at most 23 bytes, kept inline.
///
/// Parsing turns `_` into `-` and writes the language in lower case, a script in title case and a
/// region in upper case. Codes are not translated: `swa` and `sw` stay apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lang {
    len: u8,
    bytes: [u8; CAPACITY],
}

impl Lang {
    /// The tag as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }

    /// The tag of the language alone: `zh` of `zh-Hant-TW`.
    pub fn primary(&self) -> Lang {
        let end = self.as_str().find('-').unwrap_or(usize::from(self.len));
        Self::from_ascii(&self.bytes[..end])
    }

    pub(crate) fn from_ascii(text: &[u8]) -> Self {
        let mut bytes = [0; CAPACITY];
        bytes[..text.len()].copy_from_slice(text);
        Self { len: text.len() as u8, bytes }
    }
}

impl FromStr for Lang {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        normal(text).ok_or_else(|| Error::Lang { got: snippet(text) })
    }
}

fn normal(text: &str) -> Option<Lang> {
    if text.len() > CAPACITY {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    for (i, subtag) in text.split(['-', '_']).enumerate() {
        let letters = subtag.bytes().all(|b| b.is_ascii_alphabetic());
        match (i, subtag.len()) {
            (0, 2..=3) if letters => out.push_str(&subtag.to_ascii_lowercase()),
            (0, _) => return None,
            (_, 1..=8) if subtag.bytes().all(|b| b.is_ascii_alphanumeric()) => {
                out.push('-');
                out.push_str(&subtag_case(subtag, letters));
            }
            _ => return None,
        }
    }
    Some(Lang::from_ascii(out.as_bytes()))
}

fn subtag_case(subtag: &str, letters: bool) -> String {
    let mut lower = subtag.to_ascii_lowercase();
    match subtag.len() {
        2 if letters => lower.make_ascii_uppercase(),
        4 if letters => lower[..1].make_ascii_uppercase(),
        _ => {}
    }
    lower
}

impl fmt::Display for Lang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Lang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lang({})", self.as_str())
    }
}

impl PartialOrd for Lang {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Lang {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Serialize for Lang {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Lang {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_spelling_for_all() {
        let cases = [
            ("EN", "en"),
            ("zh_hant", "zh-Hant"),
            ("PT-br", "pt-BR"),
            ("ckb", "ckb"),
            ("zh-HANS-cn", "zh-Hans-CN"),
            ("de-1996", "de-1996"),
            ("rm-SURSILV", "rm-sursilv"),
            ("es-419", "es-419"),
        ];
        for (given, want) in cases {
            assert_eq!(given.parse::<Lang>().unwrap().to_string(), want);
        }
    }

    #[test]
    fn what_is_no_code_is_refused() {
        for bad in [
            "",
            "e",
            "english",
            "e1",
            "en-",
            "-en",
            "en--us",
            "日本",
            "en us",
            "x-private",
            "en-toolongsubtag",
            "sl-rozaj-biske-1994-nedis",
        ] {
            let error = bad.parse::<Lang>().unwrap_err().to_string();
            assert!(error.contains("BCP-47"), "{error}");
        }
    }

    #[test]
    fn the_primary_subtag_stands_alone() {
        assert_eq!("zh-Hant-TW".parse::<Lang>().unwrap().primary().as_str(), "zh");
        assert_eq!("sw".parse::<Lang>().unwrap().primary().as_str(), "sw");
    }
}
