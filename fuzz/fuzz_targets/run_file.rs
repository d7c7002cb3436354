//! Run files of training.
#![no_main]

mod folder;

use folder::Folder;
use isogloss_train::RunConfig;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = Folder::new();
    let file = folder.write("run.toml", bytes);
    let _ = RunConfig::read(&file);
});
