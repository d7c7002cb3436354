//! Which of the two roles a text plays.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The role of a text in retrieval; an encoder may prepend another prompt for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The text that searches.
    Query,
    /// The text that is found.
    Doc,
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Query => "query",
            Side::Doc => "doc",
        })
    }
}

impl FromStr for Side {
    type Err = crate::Error;

    fn from_str(name: &str) -> crate::Result<Self> {
        match name {
            "query" => Ok(Side::Query),
            "doc" => Ok(Side::Doc),
            _ => Err(crate::Error::UnknownName { what: "side", name: name.to_owned(), known: "query, doc" }),
        }
    }
}
