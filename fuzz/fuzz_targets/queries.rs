//! Query files of every format.
#![no_main]

use isogloss_ir::{Queries, ReadOptions};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for name in ["x", "x.txt", "x.csv"] {
        if let Ok(queries) = Queries::read_from(bytes, name, &ReadOptions::default()) {
            queries.for_each(drop);
        }
    }
});
