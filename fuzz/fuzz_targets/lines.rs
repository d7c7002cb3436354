//! Plain and compressed lines.
#![no_main]

use isogloss_ir::reader::Lines;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for name in ["x", "x.gz", "x.zst"] {
        let Ok(mut lines) = Lines::from_reader(bytes, name) else { continue };
        let mut buf = String::new();
        while let Ok(true) = lines.next_line(&mut buf) {}
    }
});
