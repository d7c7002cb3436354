//! Rows that no search finds any more, in a file of their own.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::sections::{Mapped, Section, Sections, Writer};

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Contents {
    /// Rows of the store when the file was written.
    store_rows: u64,
    /// The deleted ones, rising (u32).
    deleted: Section,
}

/// Writes `rows`, rising, of a store of `store_rows`; returns the checksum of the file's table.
pub(crate) fn write(path: &Path, rows: &[u32], store_rows: usize) -> Result<u64> {
    let mut file = Writer::create(path, Sections::Deleted)?;
    let deleted = file.section(bytemuck::cast_slice(rows))?;
    file.finish(&Contents { store_rows: store_rows as u64, deleted })
}

/// Reads the rows and the checksum of the table.
pub(crate) fn read(path: &Path, store_rows: usize) -> Result<(Vec<u32>, u64)> {
    let (file, contents): (Mapped, Contents) = Mapped::open(path, Sections::Deleted)?;
    file.check(contents.deleted, contents.deleted.whole(4), "deleted rows")?;
    file.verify(&[(contents.deleted, "deleted rows")])?;
    let rows: &[u32] = file.numbers(contents.deleted);
    let fits = rows.last().is_none_or(|last| (*last as usize) < store_rows);
    if contents.store_rows > store_rows as u64 || !fits || !rows.is_sorted() {
        return Err(file.damaged("deleted rows"));
    }
    Ok((rows.to_vec(), file.table_xxh3))
}
