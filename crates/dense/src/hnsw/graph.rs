//! The graph as it lies in memory or in a mapped file: layers of lists of equal length.

/// What fills a list behind its last neighbour.
pub(crate) const NONE: u32 = u32::MAX;

/// One layer. Its nodes are numbered from 0; on the lowest layer, a node's number is its row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layer<'a> {
    /// The row of every node; empty on the lowest layer.
    pub(crate) rows: &'a [u32],
    /// The number of every node one layer below; empty on the lowest.
    pub(crate) below: &'a [u32],
    /// `degree` neighbours of every node, then of the next.
    pub(crate) links: &'a [u32],
    /// Length of a list.
    pub(crate) degree: usize,
}

impl<'a> Layer<'a> {
    /// Number of nodes.
    pub(crate) fn len(&self) -> usize {
        self.links.len() / self.degree
    }

    /// The neighbours of `node`. What is no node ends the list, so a damaged file misleads a search and no more.
    #[inline(always)]
    pub(crate) fn neighbors(&self, node: u32) -> impl Iterator<Item = u32> + 'a {
        let len = self.len() as u32;
        let start = node as usize * self.degree;
        self.links[start..start + self.degree].iter().copied().take_while(move |n| *n < len)
    }

    /// The row of `node`.
    #[inline(always)]
    pub(crate) fn row(&self, node: u32) -> u32 {
        if self.rows.is_empty() { node } else { self.rows[node as usize] }
    }

    /// Asks for a list ahead of its use.
    #[inline(always)]
    pub(crate) fn prefetch(&self, node: u32) {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            let start = node as usize * self.degree;
            for link in self.links.get(start..start + self.degree).unwrap_or_default().iter().step_by(16) {
                // SAFETY: a prefetch reads nothing into the program, and the address is that of an element.
                unsafe { _mm_prefetch::<_MM_HINT_T0>((&raw const *link).cast()) };
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        let _ = node;
    }
}

/// All layers, the lowest first. Searches begin at node 0 of the highest.
#[derive(Clone, Debug)]
pub(crate) struct Graph<'a> {
    pub(crate) layers: Vec<Layer<'a>>,
}
