//! The one file of an index: sections, each a run of plain numbers or bytes, and a table of them at the end.
//!
//! | bytes | |
//! |---|---|
//! | 0–7 | `ISOGBM25` |
//! | 8–11, 12–15 | format version, 0 (u32) |
//! | 16–23, 24–31, 32–39 | where the table begins, its bytes, their XXH3 (u64) |
//! | 40–47 | XXH3 of bytes 0–39 |
//! | 48–63 | 0 |
//! | 64– | sections, each at a multiple of 8 |
//! | | the table, as JSON: [`Contents`] |
//!
//! Little-endian. Sections hold u64, u32 or bytes as they are used, so that a map of the file serves as the index.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

/// The version written and read here.
pub(crate) const VERSION: u32 = 1;
/// The file's name in the folder.
pub(crate) const FILE: &str = "bm25.iso";
const MAGIC: &[u8; 8] = b"ISOGBM25";
const HEAD: usize = 64;

#[cfg(target_endian = "big")]
compile_error!("indexes are little-endian and mapped as they are");

/// Where a section lies.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct Section {
    pub(crate) start: u64,
    pub(crate) bytes: u64,
    pub(crate) xxh3: u64,
}

/// What the file holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Contents {
    /// The profile the index was made with.
    pub(crate) profile: String,
    pub(crate) docs: u32,
    /// Ends of the ids (u64) in `ids`.
    pub(crate) id_ends: Section,
    pub(crate) ids: Section,
    /// The place of every document in the order of ids (u32), and the document at every place.
    pub(crate) places: Section,
    pub(crate) by_place: Section,
    pub(crate) fields: Vec<FieldContents>,
}

/// One field.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct FieldContents {
    /// The analyzer.
    pub(crate) name: String,
    /// Documents that are in the field, those without a token too.
    pub(crate) docs: u32,
    /// Documents with a token.
    pub(crate) docs_with_tokens: u32,
    pub(crate) tokens: u64,
    /// The document of the index that each document of the field is (u32); empty where all are, in order.
    pub(crate) members: Section,
    /// A coded length for each document.
    pub(crate) lengths: Section,
    /// Ends of the terms (u64) in `terms`, which are sorted by bytes.
    pub(crate) term_ends: Section,
    pub(crate) terms: Section,
    /// Documents of each term (u32), and where its postings begin (u64).
    pub(crate) dfs: Section,
    pub(crate) starts: Section,
    /// For each term its documents (u32), their frequencies (u8; 255 means: see `large`), up to a multiple of 4.
    pub(crate) postings: Section,
    /// Frequencies from 255 up: term, document, frequency (u32 each), sorted.
    pub(crate) large: Section,
}

/// Writes the file section by section.
pub(super) struct Writer {
    file: BufWriter<File>,
    path: PathBuf,
    at: u64,
    open: Option<(u64, Xxh3)>,
}

impl Writer {
    pub(super) fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).map_err(Error::io("create", path))?;
        let mut writer =
            Self { file: BufWriter::with_capacity(1 << 20, file), path: path.to_owned(), at: HEAD as u64, open: None };
        writer.put(&[0; HEAD])?;
        Ok(writer)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(Error::io("write", &self.path))
    }

    /// Begins a section at the next multiple of 8.
    pub(super) fn begin(&mut self) -> Result<()> {
        debug_assert!(self.open.is_none());
        let padding = self.at.next_multiple_of(8) - self.at;
        self.put(&[0; 7][..padding as usize])?;
        self.at += padding;
        self.open = Some((self.at, Xxh3::new()));
        Ok(())
    }

    /// Bytes of the open section so far.
    pub(super) fn len(&self) -> u64 {
        self.open.as_ref().map_or(0, |(start, _)| self.at - start)
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.put(bytes)?;
        self.at += bytes.len() as u64;
        if let Some((_, hash)) = &mut self.open {
            hash.update(bytes);
        }
        Ok(())
    }

    pub(super) fn end(&mut self) -> Section {
        let (start, hash) = self.open.take().expect("a section was begun");
        Section { start, bytes: self.at - start, xxh3: hash.digest() }
    }

    /// A section in one go.
    pub(super) fn section(&mut self, bytes: &[u8]) -> Result<Section> {
        self.begin()?;
        self.write(bytes)?;
        Ok(self.end())
    }

    /// Writes table and head, and puts the file on the disk.
    pub(super) fn finish(mut self, contents: &Contents) -> Result<()> {
        let table = serde_json::to_vec(contents).expect("plain data");
        let place = self.section(&table)?;
        let mut head = [0; HEAD];
        head[..8].copy_from_slice(MAGIC);
        head[8..12].copy_from_slice(&VERSION.to_le_bytes());
        for (slot, word) in [place.start, place.bytes, place.xxh3].into_iter().enumerate() {
            head[16 + 8 * slot..][..8].copy_from_slice(&word.to_le_bytes());
        }
        let checksum = xxh3_64(&head[..40]);
        head[40..48].copy_from_slice(&checksum.to_le_bytes());
        self.file.seek(SeekFrom::Start(0)).map_err(Error::io("write", &self.path))?;
        self.put(&head)?;
        let file = self.file.into_inner().map_err(|e| Error::io("write", &self.path)(e.into_error()))?;
        file.sync_all().map_err(Error::io("sync", &self.path))
    }
}

/// The table of a file, after checking head and length.
pub(crate) fn contents(file: &[u8], path: &Path) -> Result<Contents> {
    let magic = &file[..file.len().min(8)];
    if !MAGIC.starts_with(magic) {
        return Err(Error::Magic { path: path.to_owned(), got: magic.to_vec() });
    }
    let length = |expected| Error::Length { path: path.to_owned(), expected, got: file.len() as u64 };
    if file.len() < HEAD {
        return Err(length(HEAD as u64));
    }
    let damaged = |part: &str| Error::Damaged { path: path.to_owned(), part: part.to_owned() };
    let version = u32::from_le_bytes(file[8..12].try_into().expect("4 bytes"));
    if version != VERSION {
        return Err(Error::Version { path: path.to_owned(), expected: VERSION, got: version });
    }
    let word = |at: usize| u64::from_le_bytes(file[at..at + 8].try_into().expect("8 bytes"));
    if word(40) != xxh3_64(&file[..40]) {
        return Err(damaged("head"));
    }
    let (start, bytes) = (word(16), word(24));
    let end = start.checked_add(bytes).ok_or_else(|| damaged("head"))?;
    if end != file.len() as u64 {
        return Err(length(end));
    }
    let table = &file[start as usize..end as usize];
    if xxh3_64(table) != word(32) {
        return Err(damaged("table"));
    }
    serde_json::from_slice(table).map_err(|_| damaged("table"))
}
