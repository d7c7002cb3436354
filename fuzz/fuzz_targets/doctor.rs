//! What `doctor` examines.
#![no_main]

mod folder;

use folder::Folder;
use isogloss_ir::doctor::{Input, Options, examine};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = Folder::new();
    let input = Input { path: folder.write("x", bytes), ..Input::default() };
    let _ = examine(&[input], &Options::default(), &mut |_, _| {});
});
