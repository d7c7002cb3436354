//! A directory of vectors with a graph, attributes and deleted rows: bytes laid over one of its files, chosen by the first, with checksums that hold.
#![no_main]

mod folder;
mod seal;

use folder::Folder;
use isogloss_dense::{
    Attributes, Hnsw, HnswOptions, Index, VectorFile, VectorStore, Vectors, build_hnsw, delete_rows, deleted_rows,
    import_vectors, write_attributes,
};
use libfuzzer_sys::fuzz_target;
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

/// The files of a good directory.
static WHOLE: LazyLock<BTreeMap<String, Vec<u8>>> = LazyLock::new(|| {
    let folder = Folder::new();
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (40, 3), }\n";
    let mut npy = b"\x93NUMPY\x01\x00".to_vec();
    npy.extend((header.len() as u16).to_le_bytes());
    npy.extend(header.as_bytes());
    npy.extend((0..120).flat_map(|i| ((i * 37 % 101) as f32 / 101.0).to_le_bytes()));
    let (file, place) = (folder.write("x.npy", &npy), folder.path().join("v"));
    let ids: Vec<String> = (0..40).map(|row| format!("d{row}")).collect();
    import_vectors(&VectorFile::open(&file, None).expect("good"), &ids, "x.npy", &place).expect("written");
    let open = || Arc::new(VectorStore::open(&place).expect("good"));
    let options = HnswOptions { m: 3, ef_construction: 8, ..HnswOptions::default() };
    build_hnsw(&open(), &options, false, |_| ()).expect("built");
    delete_rows(&open(), &ids[..2]).expect("there");
    let record = |id: &String| Ok((id.clone(), vec![("lang".to_owned(), "sw".to_owned())]));
    write_attributes::<isogloss_dense::Error>(&open(), ids[..9].iter().map(record)).expect("written");
    let files = std::fs::read_dir(&place).expect("there").map(|entry| entry.expect("readable").path());
    let named = |path: std::path::PathBuf| {
        let name = path.file_name().expect("a file").to_string_lossy().into_owned();
        (name, std::fs::read(path).expect("readable"))
    };
    files.filter(|path| path.is_file()).map(named).collect()
});

fuzz_target!(|bytes: &[u8]| {
    let Some((chosen, bytes)) = bytes.split_first() else { return };
    let folder = Folder::new();
    for (at, (name, whole)) in WHOLE.iter().enumerate() {
        let damaged = at == usize::from(*chosen) % WHOLE.len();
        folder.write(name, &if damaged { seal::laid_over(whole, bytes) } else { whole.clone() });
    }
    let Ok(store) = VectorStore::open(folder.path()) else { return };
    let _ = store.verify();
    (0..store.rows()).for_each(|row| drop((store.id(row).len(), store.row(row))));
    let _ = deleted_rows(&store);
    let _ = Attributes::open(&store).map(|found| found.among(&[("lang".to_owned(), "sw".to_owned())]));
    let Ok(query) = Vectors::new(store.dim(), vec![0.5; store.dim()]) else { return };
    if let Ok(index) = Hnsw::open(Arc::new(store)) {
        let _ = index.search(query.view(), 5);
        let _ = index.verify();
    }
});
