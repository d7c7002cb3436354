//! MKQA.
#![no_main]

mod folder;

use folder::Folder;
use isogloss_ir::protocol::mkqa;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = Folder::new();
    let file = folder.write("mkqa.jsonl", bytes);
    let _ = mkqa::read(&file, &[]);
});
