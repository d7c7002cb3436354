//! Mining: which texts of two sides are translations of each other.

use super::scan::descending;
use super::{Bitext, Margin};
use crate::Error;
use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

/// Which pairs are taken, of the best-scored of each text's `k` nearest (LASER).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// The best of every text of the first side.
    Forward,
    /// The best of every text of the second side.
    Backward,
    /// Those that are the best of both their texts.
    Intersection,
    /// Of both sides' best, from the highest score down, those of which both texts are still free.
    Max,
}

impl Strategy {
    const NAMES: [(Self, &str); 4] = [
        (Self::Forward, "forward"),
        (Self::Backward, "backward"),
        (Self::Intersection, "intersection"),
        (Self::Max, "max"),
    ];
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(Self::NAMES.iter().find(|(strategy, _)| strategy == self).map_or("", |(_, name)| name))
    }
}

impl FromStr for Strategy {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let found = Self::NAMES.iter().find(|(_, known)| *known == name).map(|(strategy, _)| *strategy);
        let known = "forward, backward, intersection, max";
        found.ok_or_else(|| Error::UnknownName { what: "strategy", name: name.into(), known })
    }
}

/// A pair found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mined {
    /// Row of the first side.
    pub x: u32,
    /// Row of the second side.
    pub y: u32,
    /// Its margin.
    pub score: f64,
}

impl Bitext<'_> {
    /// The pairs that a strategy takes, from the highest score down, of equal scores the lower rows first.
    ///
    /// Time O(rows · log rows) beyond what [`Bitext::new`] took.
    pub fn mine(&self, margin: Margin, strategy: Strategy) -> Vec<Mined> {
        let forth = || (0u32..).zip(self.rescored(margin));
        let back = || self.rescored_back(margin).into_iter().zip(0u32..);
        let pairs: HashSet<(u32, u32)> = match strategy {
            Strategy::Forward => forth().collect(),
            Strategy::Backward => back().collect(),
            Strategy::Intersection => {
                let back: HashSet<_> = back().collect();
                forth().filter(|pair| back.contains(pair)).collect()
            }
            Strategy::Max => forth().chain(back()).collect(),
        };
        let scored = |(x, y): (u32, u32)| Mined { x, y, score: self.margin(margin, x as usize, y as usize) };
        let mut pairs: Vec<Mined> = pairs.into_iter().map(scored).collect();
        pairs.sort_by(|a, b| descending(a.score, b.score).then((a.x, a.y).cmp(&(b.x, b.y))));
        if strategy == Strategy::Max {
            self.keep_free(&mut pairs);
        }
        pairs
    }

    /// Drops every pair of which a text stands in an earlier one.
    fn keep_free(&self, pairs: &mut Vec<Mined>) {
        let (mut taken_x, mut taken_y) = (vec![false; self.x.len()], vec![false; self.y.len()]);
        pairs.retain(|pair| {
            let (x, y) = (&mut taken_x[pair.x as usize], &mut taken_y[pair.y as usize]);
            let free = !*x && !*y;
            (*x, *y) = (*x || free, *y || free);
            free
        });
    }
}
