//! Examples of a format told from the file.
#![no_main]

use isogloss_ir::{ExampleOptions, read_examples};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = read_examples(bytes, "x", &ExampleOptions::default());
});
