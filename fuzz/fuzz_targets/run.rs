//! TREC runs, read, written and read again.
#![no_main]

use isogloss_ir::Run;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(run) = Run::read_from(bytes, "x") {
        let mut again = Vec::new();
        run.write_to(&mut again, "tag", "x").expect("ids that were read can be written");
        assert_eq!(Run::read_from(&again[..], "x").expect("what was written can be read"), run);
    }
});
