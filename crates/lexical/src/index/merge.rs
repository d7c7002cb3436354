//! Merges runs into the sections of a field.

use super::format::{Section, Writer};
use super::run::Cursor;
use crate::error::Result;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Frequencies from here up are kept apart.
pub(crate) const LARGE: u32 = 255;

/// What merging found besides the postings.
#[derive(Default)]
pub(super) struct Merged {
    terms: Vec<u8>,
    term_ends: Vec<u64>,
    dfs: Vec<u32>,
    starts: Vec<u64>,
    large: Vec<[u32; 3]>,
}

/// The sections that [`Merged::write`] wrote.
pub(super) struct Written {
    pub(super) term_ends: Section,
    pub(super) terms: Section,
    pub(super) dfs: Section,
    pub(super) starts: Section,
    pub(super) large: Section,
}

impl Merged {
    /// Writes the postings of all `runs`, which follow each other by document, as the open section.
    pub(super) fn postings(runs: &[&[u8]], writer: &mut Writer) -> Result<Self> {
        let mut cursors: Vec<Option<Cursor<'_>>> = runs.iter().map(|run| Cursor::new(run)).collect();
        let mut heap: BinaryHeap<Reverse<(&[u8], usize)>> = BinaryHeap::new();
        for (i, cursor) in cursors.iter().enumerate() {
            heap.extend(cursor.as_ref().map(|cursor| Reverse((cursor.term, i))));
        }
        let mut merged = Self::default();
        let (mut docs, mut tfs, mut bytes) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(&Reverse((term, _))) = heap.peek() {
            docs.clear();
            tfs.clear();
            while let Some(&Reverse((same, i))) = heap.peek()
                && same == term
            {
                heap.pop();
                let cursor = cursors[i].as_mut().expect("in the heap");
                cursor.postings(&mut docs, &mut tfs);
                if cursor.next_term() {
                    heap.push(Reverse((cursor.term, i)));
                }
            }
            merged.add(term, &docs, &tfs, writer.len());
            bytes.clear();
            bytes.extend(tfs.iter().map(|&tf| tf.min(LARGE) as u8));
            bytes.resize(bytes.len().next_multiple_of(4), 0);
            writer.write(bytemuck::cast_slice(&docs))?;
            writer.write(&bytes)?;
        }
        Ok(merged)
    }

    fn add(&mut self, term: &[u8], docs: &[u32], tfs: &[u32], start: u64) {
        let number = self.dfs.len() as u32;
        self.terms.extend_from_slice(term);
        self.term_ends.push(self.terms.len() as u64);
        self.dfs.push(docs.len() as u32);
        self.starts.push(start);
        let large = docs.iter().zip(tfs).filter(|(_, tf)| **tf >= LARGE);
        self.large.extend(large.map(|(&doc, &tf)| [number, doc, tf]));
    }

    pub(super) fn write(&self, writer: &mut Writer) -> Result<Written> {
        Ok(Written {
            term_ends: writer.section(bytemuck::cast_slice(&self.term_ends))?,
            terms: writer.section(&self.terms)?,
            dfs: writer.section(bytemuck::cast_slice(&self.dfs))?,
            starts: writer.section(bytemuck::cast_slice(&self.starts))?,
            large: writer.section(bytemuck::cast_slice(&self.large))?,
        })
    }
}
