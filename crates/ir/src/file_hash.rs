//! Hashes of files, by which data are known again.

use crate::error::{Error, Result};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use xxhash_rust::xxh3::Xxh3;

/// Bytes that are held at once.
const BLOCK: usize = 1 << 20;

/// The XXH3 of a file, 32 hexadecimal digits.
///
/// # Errors
/// It cannot be read.
pub fn file_hash(path: impl AsRef<Path>) -> Result<String> {
    let path = path.as_ref();
    let mut file = File::open(path).map_err(|e| Error::io(path, e))?;
    let (mut hash, mut block) = (Xxh3::new(), vec![0; BLOCK]);
    loop {
        match file.read(&mut block).map_err(|e| Error::io(path, e))? {
            0 => return Ok(format!("{:032x}", hash.digest128())),
            n => hash.update(&block[..n]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_that_of_all_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let bytes: Vec<u8> = (0..BLOCK + 7).map(|i| (i * i) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        assert_eq!(file_hash(&path).unwrap(), format!("{:032x}", xxhash_rust::xxh3::xxh3_128(&bytes)));
        assert!(file_hash(folder.path().join("none")).unwrap_err().to_string().contains("none"));
    }
}
