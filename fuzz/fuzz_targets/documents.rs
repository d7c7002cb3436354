//! Whole documents.
#![no_main]

use isogloss_ir::format::documents::read_documents;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = read_documents(bytes, "x", None);
});
