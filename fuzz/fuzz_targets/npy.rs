//! Arrays of NumPy. Parquet files are left to the seeded tests: the crate that reads them panics on some damage, which is caught, but the fuzzer stops at every panic.
#![no_main]

mod folder;

use folder::Folder;
use isogloss_dense::VectorFile;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if !bytes.starts_with(b"PAR1") {
        let folder = Folder::new();
        let path = folder.write("x.npy", bytes);
        let _ = VectorFile::open(&path, None).and_then(|file| file.read());
    }
});
