//! From text to the words that are indexed: named profiles of analysis.
//!
//! | profile | gives |
//! |---|---|
//! | `lucene:<lang>` | what Anserini indexes for the language ([`LANGS`]) |
//! | `snowball:<lang>` | Polish and Ukrainian, whose stemmers are not Lucene's |
//! | `lucene:ja:<folder>` | the same for Japanese, with the dictionary in the folder |
//! | `icu` | words of any script, in lower case |
//! | `subword:<name>` | tokens of a model's tokenizer, which the caller supplies |
//! | `A+B` | both, as two fields |
//! | `auto` | the chain of each text's language, `icu` where it has none, one field per language |

mod affix;
mod arabic;
mod bengali;
mod chain;
mod cjk;
mod fold;
mod french;
mod german;
mod hindi;
mod icu;
mod indic;
mod indonesian;
mod japanese;
mod persian;
mod porter;
mod romance;
mod snowball;
mod standard;
mod telugu;
mod thai;
mod unicode;
mod whitespace;
mod word_set;

pub use chain::LANGS;

use crate::error::{Error, Result};
use isogloss_ir::Lang;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// Turns text into tokens.
pub trait Analyzer: Send + Sync {
    /// Gives every token of `text` in order, also those that were emptied.
    ///
    /// # Errors
    /// Only a tokenizer that the caller supplied may fail.
    fn each_token(&self, text: &str, found: &mut dyn FnMut(&str)) -> Result<()>;

    /// The tokens of `text`.
    ///
    /// # Errors
    /// As [`Analyzer::each_token`].
    fn tokens(&self, text: &str) -> Result<Vec<String>> {
        let mut tokens = Vec::new();
        self.each_token(text, &mut |token| tokens.push(token.to_owned()))?;
        Ok(tokens)
    }
}

/// Opens the tokenizer that `subword:<name>` names.
pub type OpenSubword<'a> = dyn Fn(&str) -> Result<Box<dyn Analyzer>> + 'a;

/// One way of analysis: what an index field is made with.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    /// `lucene:<lang>`, or `snowball:<lang>` where the stemmer is not Lucene's, by the code in [`LANGS`].
    Chain(&'static str),
    /// `lucene:ja:<folder>`, the folder of a dictionary.
    Japanese(String),
    /// `icu`.
    Icu,
    /// `subword:<name>`.
    Subword(String),
}

impl Field {
    /// The analyzer; `open` is asked for the tokenizer of `subword:<name>`.
    ///
    /// # Errors
    /// What `open` fails with, or a dictionary that cannot be used.
    pub fn analyzer(&self, open: &OpenSubword<'_>) -> Result<Box<dyn Analyzer>> {
        Ok(match self {
            Self::Chain(code) => Box::new(chain::Chain::new(code).expect("parsed from LANGS")),
            Self::Japanese(folder) => Box::new(japanese::Japanese::new(Path::new(folder))?),
            Self::Icu => Box::new(icu::Icu::new()),
            Self::Subword(name) => open(name)?,
        })
    }

    /// The field of a language under any of its codes: its chain, or `icu` where it has none.
    pub fn of_lang(lang: Lang) -> Self {
        let code = lang.canonical();
        LANGS.iter().find(|known| **known == code.as_str()).map_or(Self::Icu, |code| Self::Chain(code))
    }
}

/// Languages whose words Lucene looks up in a dictionary that is not here.
const SNOWBALL: [&str; 2] = ["pl", "uk"];

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chain(code) if SNOWBALL.contains(code) => write!(f, "snowball:{code}"),
            Self::Chain(code) => write!(f, "lucene:{code}"),
            Self::Japanese(folder) => write!(f, "lucene:ja:{folder}"),
            Self::Icu => f.write_str("icu"),
            Self::Subword(name) => write!(f, "subword:{name}"),
        }
    }
}

impl FromStr for Field {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        let (kind, rest) = name.split_once(':').unwrap_or((name, ""));
        let code = LANGS.into_iter().find(|known| *known == rest);
        match (kind, code) {
            // Lucene's name of a chain gives what stands in for it, too; it is called what it is.
            ("lucene", Some(code)) => Ok(Self::Chain(code)),
            ("lucene", _) if rest == "ja" => Err(Error::NoDictionary),
            ("lucene", _) if rest.starts_with("ja:") && rest.len() > 3 => Ok(Self::Japanese(rest[3..].to_owned())),
            ("snowball", Some(code)) if SNOWBALL.contains(&code) => Ok(Self::Chain(code)),
            ("subword", _) if !rest.is_empty() => Ok(Self::Subword(rest.to_owned())),
            _ if name == "icu" => Ok(Self::Icu),
            _ => Err(Error::Profile { name: name.to_owned(), langs: LANGS.join(" ") }),
        }
    }
}

/// How the texts of a corpus are analysed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Profile {
    /// Every text into each of these fields: one, or two for a union.
    Fields(Vec<Field>),
    /// Every text into the field of its language.
    Auto,
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fields(fields) => {
                let names: Vec<String> = fields.iter().map(Field::to_string).collect();
                f.write_str(&names.join("+"))
            }
            Self::Auto => f.write_str("auto"),
        }
    }
}

impl FromStr for Profile {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        if name == "auto" {
            return Ok(Self::Auto);
        }
        // A plus may belong to the path of a tokenizer.
        let parts =
            match ["+lucene:", "+snowball:", "+icu", "+subword:"].iter().filter_map(|next| name.find(next)).min() {
                Some(at) => vec![&name[..at], &name[at + 1..]],
                None => vec![name],
            };
        let fields: Vec<Field> = parts.into_iter().map(Field::from_str).collect::<Result<_>>()?;
        match fields.as_slice() {
            [one, other] if one == other => Err(Error::SameTwice { name: name.to_owned() }),
            _ => Ok(Self::Fields(fields)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_read_and_written_alike() {
        for name in [
            "lucene:te",
            "icu",
            "subword:a/b+c",
            "lucene:te+subword:m+x",
            "icu+snowball:pl",
            "lucene:ja:dic+icu",
            "auto",
        ] {
            assert_eq!(name.parse::<Profile>().unwrap().to_string(), name);
        }
        assert_eq!("lucene:uk".parse::<Profile>().unwrap().to_string(), "snowball:uk");
        for bad in [
            "",
            "lucene:",
            "lucene:xx",
            "snowball:fi",
            "lucene:ja",
            "lucene:ja:",
            "te",
            "subword:",
            "icu+",
            "icu+icu",
            "+icu",
        ] {
            assert!(bad.parse::<Profile>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_language_has_its_chain_under_every_code() {
        for (lang, field) in [
            ("te", "lucene:te"),
            ("zh-Hant", "lucene:zh"),
            ("yue", "lucene:zh"),
            ("swh", "lucene:sw"),
            ("nob", "lucene:no"),
            ("pes", "lucene:fa"),
            ("arz", "lucene:ar"),
            ("vi", "icu"),
        ] {
            assert_eq!(Field::of_lang(lang.parse().unwrap()).to_string(), field);
        }
    }
}
