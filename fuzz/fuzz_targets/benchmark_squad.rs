//! SQuAD, as the benchmarks read it.
#![no_main]

mod folder;

use folder::Folder;
use isogloss_ir::protocol::squad;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = Folder::new();
    let file = folder.write("en.json", bytes);
    let _ = squad::read(&file, None);
});
