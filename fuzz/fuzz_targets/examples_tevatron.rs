//! Examples read as Tevatron.
#![no_main]

use isogloss_ir::{ExampleOptions, Format, read_examples};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let options = ExampleOptions { format: Some(Format::Tevatron), ..ExampleOptions::default() };
    let _ = read_examples(bytes, "x", &options);
});
