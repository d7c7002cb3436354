//! Vectors that NumPy or another tool wrote: `.npy` files of f32 or f16 in rows.

use std::path::{Path, PathBuf};

use half::f16;
use memmap2::Mmap;

use crate::shard::map_file;
use crate::{Dtype, Error, Result};

/// Rows of numbers in a file of NumPy's format, versions 1 to 3, memory-mapped.
#[derive(Debug)]
pub struct NpyFile {
    map: Mmap,
    path: PathBuf,
    /// Where the numbers begin.
    start: usize,
    rows: usize,
    dim: usize,
    dtype: Dtype,
}

impl NpyFile {
    /// Opens `path` and holds its header against its length.
    ///
    /// # Errors
    /// It is no such file, or of other numbers than little-endian f32 or f16, or not of rows one after the other, or cut short.
    pub fn open(path: &Path) -> Result<Self> {
        let map = map_file(path)?;
        let bad = |problem: String| Error::VectorFile { path: path.to_owned(), problem };
        let (header, start) = header(&map).map_err(bad)?;
        let (dtype, rows, dim) = parse(header).map_err(bad)?;
        let file = Self { map, path: path.to_owned(), start, rows, dim, dtype };
        let expected =
            rows.checked_mul(dim).and_then(|n| n.checked_mul(dtype.bytes())).and_then(|n| n.checked_add(start));
        match expected == Some(file.map.len()) {
            true => Ok(file),
            false => {
                Err(bad(format!("{rows} rows of {dim} do not fit its {} bytes; it was cut short", file.map.len())))
            }
        }
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Length of a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// f32 or f16.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Row `row`, in place of what is in `out`.
    ///
    /// # Errors
    /// A number that is not finite.
    ///
    /// # Panics
    /// Where there is no such row.
    pub fn row(&self, row: usize, out: &mut Vec<f32>) -> Result<()> {
        let bytes = self.dim * self.dtype.bytes();
        let stored = &self.map[self.start..][row * bytes..(row + 1) * bytes];
        out.clear();
        match self.dtype {
            Dtype::F16 => out.extend(stored.chunks_exact(2).map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32())),
            _ => out.extend(stored.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))),
        }
        match out.iter().position(|x| !x.is_finite()) {
            None => Ok(()),
            Some(at) => {
                let problem = format!("row {row} holds {} at component {at}; make it finite", out[at]);
                Err(Error::VectorFile { path: self.path.clone(), problem })
            }
        }
    }
}

/// The dictionary of the header, and where the numbers begin.
fn header(file: &[u8]) -> std::result::Result<(&str, usize), String> {
    let short = || "the header is cut short".to_owned();
    if !file.starts_with(b"\x93NUMPY") {
        return Err("is not in NumPy's format; write it with numpy.save".to_owned());
    }
    let version = *file.get(6).ok_or_else(short)?;
    let (from, length) = match version {
        1 => (10, file.get(8..10).map(|b| usize::from(u16::from_le_bytes([b[0], b[1]])))),
        2 | 3 => (12, file.get(8..12).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]) as usize)),
        _ => return Err(format!("has version {version} of NumPy's format; 1 to 3 are read here")),
    };
    let end = from + length.ok_or_else(short)?;
    let text = std::str::from_utf8(file.get(from..end).ok_or_else(short)?);
    Ok((text.map_err(|_| "the header is no text".to_owned())?, end))
}

/// Type, rows and their length.
fn parse(header: &str) -> std::result::Result<(Dtype, usize, usize), String> {
    let value = |key: &str| header.split_once(&format!("'{key}':")).map(|(_, rest)| rest.trim_start());
    let descr = value("descr").and_then(|rest| rest.strip_prefix('\'')?.split_once('\''));
    let dtype = match descr.map(|(name, _)| name) {
        Some("<f4") => Dtype::F32,
        Some("<f2") => Dtype::F16,
        Some(other) => return Err(format!("holds numbers of type {other}; save them as float32 or float16")),
        None => return Err("the header names no type".to_owned()),
    };
    if !value("fortran_order").is_some_and(|rest| rest.starts_with("False")) {
        return Err("is stored by columns; save numpy.ascontiguousarray of it".to_owned());
    }
    let shape = value("shape").and_then(|rest| rest.strip_prefix('(')?.split_once(')'));
    let shape = shape.ok_or("the header names no shape")?.0;
    let sizes: Vec<&str> = shape.split(',').map(str::trim).filter(|size| !size.is_empty()).collect();
    let sizes: std::result::Result<Vec<usize>, _> = sizes.into_iter().map(str::parse).collect();
    match sizes.as_deref() {
        Ok(&[rows, dim]) if dim > 0 => Ok((dtype, rows, dim)),
        _ => Err(format!("has the shape ({shape}); one vector a row is wanted")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{VectorFile, Vectors};

    fn npy(version: u8, dictionary: &str, numbers: &[u8]) -> Result<NpyFile> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.npy");
        let mut bytes = b"\x93NUMPY".to_vec();
        bytes.extend([version, 0]);
        match version {
            1 => bytes.extend((dictionary.len() as u16).to_le_bytes()),
            _ => bytes.extend((dictionary.len() as u32).to_le_bytes()),
        }
        bytes.extend(dictionary.as_bytes());
        bytes.extend(numbers);
        std::fs::write(&path, bytes).unwrap();
        NpyFile::open(&path)
    }

    #[test]
    fn both_types_and_all_versions_are_read() {
        let f4: Vec<u8> = [1f32, -2.0, 0.5, 3.0].iter().flat_map(|x| x.to_le_bytes()).collect();
        let f2: Vec<u8> = [1f32, -2.0, 0.5, 3.0].iter().flat_map(|x| f16::from_f32(*x).to_le_bytes()).collect();
        for version in 1..=3 {
            for (descr, numbers) in [("<f4", &f4), ("<f2", &f2)] {
                let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (2, 2), }}   \n");
                let file = npy(version, &header, numbers).unwrap();
                assert_eq!(VectorFile::Npy(file).read().unwrap(), Vectors::new(2, vec![1.0, -2.0, 0.5, 3.0]).unwrap());
            }
        }
    }

    #[test]
    fn what_cannot_be_read_says_why() {
        let said = |header: &str, numbers: &[u8]| match npy(1, header, numbers) {
            Ok(file) => VectorFile::Npy(file).read().unwrap_err().to_string(),
            Err(error) => error.to_string(),
        };
        let header = |descr: &str, order: &str, shape: &str| {
            format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({shape}), }}\n")
        };
        for (header, want) in [
            (header("<f8", "False", "1, 1"), "float32 or float16"),
            (header("<f4", "True", "1, 1"), "ascontiguousarray"),
            (header("<f4", "False", "1,"), "one vector a row"),
            (header("<f4", "False", "1, 0"), "one vector a row"),
            (header("<f4", "False", "2, 1"), "cut short"),
            (header("<f4", "False", "9223372036854775807, 9"), "cut short"),
            ("{}".to_owned(), "no type"),
            (header("<f4", "False", "1, 1"), "row 0 holds NaN"),
        ] {
            let error = said(&header, &f32::NAN.to_le_bytes());
            assert!(error.contains(want) && error.contains("x.npy"), "{error}");
        }
    }
}
