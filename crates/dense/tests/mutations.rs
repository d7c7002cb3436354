//! Damaged stores, graphs, attributes and arrays: an error that names the file or a result, never a panic, with checksums that hold as well.

#[path = "../../../tests/mutate.rs"]
mod mutate;

use isogloss_dense::{
    Attributes, Hnsw, HnswOptions, Index, NpyFile, Result, Scalar, VectorFile, VectorStore, Vectors, build_hnsw,
    delete_rows, deleted_rows, import_vectors, write_attributes,
};
use mutate::{Random, replace, times};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

const ROWS: usize = 90;
const DIM: usize = 6;

/// An array of numbers, in part alike.
fn npy() -> Vec<u8> {
    let header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({ROWS}, {DIM}), }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    let number = |i: usize| ((i / DIM % 70 + 1) * (i % DIM + 3) * 37 % 101) as f32 / 101.0;
    bytes.extend((0..ROWS * DIM).flat_map(|i| number(i).to_le_bytes()));
    bytes
}

/// A store with a graph, deleted rows and attributes; its files.
fn store(folder: &Path, scalar: Scalar) -> BTreeMap<PathBuf, Vec<u8>> {
    std::fs::write(folder.join("x.npy"), npy()).unwrap();
    let ids: Vec<String> = (0..ROWS).map(|row| format!("d{row}é")).collect();
    let place = folder.join("store");
    import_vectors(&VectorFile::open(&folder.join("x.npy"), None).unwrap(), &ids, "x.npy", &place).unwrap();
    let open = || Arc::new(VectorStore::open(&place).unwrap());
    let options = HnswOptions { m: 3, ef_construction: 10, scalar, ..HnswOptions::default() };
    build_hnsw(&open(), &options, false, |_| ()).unwrap();
    delete_rows(&open(), &ids[2..5]).unwrap();
    let record = |id: &String| Ok((id.clone(), vec![("lang".to_owned(), "sw".to_owned())]));
    write_attributes::<isogloss_dense::Error>(&open(), ids[..9].iter().map(record)).unwrap();
    use_it(&place).unwrap();
    let files = std::fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().path());
    files.filter(|path| path.is_file()).map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// Everything that reads the files of a folder.
fn use_it(place: &Path) -> Result<()> {
    let store = Arc::new(VectorStore::open(place)?);
    let _ = store.verify();
    for row in 0..store.rows() {
        let _ = (store.id(row).len(), store.row(row).len());
    }
    let query = Vectors::new(store.dim(), vec![0.3; store.dim()])?;
    let deleted = deleted_rows(&store).map(drop);
    let attributes = Attributes::open(&store);
    let chosen = attributes.and_then(|found| found.among(&[("lang".to_owned(), "sw".to_owned())]).map(drop));
    let index = Hnsw::open(store)?;
    for ef in [1, 40] {
        let index = Hnsw::open(Arc::new(VectorStore::open(place)?))?.with_ef(ef);
        assert!(index.search(query.view(), 5).iter().all(|hits| hits.len() <= 5));
    }
    let _ = index.verify();
    deleted.and(chosen)
}

/// Changes a file, in three cases of four with checksums of its own and of the manifests that hold.
fn damage(random: &mut Random, path: &Path, files: &BTreeMap<PathBuf, Vec<u8>>) {
    let whole = &files[path];
    let mut bytes = whole.clone();
    let name = path.file_name().unwrap().to_str().unwrap();
    let sectioned = [&b"ISOGHNSW"[..], b"ISOG_DEL", b"ISOGATTR"].iter().any(|magic| whole.starts_with(magic));
    let (from, to) = if sectioned { (64, word(whole, 16)) } else { (8.min(whole.len()), whole.len()) };
    match random.below(4) {
        0 => {
            random.mutate(&mut bytes, &[]);
            return replace(path, &bytes);
        }
        1 if sectioned => {
            let mut table = bytes.split_off(to);
            let end = table.len();
            match random.below(2) {
                0 => random.mutate(&mut table, &[]),
                _ => random.mutate_numbers(&mut table, 0, end),
            }
            bytes.extend(table);
        }
        _ => (0..=random.below(3)).for_each(|_| random.mutate_numbers(&mut bytes, from, to)),
    }
    let mut renamed = Vec::new();
    if sectioned {
        let (length, sum) = ((bytes.len() - to) as u64, xxh3_64(&bytes[to..]));
        renamed.push((word(&bytes, 32) as u64, sum));
        bytes[24..32].copy_from_slice(&length.to_le_bytes());
        bytes[32..40].copy_from_slice(&sum.to_le_bytes());
        let head = xxh3_64(&bytes[..40]);
        bytes[40..48].copy_from_slice(&head.to_le_bytes());
    } else if name.ends_with(".iso") && bytes.len() >= 64 {
        let sum = xxh3_64(&bytes[64..]);
        renamed.push((word(&bytes, 32) as u64, sum));
        bytes[32..40].copy_from_slice(&sum.to_le_bytes());
        let head = xxh3_64(&bytes[..56]);
        bytes[56..64].copy_from_slice(&head.to_le_bytes());
    }
    replace(path, &bytes);
    for (other, text) in
        files.iter().filter(|(other, _)| other.extension().is_some_and(|end| end == "json") && *other != path)
    {
        let mut text = String::from_utf8(text.clone()).unwrap();
        for (was, now) in &renamed {
            text = text.replace(&format!("{was:016x}"), &format!("{now:016x}"));
        }
        replace(other, text.as_bytes());
    }
}

fn word(bytes: &[u8], at: usize) -> usize {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()) as usize
}

#[test]
fn damaged_stores_and_graphs_never_panic() {
    let mut random = Random(31);
    for scalar in [Scalar::Int8, Scalar::F16, Scalar::Binary] {
        let folder = tempfile::tempdir().unwrap();
        let files = store(folder.path(), scalar);
        assert!(files.len() >= 7, "{:?}", files.keys());
        let mut refused = 0;
        let rounds = 60 * times();
        for path in files.keys() {
            for _ in 0..rounds {
                files.iter().for_each(|(path, bytes)| replace(path, bytes));
                damage(&mut random, path, &files);
                if let Err(error) = use_it(&folder.path().join("store")) {
                    let told = error.to_string();
                    assert!(told.contains("store") || told.contains("must be"), "{}: {told}", path.display());
                    refused += 1;
                }
            }
        }
        assert!(refused > rounds * files.len() / 4, "{refused} of {}", rounds * files.len());
    }
}

#[test]
fn damaged_arrays_never_panic() {
    let folder = tempfile::tempdir().unwrap();
    let (path, whole, mut random) = (folder.path().join("x.npy"), npy(), Random(32));
    for _ in 0..2000 * times() {
        let mut bytes = whole.clone();
        for _ in 0..=random.below(3) {
            let end = bytes.len().min(90);
            match random.below(2) {
                0 => random.mutate_numbers(&mut bytes, 0, end),
                _ => {
                    let mut head = bytes[..end].to_vec();
                    random.mutate(&mut head, &[]);
                    bytes.splice(..end, head);
                }
            }
        }
        replace(&path, &bytes);
        if let Err(error) = NpyFile::open(&path).and_then(|file| VectorFile::Npy(file).read().map(drop)) {
            assert!(error.to_string().contains("x.npy"), "{error}");
        }
    }
}
