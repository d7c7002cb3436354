//! One file of vectors, memory-mapped.

use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use xxhash_rust::xxh3::Xxh3;

use crate::atomic_file::AtomicFile;
use crate::dtype::{push_f16, push_int8, widen_f16, widen_int8};
use crate::header::{HEADER_BYTES, Header, Kind, check_payload};
use crate::{Dtype, Error, Result};

#[cfg(target_endian = "big")]
compile_error!("shards are little-endian and mapped as they are");

/// Maps a whole file for reading.
pub(crate) fn map_file(path: &Path) -> Result<Mmap> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    // SAFETY: the map is read-only, and finished files are only ever replaced by rename, never written in place,
    // so no byte under the map changes unless another program overwrites our data.
    unsafe { Mmap::map(&file) }.map_err(Error::io("map", path))
}

/// A finished shard, open for reading.
#[derive(Debug)]
pub struct Shard {
    map: Mmap,
    header: Header,
    dtype: Dtype,
    path: PathBuf,
}

impl Shard {
    /// Opens `path` and checks its header and its length; [`Shard::verify`] checks the rest.
    pub fn open(path: &Path) -> Result<Self> {
        let map = map_file(path)?;
        let header = Header::from_file(&map, Kind::Vectors, path)?;
        let bad = |key, got: u64| Error::Field { path: path.to_owned(), key, got: got.to_string() };
        let dtype = Dtype::from_code(header.dtype).ok_or_else(|| bad("dtype", header.dtype.into()))?;
        let layout = dtype.payload_layout(header.rows.into(), header.dim.into());
        if header.dim == 0 || layout.map(|(_, all)| all) != Some(header.payload_bytes) {
            return Err(bad("the payload's length", header.payload_bytes));
        }
        Ok(Self { map, header, dtype, path: path.to_owned() })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.header.rows as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.header.rows == 0
    }

    /// Length of a row.
    pub fn dim(&self) -> usize {
        self.header.dim as usize
    }

    /// The stored type.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Reads every byte and holds it against the checksum written.
    pub fn verify(&self) -> Result<()> {
        check_payload(self.payload(), &self.header, &self.path)
    }

    /// Rows `start..end` as f32: the map itself where it holds f32, else widened into `scratch`.
    ///
    /// # Panics
    /// Where there are no such rows.
    pub fn rows<'a>(&'a self, start: usize, end: usize, scratch: &'a mut Vec<f32>) -> &'a [f32] {
        let (from, to) = (start * self.dim(), end * self.dim());
        if self.dtype == Dtype::F32 {
            return &bytemuck::cast_slice(self.payload())[from..to];
        }
        scratch.resize(to - from, 0.0);
        match self.dtype {
            Dtype::F16 => widen_f16(&bytemuck::cast_slice(self.payload())[from..to], scratch),
            _ => widen_int8(
                &bytemuck::cast_slice(self.payload())[from..to],
                &self.scales()[start..end],
                self.dim(),
                scratch,
            ),
        }
        scratch
    }

    pub(crate) fn header(&self) -> &Header {
        &self.header
    }

    fn payload(&self) -> &[u8] {
        &self.map[HEADER_BYTES..]
    }

    fn scales(&self) -> &[f32] {
        let layout = self.dtype.payload_layout(self.header.rows.into(), self.header.dim.into());
        let (start, end) = layout.expect("checked when opened");
        bytemuck::cast_slice(&self.payload()[start as usize..end as usize])
    }
}

/// Writes a shard row by row; memory: one row and one scale a row.
pub(crate) struct ShardWriter {
    file: AtomicFile,
    dtype: Dtype,
    dim: usize,
    rows: u32,
    written: u64,
    hash: Xxh3,
    scales: Vec<f32>,
    bytes: Vec<u8>,
}

impl ShardWriter {
    pub(crate) fn create(path: &Path, dtype: Dtype, dim: usize) -> Result<Self> {
        let mut file = AtomicFile::create(path)?;
        file.write(&[0; HEADER_BYTES])?;
        let (scales, bytes) = (Vec::new(), Vec::new());
        Ok(Self { file, dtype, dim, rows: 0, written: 0, hash: Xxh3::new(), scales, bytes })
    }

    /// Adds one row of `dim` finite numbers.
    pub(crate) fn push(&mut self, row: &[f32]) -> Result<()> {
        debug_assert_eq!(row.len(), self.dim);
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        match self.dtype {
            Dtype::F32 => bytes.extend_from_slice(bytemuck::cast_slice(row)),
            Dtype::F16 => push_f16(row, &mut bytes),
            Dtype::Int8 => self.scales.push(push_int8(row, &mut bytes)),
        }
        self.rows += 1;
        self.append(&bytes)?;
        self.bytes = bytes;
        Ok(())
    }

    /// Ends the shard: from here on it exists.
    pub(crate) fn commit(mut self, ids_xxh3: u64, texts_xxh3: u64) -> Result<()> {
        if self.dtype == Dtype::Int8 {
            let padding = self.written.next_multiple_of(4) - self.written;
            self.append(&[0; 3][..padding as usize])?;
            let scales = std::mem::take(&mut self.scales);
            self.append(bytemuck::cast_slice(&scales))?;
        }
        let header = Header {
            dtype: self.dtype.code(),
            dim: self.dim as u32,
            rows: self.rows,
            payload_bytes: self.written,
            payload_xxh3: self.hash.digest(),
            ids_xxh3,
            texts_xxh3,
        };
        self.file.commit_with_head(&header.to_bytes(Kind::Vectors))
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.hash.update(bytes);
        self.written += bytes.len() as u64;
        self.file.write(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(dtype: Dtype, rows: &[[f32; 3]]) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("vectors-00000.iso");
        let mut writer = ShardWriter::create(&path, dtype, 3).unwrap();
        for row in rows {
            writer.push(row).unwrap();
        }
        writer.commit(1, 2).unwrap();
        (dir, path)
    }

    const ROWS: [[f32; 3]; 3] = [[1.0, -2.0, 0.5], [0.0, 0.0, 0.0], [127.0, -127.0, 64.0]];

    #[test]
    fn every_dtype_round_trips() {
        for dtype in [Dtype::F32, Dtype::F16, Dtype::Int8] {
            let (_dir, path) = written(dtype, &ROWS);
            let shard = Shard::open(&path).unwrap();
            shard.verify().unwrap();
            assert_eq!((shard.len(), shard.dim(), shard.dtype()), (3, 3, dtype));
            let mut scratch = Vec::new();
            let close = |got: &[f32], want: &[f32]| got.iter().zip(want).all(|(a, b)| (a - b).abs() <= 0.008);
            assert!(close(shard.rows(0, 3, &mut scratch), &ROWS.concat()), "{dtype}");
            assert!(close(shard.rows(2, 3, &mut scratch), &ROWS[2]), "{dtype}");
        }
    }

    #[test]
    fn a_file_cut_short_says_by_how_much() {
        let (_dir, path) = written(Dtype::F32, &ROWS);
        let bytes = std::fs::read(&path).unwrap();
        for keep in [0, 5, 63, 64, 99] {
            std::fs::write(&path, &bytes[..keep]).unwrap();
            let error = Shard::open(&path).unwrap_err().to_string();
            let expected = if keep < 64 { 64 } else { 100 };
            assert!(error.contains(&format!("{expected} bytes expected, {keep} found")), "{error}");
            assert!(error.contains("vectors-00000.iso") && error.contains("delete it"), "{error}");
        }
    }

    #[test]
    fn any_flipped_byte_is_found() {
        let (_dir, path) = written(Dtype::Int8, &ROWS);
        let bytes = std::fs::read(&path).unwrap();
        for at in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken[at] ^= 0x10;
            std::fs::write(&path, &broken).unwrap();
            let found = Shard::open(&path).and_then(|s| s.verify());
            assert!(found.is_err(), "byte {at}");
        }
    }

    #[test]
    fn another_kind_of_file_is_refused() {
        let (_dir, path) = written(Dtype::F32, &ROWS);
        std::fs::write(&path, b"\x93NUMPY\x01\x00 and so on, long enough for a header, but it is not one of ours")
            .unwrap();
        let error = Shard::open(&path).unwrap_err().to_string();
        assert!(error.contains("not a shard of vectors"), "{error}");
        assert!(crate::Ids::open(&path).unwrap_err().to_string().contains("not a file of ids"));
    }
}
