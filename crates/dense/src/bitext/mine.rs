//! Mining: which texts of two sides are translations of each other.

use super::scan::descending;
use super::{Bitext, Margin};
use std::collections::HashSet;

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
    /// Pairs by the "max" strategy of LASER: the best-scored of each text's `k` nearest, from both sides; then, from the
    /// highest score down (of equal scores the lower rows first), those of which both texts are still free.
    ///
    /// Time O(rows · log rows) beyond what [`Bitext::new`] took.
    pub fn mine(&self, margin: Margin) -> Vec<Mined> {
        let forth = self.rescored(margin).into_iter().enumerate().map(|(x, y)| (x as u32, y));
        let back = self.rescored_back(margin).into_iter().enumerate().map(|(y, x)| (x, y as u32));
        let pairs: HashSet<(u32, u32)> = forth.chain(back).collect();
        let scored = |(x, y): (u32, u32)| Mined { x, y, score: self.margin(margin, x as usize, y as usize) };
        let mut pairs: Vec<Mined> = pairs.into_iter().map(scored).collect();
        pairs.sort_by(|a, b| descending(a.score, b.score).then((a.x, a.y).cmp(&(b.x, b.y))));
        let (mut taken_x, mut taken_y) = (vec![false; self.x.len()], vec![false; self.y.len()]);
        pairs.retain(|pair| {
            let (x, y) = (&mut taken_x[pair.x as usize], &mut taken_y[pair.y as usize]);
            let free = !*x && !*y;
            (*x, *y) = (*x || free, *y || free);
            free
        });
        pairs
    }
}
