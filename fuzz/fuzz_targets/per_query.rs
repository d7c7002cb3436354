//! Values by query, as `evaluate --per-query` writes them.
#![no_main]

use isogloss_ir::PerQuery;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(all) = PerQuery::read_from(bytes, "x") {
        all.measures().iter().for_each(|measure| drop(all.scores(measure)));
    }
});
