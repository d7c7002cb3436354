//! The 64 bytes every vectors and ids file begins with.

use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

use crate::{Error, FORMAT_VERSION, Result};

/// Bytes of a header; the payload that follows is thereby aligned for any type.
pub(crate) const HEADER_BYTES: usize = 64;

/// Which of the two kinds of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Vectors,
    Ids,
}

impl Kind {
    fn magic(self) -> &'static [u8; 8] {
        match self {
            Kind::Vectors => b"ISOGVECS",
            Kind::Ids => b"ISOG_IDS",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Vectors => "a shard of vectors",
            Kind::Ids => "a file of ids",
        }
    }
}

/// What a header says, besides magic and version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// [`Dtype::code`](crate::Dtype); 0 in a file of ids.
    pub(crate) dtype: u32,
    /// Length of a row; 0 in a file of ids.
    pub(crate) dim: u32,
    pub(crate) rows: u32,
    pub(crate) payload_bytes: u64,
    pub(crate) payload_xxh3: u64,
    /// Of the payload of the ids file that belongs to this shard; 0 in a file of ids.
    pub(crate) ids_xxh3: u64,
    /// Of all ids and texts that were encoded, each with its length; 0 in a file of ids.
    pub(crate) texts_xxh3: u64,
}

impl Header {
    /// Little-endian, in the order of docs/decisions/0004-file-formats.md, its own checksum last.
    pub(crate) fn to_bytes(self, kind: Kind) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(kind.magic());
        for (slot, word) in [FORMAT_VERSION, self.dtype, self.dim, self.rows].into_iter().enumerate() {
            bytes[8 + 4 * slot..][..4].copy_from_slice(&word.to_le_bytes());
        }
        let long = [self.payload_bytes, self.payload_xxh3, self.ids_xxh3, self.texts_xxh3];
        for (slot, word) in long.into_iter().enumerate() {
            bytes[24 + 8 * slot..][..8].copy_from_slice(&word.to_le_bytes());
        }
        let checksum = xxh3_64(&bytes[..56]);
        bytes[56..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads the header of `file`, and holds the file's length against it.
    pub(crate) fn from_file(file: &[u8], kind: Kind, path: &Path) -> Result<Self> {
        let magic = &file[..file.len().min(8)];
        if !kind.magic().starts_with(magic) {
            return Err(Error::Magic { path: path.to_owned(), kind: kind.name(), got: magic.to_vec() });
        }
        if file.len() < HEADER_BYTES {
            let (expected, got) = (HEADER_BYTES as u64, file.len() as u64);
            return Err(Error::Length { path: path.to_owned(), expected, got });
        }
        check_head(file, path)?;
        let header = Self::parse(file);
        let expected = header.payload_bytes.saturating_add(HEADER_BYTES as u64);
        if expected != file.len() as u64 {
            return Err(Error::Length { path: path.to_owned(), expected, got: file.len() as u64 });
        }
        Ok(header)
    }

    fn parse(bytes: &[u8]) -> Self {
        Self {
            dtype: word(bytes, 12),
            dim: word(bytes, 16),
            rows: word(bytes, 20),
            payload_bytes: long(bytes, 24),
            payload_xxh3: long(bytes, 32),
            ids_xxh3: long(bytes, 40),
            texts_xxh3: long(bytes, 48),
        }
    }
}

/// The version, then the header's own checksum.
fn check_head(file: &[u8], path: &Path) -> Result<()> {
    let version = word(file, 8);
    if version != FORMAT_VERSION {
        return Err(Error::Version { path: path.to_owned(), expected: FORMAT_VERSION, got: version });
    }
    let (expected, got) = (long(file, 56), xxh3_64(&file[..56]));
    if expected != got {
        return Err(Error::Checksum { path: path.to_owned(), part: "header", expected, got });
    }
    Ok(())
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("4 bytes"))
}

fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"))
}

/// Fails where `payload` is not the one the header was written for.
pub(crate) fn check_payload(payload: &[u8], header: &Header, path: &Path) -> Result<()> {
    let (expected, got) = (header.payload_xxh3, xxh3_64(payload));
    if expected != got {
        return Err(Error::Checksum { path: path.to_owned(), part: "payload", expected, got });
    }
    Ok(())
}
