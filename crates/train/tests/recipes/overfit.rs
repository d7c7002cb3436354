//! Eight examples of each recipe are learnt by heart.

use isogloss_model::{GenerateOptions, Seq2Seq, fill_prompt};

use super::*;

/// Trains at a learning rate until the named terms of the last step are below their bounds.
fn learns(name: &str, (steps, rate): (usize, f32), text: &str, bounds: &[(&str, f64)]) {
    let folder = Folder::new();
    let mut config = folder.config("out", steps, text).unwrap();
    config.optimizer.learning_rate = rate;
    folder.train(config, false).unwrap();
    let log = folder.log("out");
    let last = log.last().unwrap();
    for (of, bound) in bounds {
        assert!(term(last, of) < *bound, "{name}: {of} is {} after {steps} steps", term(last, of));
    }
    assert!(log[0]["loss"].as_f64() > last["loss"].as_f64(), "{name}: {} to {last}", log[0]);
}

#[test]
fn la_mir_brings_translations_together_and_texts_between_them() {
    learns("la_mir", (120, 3e-3), &recipe("la_mir"), &[("semantic", 0.05), ("language_excess", 0.5)]);
}

#[test]
fn clear_learns_both_ways_and_closes_the_divergence() {
    learns("clear", (120, 3e-3), &recipe("clear"), &[("forward", 0.05), ("reverse", 0.05), ("kl", 0.05)]);
}

#[test]
fn ccp_finds_every_context() {
    // Two languages of four documents each: a bank of earlier rows would hold the batch's own texts, so there is none here.
    let text = recipe("ccp").replace("bank = 8", "bank = 0\nsame_side = false");
    learns("ccp", (200, 3e-3), &text, &[("centre_to_context", 0.3), ("context_to_centre", 0.3)]);
}

#[test]
fn mlm_fills_every_gap() {
    // Eight short texts, a new mask over them at every step.
    let options = "masked = 0.15\nmask_token = 1.0\nrandom_token = 0.0";
    let text = with("mlm", options).replace("documents", "two_units");
    learns("mlm", (600, 1e-3), &text, &[("mlm", 1.0)]);
}

#[test]
fn a_student_reaches_its_teacher_by_every_way() {
    // The teacher is the model that training starts from, so its translations are what has to move.
    for (follow, bound) in [("mse", 1e-3), ("cosine", 2e-2), ("margin", 5e-3), ("kl", 0.05)] {
        learns(follow, (150, 3e-3), &with("distill", &format!("follow = \"{follow}\"")), &[("target", bound)]);
    }
}

#[test]
fn query_generation_writes_the_query_of_every_passage() {
    let folder = Folder::new();
    let config = folder.config("out", 150, &recipe("query_generation")).unwrap();
    folder.train(config, false).unwrap();
    let log = folder.log("out");
    assert!(term(&log[149], "query") < 0.05 && term(&log[0], "query") > 3.0, "{}", log[149]);
    let model = Seq2Seq::load(folder.path("out/model").to_str().unwrap(), None).unwrap();
    let prompt = fill_prompt(model.prompt().unwrap(), "en".parse().ok()).unwrap();
    assert_eq!(prompt, "Generate a English question for this passage: ");
    let sources = PASSAGES.map(|passage| format!("{prompt}{passage}"));
    let made = model.generate(&sources.each_ref().map(String::as_str), 0, &GenerateOptions::default()).unwrap();
    for (texts, query) in made.iter().zip(ENGLISH) {
        // As the tokenizer gives it back: its few words do not cover every letter.
        let tokenizer = model.tokenizer();
        assert_eq!(texts[0].text, tokenizer.decode(&tokenizer.encode_plain(query).unwrap(), true).unwrap());
    }
}
