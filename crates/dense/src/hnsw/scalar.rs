//! What a search reads of a row on its way.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The type of the components that a search reads on its way; what it finds is rescored at 16 bits in any case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scalar {
    /// 2 bytes.
    F16,
    /// 1 byte, with one more that only rescoring reads.
    #[default]
    Int8,
    /// 1 bit, with two bytes that only rescoring reads.
    Binary,
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Scalar::F16 => "f16",
            Scalar::Int8 => "int8",
            Scalar::Binary => "binary",
        })
    }
}

impl FromStr for Scalar {
    type Err = crate::Error;

    fn from_str(name: &str) -> crate::Result<Self> {
        match name {
            "f16" => Ok(Scalar::F16),
            "int8" => Ok(Scalar::Int8),
            "binary" => Ok(Scalar::Binary),
            _ => Err(crate::Error::UnknownName { what: "scalar", name: name.to_owned(), known: "f16, int8, binary" }),
        }
    }
}
