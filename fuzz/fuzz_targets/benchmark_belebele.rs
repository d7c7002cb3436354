//! Belebele's folder.
#![no_main]

mod folder;

use folder::Folder;
use isogloss_ir::protocol::belebele;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = Folder::new();
    folder.write("fi.jsonl", bytes);
    let _ = belebele::read(folder.path());
});
