//! In which number format the products of a linear map are computed.

use std::fmt;
use std::str::FromStr;

/// Format of the factors of a product with a weight. Sums are f32 (int8: exact integers), and so are results and everything that is no product, except
/// that in bf16 on a GPU results are bf16 and stay so up to the next product or the sum with a residual.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Precision {
    /// IEEE 754 single precision.
    #[default]
    F32,
    /// bfloat16: both factors are rounded to 8 significant bits, to nearest, ties to even.
    Bf16,
    /// Eight bits: weights by output channel, symmetric; activations by row, measured as they come. For results
    /// without a gradient; where one is recorded, products are those of [`Precision::F32`].
    Int8,
}

impl Precision {
    /// All of them, most exact first.
    pub const ALL: [Precision; 3] = [Precision::F32, Precision::Bf16, Precision::Int8];

    /// The format of products whose gradient is recorded.
    pub(crate) fn with_gradient(self) -> Precision {
        if self == Precision::Int8 { Precision::F32 } else { self }
    }

    /// The format of attention's products where its queries, keys and values were computed in this one.
    pub(crate) fn of_attention(self) -> Precision {
        if self == Precision::F32 { Precision::F32 } else { Precision::Bf16 }
    }

    /// Elements of a factor in 32 bits.
    pub(crate) fn per_group(self) -> usize {
        match self {
            Precision::F32 => 1,
            Precision::Bf16 => 2,
            Precision::Int8 => 4,
        }
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Precision::F32 => "f32",
            Precision::Bf16 => "bf16",
            Precision::Int8 => "int8",
        })
    }
}

impl FromStr for Precision {
    type Err = String;

    fn from_str(name: &str) -> Result<Precision, String> {
        let found = Precision::ALL.into_iter().find(|precision| precision.to_string() == name);
        found.ok_or_else(|| format!("unknown precision \"{name}\"; known: f32, bf16, int8"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for precision in Precision::ALL {
            assert_eq!(precision.to_string().parse(), Ok(precision));
        }
        assert_eq!("f16".parse::<Precision>(), Err("unknown precision \"f16\"; known: f32, bf16, int8".into()));
    }
}
