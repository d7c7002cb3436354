//! Corpora of every format.
#![no_main]

use isogloss_ir::{Docs, ReadOptions};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for name in ["x", "x.txt", "x.csv"] {
        if let Ok(docs) = Docs::read_from(bytes, name, &ReadOptions::default()) {
            docs.for_each(drop);
        }
    }
});
