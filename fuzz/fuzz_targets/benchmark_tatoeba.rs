//! Tatoeba.
#![no_main]

mod folder;

use folder::Folder;
use isogloss_ir::protocol::tatoeba;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = Folder::new();
    let file = folder.write("tatoeba.tsv", bytes);
    let _ = tatoeba::read(&file);
});
