//! What is known of rows besides their vectors, such as their language: searched rows can be chosen by it.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use isogloss_ir::lock_folder;
use serde::{Deserialize, Serialize};

use crate::sections::{Mapped, Section, Sections, Writer};
use crate::{Error, Result, ShardEntry, VectorStore};

/// The file's name, beside the shards.
const FILE: &str = "attributes.iso";

/// Values that a message names at most.
const NAMED: usize = 12;

#[derive(Debug, Serialize, Deserialize)]
struct Contents {
    /// The shards whose rows have attributes.
    shards: Vec<ShardEntry>,
    keys: Vec<Key>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Key {
    name: String,
    values: Vec<String>,
    /// For each row the place of its value, from 1; 0 where it has none (u32).
    rows: Section,
}

/// Stores keys and values of rows by their ids, in place of those there are; returns how many rows have some.
///
/// # Errors
/// An id that no row has; what `records` or the disk fails with; another process at work there.
pub fn write_attributes<E: From<Error>>(
    store: &VectorStore,
    records: impl IntoIterator<Item = std::result::Result<(String, Vec<(String, String)>), E>>,
) -> std::result::Result<usize, E> {
    let by_id: HashMap<&str, usize> = (0..store.rows()).map(|row| (store.id(row), row)).collect();
    let mut keys: BTreeMap<String, (Vec<u32>, HashMap<String, u32>)> = BTreeMap::new();
    let mut count = 0;
    for record in records {
        let (id, pairs) = record?;
        let unknown = || Error::UnknownId { path: store.directory().to_owned(), id: id.clone() };
        let row = *by_id.get(id.as_str()).ok_or_else(unknown)?;
        count += usize::from(!pairs.is_empty());
        for (key, value) in pairs {
            let (rows, values) = keys.entry(key).or_insert_with(|| (vec![0; store.rows()], HashMap::new()));
            let next = values.len() as u32 + 1;
            rows[row] = *values.entry(value).or_insert(next);
        }
    }
    Ok(write(store, keys).map(|()| count)?)
}

fn write(store: &VectorStore, keys: BTreeMap<String, (Vec<u32>, HashMap<String, u32>)>) -> Result<()> {
    let locked = store.directory().join(".lock");
    let lock = lock_folder(store.directory()).map_err(Error::io("lock", &locked))?;
    let _lock = lock.ok_or(Error::Locked { path: locked })?;
    let mut file = Writer::create(&store.directory().join(FILE), Sections::Attributes)?;
    let mut contents = Contents { shards: store.manifest().shards.clone(), keys: Vec::new() };
    for (name, (rows, values)) in keys {
        let mut values: Vec<(String, u32)> = values.into_iter().collect();
        values.sort_unstable_by_key(|(_, place)| *place);
        let values = values.into_iter().map(|(value, _)| value).collect();
        contents.keys.push(Key { name, values, rows: file.section(bytemuck::cast_slice(&rows))? });
    }
    file.finish(&contents)?;
    Ok(())
}

/// The attributes of a store's rows, mapped.
#[derive(Debug)]
pub struct Attributes {
    file: Mapped,
    keys: Vec<Key>,
    path: PathBuf,
    rows: usize,
}

impl Attributes {
    /// Opens the attributes beside the shards of `store`, every byte of them checked.
    ///
    /// # Errors
    /// There are none; they are damaged, or of other shards, or not of all of them.
    pub fn open(store: &VectorStore) -> Result<Self> {
        let path = store.directory().join(FILE);
        if !path.exists() {
            return Err(Error::NoAttributes { path });
        }
        let (file, contents): (Mapped, Contents) = Mapped::open(&path, Sections::Attributes)?;
        if contents.shards != store.manifest().shards {
            return Err(Error::IndexStale { path });
        }
        for key in &contents.keys {
            file.check(key.rows, store.rows().checked_mul(4), "attributes")?;
            file.verify(&[(key.rows, "attributes")])?;
        }
        Ok(Self { file, keys: contents.keys, path, rows: store.rows() })
    }

    /// Whether each row has, of every key named in `wanted`, one of the values that it names.
    ///
    /// # Errors
    /// A key or value that no row has.
    pub fn among(&self, wanted: &[(String, String)]) -> Result<Vec<bool>> {
        let mut among = vec![true; self.rows];
        let mut by_key: BTreeMap<&str, Vec<u32>> = BTreeMap::new();
        for (key, value) in wanted {
            by_key.entry(key).or_default().push(self.place(key, value)?);
        }
        for (key, places) in by_key {
            let rows: &[u32] = self.file.numbers(self.key(key).expect("found above").rows);
            among.iter_mut().zip(rows).for_each(|(among, place)| *among &= places.contains(place));
        }
        Ok(among)
    }

    fn key(&self, name: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    fn place(&self, key: &str, value: &str) -> Result<u32> {
        let found = self.key(key);
        let place = found.and_then(|found| found.values.iter().position(|known| known == value));
        let known = || match found {
            Some(found) => named(&found.values),
            None => named(&self.keys.iter().map(|key| key.name.clone()).collect::<Vec<_>>()),
        };
        let unknown = || {
            let (key, value) = (key.to_owned(), value.to_owned());
            Error::UnknownAttribute { path: self.path.clone(), key, value, known: known() }
        };
        place.map(|place| place as u32 + 1).ok_or_else(unknown)
    }
}

fn named(values: &[String]) -> String {
    let more = if values.len() > NAMED { ", …" } else { "" };
    values[..values.len().min(NAMED)].join(", ") + more
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{VectorFile, import_vectors};
    use std::path::Path;

    fn store(directory: &Path) -> VectorStore {
        let path = directory.join("x.npy");
        let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (4, 1), }\n";
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((header.len() as u16).to_le_bytes());
        bytes.extend(header.as_bytes());
        bytes.extend([1f32, 2.0, 3.0, 4.0].iter().flat_map(|x| x.to_le_bytes()));
        std::fs::write(&path, bytes).unwrap();
        let ids: Vec<String> = ["a", "b", "c", "d"].map(String::from).into();
        import_vectors(&VectorFile::open(&path, None).unwrap(), &ids, "x.npy", &directory.join("store")).unwrap();
        VectorStore::open(&directory.join("store")).unwrap()
    }

    fn record(id: &str, pairs: &[(&str, &str)]) -> Result<(String, Vec<(String, String)>)> {
        Ok((id.to_owned(), pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()))
    }

    #[test]
    fn rows_are_chosen_by_what_is_known_of_them() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        assert!(Attributes::open(&store).unwrap_err().to_string().contains("--attributes"));
        let records = [
            record("c", &[("lang", "sw"), ("year", "1999")]),
            record("a", &[("lang", "sw")]),
            record("b", &[]),
            record("d", &[("lang", "fi"), ("year", "1999")]),
        ];
        assert_eq!(write_attributes(&store, records).unwrap(), 3);
        let attributes = Attributes::open(&store).unwrap();
        let among = |wanted: &[(&str, &str)]| {
            attributes.among(&wanted.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect::<Vec<_>>())
        };
        assert_eq!(among(&[]).unwrap(), [true; 4]);
        assert_eq!(among(&[("lang", "sw")]).unwrap(), [true, false, true, false]);
        assert_eq!(among(&[("lang", "sw"), ("lang", "fi")]).unwrap(), [true, false, true, true]);
        assert_eq!(among(&[("lang", "sw"), ("year", "1999")]).unwrap(), [false, false, true, false]);
        assert!(among(&[("lang", "de")]).unwrap_err().to_string().contains("known: sw, fi"));
        assert!(among(&[("source", "x")]).unwrap_err().to_string().contains("known: lang, year"));
        let unknown = write_attributes(&store, [record("e", &[])]).unwrap_err().to_string();
        assert!(unknown.contains("\"e\""), "{unknown}");
    }

    #[test]
    fn damaged_attributes_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let store = store(dir.path());
        write_attributes(&store, [record("a", &[("lang", "sw")])]).unwrap();
        let path = store.directory().join(FILE);
        let bytes = std::fs::read(&path).unwrap();
        for (at, byte) in bytes.iter().enumerate().filter(|(_, byte)| **byte != 0) {
            let mut broken = bytes.clone();
            broken[at] ^= 0x41;
            std::fs::write(&path, &broken).unwrap();
            let error = Attributes::open(&store).unwrap_err().to_string();
            assert!(error.contains("attributes.iso"), "{at} {byte}: {error}");
        }
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
        assert!(Attributes::open(&store).unwrap_err().to_string().contains("bytes expected"));
    }
}
