//! Weights of a fusion.
#![no_main]

mod folder;

use folder::Folder;
use isogloss_ir::fusion::Weights;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = Folder::new();
    let file = folder.write("weights.json", bytes);
    let _ = Weights::read(&file);
});
