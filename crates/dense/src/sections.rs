//! A file of sections of plain numbers, with a JSON table of them at the end, and a head: segments of an index, deleted rows, attributes.
//!
//! | bytes | |
//! |---|---|
//! | 0–7 | `ISOGHNSW`, `ISOG_DEL`, `ISOGATTR` |
//! | 8–11, 12–15 | format version, 0 (u32) |
//! | 16–23, 24–31, 32–39 | where the table begins, its bytes, their XXH3 (u64) |
//! | 40–47 | XXH3 of bytes 0–39 |
//! | 48–63 | 0 |
//! | 64– | sections, each at a multiple of 64 |
//! | | the table |
//!
//! Little-endian; a map of the file is used as it lies.

use std::path::{Path, PathBuf};

use memmap2::Mmap;
use rayon::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::atomic_file::AtomicFile;
use crate::shard::map_file;
use crate::{Error, Result};

/// The version written and read here.
pub(crate) const VERSION: u32 = 1;
const HEAD: usize = 64;

/// Which of the kinds of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sections {
    Segment,
    Deleted,
    Attributes,
}

impl Sections {
    fn magic(self) -> &'static [u8; 8] {
        match self {
            Sections::Segment => b"ISOGHNSW",
            Sections::Deleted => b"ISOG_DEL",
            Sections::Attributes => b"ISOGATTR",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Sections::Segment => "a segment of an index",
            Sections::Deleted => "a file of deleted rows",
            Sections::Attributes => "a file of attributes",
        }
    }
}

/// Where a section lies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Section {
    start: u64,
    bytes: u64,
    xxh3: u64,
}

impl Section {
    /// Its bytes, where they are whole numbers of `size`.
    pub(crate) fn whole(&self, size: u64) -> Option<usize> {
        self.bytes.is_multiple_of(size).then_some(self.bytes as usize)
    }
}

/// Writes a file section by section.
pub(crate) struct Writer {
    kind: Sections,
    file: AtomicFile,
    at: u64,
}

impl Writer {
    pub(crate) fn create(path: &Path, kind: Sections) -> Result<Self> {
        let mut file = AtomicFile::create(path)?;
        file.write(&[0; HEAD])?;
        Ok(Self { kind, file, at: HEAD as u64 })
    }

    /// Adds a section.
    pub(crate) fn section(&mut self, bytes: &[u8]) -> Result<Section> {
        let padding = self.at.next_multiple_of(HEAD as u64) - self.at;
        self.file.write(&[0; HEAD][..padding as usize])?;
        self.file.write(bytes)?;
        let start = self.at + padding;
        self.at = start + bytes.len() as u64;
        Ok(Section { start, bytes: bytes.len() as u64, xxh3: xxh3_64(bytes) })
    }

    /// Adds the table and puts the file on the disk; returns the table's checksum, which covers those of all sections.
    pub(crate) fn finish(mut self, table: &impl Serialize) -> Result<u64> {
        let place = self.section(&serde_json::to_vec(table).expect("plain data"))?;
        let mut head = [0; HEAD];
        head[..8].copy_from_slice(self.kind.magic());
        head[8..12].copy_from_slice(&VERSION.to_le_bytes());
        for (slot, word) in [place.start, place.bytes, place.xxh3].into_iter().enumerate() {
            head[16 + 8 * slot..][..8].copy_from_slice(&word.to_le_bytes());
        }
        let checksum = xxh3_64(&head[..40]);
        head[40..48].copy_from_slice(&checksum.to_le_bytes());
        self.file.commit_with_head(&head)?;
        Ok(place.xxh3)
    }
}

/// A finished file, mapped.
#[derive(Debug)]
pub(crate) struct Mapped {
    map: Mmap,
    path: PathBuf,
    /// Checksum of the table.
    pub(crate) table_xxh3: u64,
}

impl Mapped {
    /// Maps `path`, checks its head, its length and its table, and reads the table.
    pub(crate) fn open<T: DeserializeOwned>(path: &Path, kind: Sections) -> Result<(Self, T)> {
        let map = map_file(path)?;
        let magic = &map[..map.len().min(8)];
        if !kind.magic().starts_with(magic) {
            return Err(Error::Magic { path: path.to_owned(), kind: kind.name(), got: magic.to_vec() });
        }
        let length = |expected| Error::IndexLength { path: path.to_owned(), expected, got: map.len() as u64 };
        let damaged = |part: &str| Error::IndexDamaged { path: path.to_owned(), part: part.to_owned() };
        if map.len() < HEAD {
            return Err(length(HEAD as u64));
        }
        let got = u32::from_le_bytes(map[8..12].try_into().expect("4 bytes"));
        if got != VERSION {
            return Err(Error::IndexVersion { path: path.to_owned(), expected: VERSION, got });
        }
        let word = |at: usize| u64::from_le_bytes(map[at..at + 8].try_into().expect("8 bytes"));
        if word(40) != xxh3_64(&map[..40]) {
            return Err(damaged("head"));
        }
        let (start, bytes, table_xxh3) = (word(16), word(24), word(32));
        let end = start.checked_add(bytes).ok_or_else(|| damaged("head"))?;
        if end != map.len() as u64 {
            return Err(length(end));
        }
        let table = &map[start as usize..];
        if xxh3_64(table) != table_xxh3 {
            return Err(damaged("table"));
        }
        let table = serde_json::from_slice(table).map_err(|_| damaged("table"))?;
        Ok((Self { map, path: path.to_owned(), table_xxh3 }, table))
    }

    /// The numbers of a section whose place was checked.
    pub(crate) fn numbers<T: bytemuck::AnyBitPattern>(&self, section: Section) -> &[T] {
        bytemuck::cast_slice(&self.map[section.start as usize..][..section.bytes as usize])
    }

    /// Holds a section's place against the file and its bytes against `expected`.
    pub(crate) fn check(&self, section: Section, expected: Option<usize>, part: &'static str) -> Result<()> {
        let end = section.start.checked_add(section.bytes);
        let inside = end.is_some_and(|end| end <= self.map.len() as u64) && section.start.is_multiple_of(HEAD as u64);
        let empty = section == Section::default() && expected == Some(0);
        if (inside || empty) && expected == Some(section.bytes as usize) {
            return Ok(());
        }
        Err(self.damaged(part))
    }

    /// Reads every byte of `sections` and holds it against the checksums written.
    pub(crate) fn verify(&self, sections: &[(Section, &'static str)]) -> Result<()> {
        sections.par_iter().try_for_each(|(section, part)| match xxh3_64(self.numbers(*section)) == section.xxh3 {
            true => Ok(()),
            false if section.bytes == 0 => Ok(()),
            false => Err(self.damaged(part)),
        })
    }

    /// The error of a part that is not what was written.
    pub(crate) fn damaged(&self, part: &str) -> Error {
        Error::IndexDamaged { path: self.path.clone(), part: part.to_owned() }
    }
}
