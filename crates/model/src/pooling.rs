//! How the vectors of a text's tokens become one.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// From `[tokens, hidden]` to `[hidden]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// The first token.
    Cls,
    /// The mean over all tokens, special ones included.
    Mean,
    /// The last token.
    Last,
}

impl Pooling {
    /// All there are.
    pub const ALL: [Pooling; 3] = [Pooling::Cls, Pooling::Mean, Pooling::Last];

    /// The name in sentence-transformers' `pooling_mode`.
    pub fn module_name(self) -> &'static str {
        match self {
            Pooling::Cls => "cls",
            Pooling::Mean => "mean",
            Pooling::Last => "lasttoken",
        }
    }
}

impl fmt::Display for Pooling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Pooling::Cls => "cls",
            Pooling::Mean => "mean",
            Pooling::Last => "last",
        })
    }
}

impl FromStr for Pooling {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let found = Pooling::ALL.into_iter().find(|p| p.to_string() == name || p.module_name() == name);
        found.ok_or_else(|| Error::UnknownName { what: "pooling", name: name.to_owned(), known: "cls, mean, last" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for pooling in Pooling::ALL {
            assert_eq!(pooling.to_string().parse::<Pooling>().unwrap(), pooling);
            assert_eq!(pooling.module_name().parse::<Pooling>().unwrap(), pooling);
        }
        let error = "max".parse::<Pooling>().unwrap_err().to_string();
        assert!(error.contains("cls, mean, last"), "{error}");
    }
}
