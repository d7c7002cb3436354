//! Margins: how much nearer a translation is than what else lies near (Artetxe and Schwenk 2019).

use crate::Error;
use std::fmt;
use std::str::FromStr;

/// How a pair's cosine is set against the mean cosine of both texts' `k` nearest on the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Margin {
    /// The cosine itself.
    Absolute,
    /// `cos - (near(x) + near(y)) / 2`.
    Distance,
    /// `cos / ((near(x) + near(y)) / 2)`.
    Ratio,
}

impl Margin {
    /// The score of a pair of this cosine, whose texts are `near_x` and `near_y` to their nearest. 0 over 0 is 0.
    pub fn score(self, cosine: f64, near_x: f64, near_y: f64) -> f64 {
        let near = (near_x + near_y) / 2.0;
        match self {
            Self::Absolute => cosine,
            Self::Distance => cosine - near,
            Self::Ratio if cosine == 0.0 => 0.0,
            Self::Ratio => cosine / near,
        }
    }

    const NAMES: [(Self, &str); 3] =
        [(Self::Absolute, "absolute"), (Self::Distance, "distance"), (Self::Ratio, "ratio")];
}

impl fmt::Display for Margin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::NAMES.iter().find(|(margin, _)| margin == self).map_or("", |(_, name)| name);
        f.pad(name)
    }
}

impl FromStr for Margin {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let found = Self::NAMES.iter().find(|(_, known)| *known == name).map(|(margin, _)| *margin);
        found.ok_or_else(|| Error::UnknownName {
            what: "margin",
            name: name.into(),
            known: "absolute, distance, ratio",
        })
    }
}
