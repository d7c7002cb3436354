//! Arrays of NumPy.
#![no_main]

mod folder;

use folder::Folder;
use isogloss_dense::{NpyFile, VectorFile};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = Folder::new();
    let file = folder.write("x.npy", bytes);
    let _ = NpyFile::open(&file).and_then(|array| VectorFile::Npy(array).read());
});
