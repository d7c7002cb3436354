//! The ids that belong to a shard's rows.

use std::path::{Path, PathBuf};

use memmap2::Mmap;
use xxhash_rust::xxh3::xxh3_64;

use crate::atomic_file::AtomicFile;
use crate::header::{HEADER_BYTES, Header, Kind, check_payload};
use crate::shard::map_file;
use crate::{Error, Result};

/// Names the rows of an index.
pub trait RowIds: Send + Sync {
    /// Number of rows.
    fn rows(&self) -> usize;

    /// The id of `row`.
    ///
    /// # Panics
    /// Where there is no such row.
    fn id(&self, row: usize) -> &str;
}

impl RowIds for Vec<String> {
    fn rows(&self) -> usize {
        self.len()
    }

    fn id(&self, row: usize) -> &str {
        &self[row]
    }
}

/// One file of ids: `rows + 1` offsets (u32), then all ids as UTF-8 without separators.
#[derive(Debug)]
pub struct Ids {
    map: Mmap,
    header: Header,
    path: PathBuf,
}

impl Ids {
    /// Opens `path` and checks everything in it: header, checksum, offsets, UTF-8.
    pub fn open(path: &Path) -> Result<Self> {
        let map = map_file(path)?;
        let header = Header::from_file(&map, Kind::Ids, path)?;
        let ids = Self { map, header, path: path.to_owned() };
        check_payload(ids.payload(), &header, path)?;
        ids.check_offsets()?;
        Ok(ids)
    }

    /// Number of ids.
    pub fn len(&self) -> usize {
        self.header.rows as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.header.rows == 0
    }

    /// The id of `row`.
    ///
    /// # Panics
    /// Where there is no such row.
    pub fn get(&self, row: usize) -> &str {
        let offsets = self.offsets();
        let (start, end) = (offsets[row] as usize, offsets[row + 1] as usize);
        std::str::from_utf8(&self.text()[start..end]).expect("checked when opened")
    }

    /// The checksum that the shard of vectors repeats.
    pub(crate) fn payload_xxh3(&self) -> u64 {
        self.header.payload_xxh3
    }

    fn payload(&self) -> &[u8] {
        &self.map[HEADER_BYTES..]
    }

    fn offsets(&self) -> &[u32] {
        bytemuck::cast_slice(&self.payload()[..4 * (self.len() + 1)])
    }

    fn text(&self) -> &[u8] {
        &self.payload()[4 * (self.len() + 1)..]
    }

    fn check_offsets(&self) -> Result<()> {
        let bad = |key, got: String| Error::Field { path: self.path.clone(), key, got };
        let table = 4 * (self.len() as u64 + 1);
        if table > self.payload().len() as u64 {
            return Err(bad("the number of ids", self.len().to_string()));
        }
        let offsets = self.offsets();
        let ordered = offsets[0] == 0 && offsets.is_sorted();
        if !ordered || offsets[self.len()] as usize != self.text().len() {
            return Err(bad("the table of offsets", "out of order".to_owned()));
        }
        let text = std::str::from_utf8(self.text()).map_err(|e| bad("the text of the ids", e.to_string()))?;
        match offsets.iter().find(|&&at| !text.is_char_boundary(at as usize)) {
            Some(at) => Err(bad("an offset", format!("{at}, inside a character"))),
            None => Ok(()),
        }
    }
}

/// Collects the ids of a shard, then writes them.
#[derive(Debug)]
pub(crate) struct IdsWriter {
    offsets: Vec<u32>,
    text: String,
}

impl IdsWriter {
    pub(crate) fn new() -> Self {
        Self { offsets: vec![0], text: String::new() }
    }

    /// Adds the next id.
    pub(crate) fn push(&mut self, id: &str) -> Result<()> {
        self.text.push_str(id);
        let got = self.text.len() as u64;
        let end = u32::try_from(got).map_err(|_| Error::Option {
            key: "bytes of ids in one shard",
            got,
            range: "less than 4 GiB; lower rows_per_shard",
        })?;
        self.offsets.push(end);
        Ok(())
    }

    /// Writes the file and returns the checksum of its payload.
    pub(crate) fn write(self, path: &Path) -> Result<u64> {
        let mut payload = bytemuck::cast_slice(&self.offsets).to_vec();
        payload.extend_from_slice(self.text.as_bytes());
        let payload_xxh3 = xxh3_64(&payload);
        let header = Header {
            dtype: 0,
            dim: 0,
            rows: (self.offsets.len() - 1) as u32,
            payload_bytes: payload.len() as u64,
            payload_xxh3,
            ids_xxh3: 0,
            texts_xxh3: 0,
        };
        let mut file = AtomicFile::create(path)?;
        file.write(&header.to_bytes(Kind::Ids))?;
        file.write(&payload)?;
        file.commit()?;
        Ok(payload_xxh3)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn any_ids_round_trip(ids in proptest::collection::vec(".{0,12}", 0..20)) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("ids");
            let mut writer = IdsWriter::new();
            for id in &ids {
                writer.push(id).unwrap();
            }
            writer.write(&path).unwrap();
            let read = Ids::open(&path).unwrap();
            prop_assert_eq!((0..read.len()).map(|i| read.get(i).to_owned()).collect::<Vec<_>>(), ids);
        }
    }

    #[test]
    fn an_offset_inside_a_character_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ids");
        let writer = IdsWriter { offsets: vec![0, 1, 2], text: "é".to_owned() };
        writer.write(&path).unwrap();
        assert!(Ids::open(&path).unwrap_err().to_string().contains("inside a character"));
    }
}
