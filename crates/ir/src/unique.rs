//! Whether an id was seen before, and where, without keeping the ids.

use crate::error::{Error, Result, snippet};
use std::collections::HashMap;
use std::path::Path;
use xxhash_rust::xxh3::xxh3_128;

/// The first line of every id seen; ids are kept as 128-bit hashes, 24 bytes each.
#[derive(Default)]
pub(crate) struct Unique(HashMap<(u64, u64), u64>);

impl Unique {
    /// Takes note of `id`, or refuses it with both lines.
    pub fn insert(&mut self, id: &str, what: &'static str, path: &Path, line: usize) -> Result<()> {
        let hash = xxh3_128(id.as_bytes());
        match self.0.insert(((hash >> 64) as u64, hash as u64), line as u64) {
            None => Ok(()),
            Some(first) => {
                Err(Error::Duplicate { path: path.into(), line, first_line: first as usize, what, id: snippet(id) })
            }
        }
    }
}
