//! NTREX.
#![no_main]

mod folder;

use folder::Folder;
use isogloss_ir::protocol::ntrex;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = Folder::new();
    let file = folder.write("ntrex.tsv", bytes);
    let _ = ntrex::read(&file);
});
