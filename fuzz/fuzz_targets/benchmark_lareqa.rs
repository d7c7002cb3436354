//! LAReQA's folder.
#![no_main]

mod folder;

use folder::Folder;
use isogloss_ir::protocol::lareqa;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = Folder::new();
    folder.write("en.json", bytes);
    let _ = lareqa::read(folder.path());
});
