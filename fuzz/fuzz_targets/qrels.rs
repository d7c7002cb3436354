//! Judgements, TREC and BEIR.
#![no_main]

use isogloss_ir::Qrels;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Qrels::read_from(bytes, "x");
});
