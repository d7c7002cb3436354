//! Names of measures and languages.
#![no_main]

use isogloss_ir::{Lang, Measure};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(measure) = text.parse::<Measure>() {
        assert_eq!(measure.to_string().parse::<Measure>().expect("a canonical name"), measure);
    }
    if let Ok(lang) = text.parse::<Lang>() {
        assert_eq!(lang.to_string().parse::<Lang>().expect("a canonical code"), lang);
    }
});
