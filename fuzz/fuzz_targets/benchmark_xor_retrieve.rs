//! Questions and predictions of XOR-Retrieve, and the score of both.
#![no_main]

mod folder;

use folder::Folder;
use isogloss_ir::protocol::xor_retrieve::{read_predictions, read_questions, score};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let folder = Folder::new();
    let file = folder.write("x.jsonl", bytes);
    let (questions, predictions) = (read_questions(&file), read_predictions(&file));
    if let Ok(questions) = questions {
        let _ = score(&questions, predictions.as_deref().unwrap_or_default());
    }
});
