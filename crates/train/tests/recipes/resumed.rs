//! A run that is interrupted and resumed ends as the uninterrupted one: weights, heads, banks, running statistics, monitors and all.

use super::*;

/// Stops a run from within, as if it were killed.
pub struct Killed(pub usize);

impl Observer for Killed {
    fn step(&mut self, log: &StepLog, _: usize) {
        assert!(log.step < self.0, "killed");
    }
    fn evaluated(&mut self, _: usize, _: &str, _: f64, _: bool) {}
}

/// The log without what depends on the clock.
pub fn timeless(folder: &Folder, out: &str) -> Vec<Value> {
    let mut log = folder.log(out);
    for line in &mut log {
        line.as_object_mut().unwrap().remove("tokens_per_second");
    }
    log
}

/// Three recipes in one run.
pub fn mixed() -> String {
    let mixed = recipe("ccp").replace("[recipe]", "[[task]]\n[task.recipe]")
        + &recipe("mlm").replace("[recipe]", "[[task]]\nshare = 1.0\n[task.recipe]")
        + &recipe("la_mir").replace("[recipe]", "[[task]]\nshare = 1.0\n[task.recipe]");
    mixed.replace("[[data]]", "[[task.data]]").replace("[batch]", "[task.batch]")
}

#[test]
fn every_recipe_resumes_to_the_identical_result() {
    let names = RECIPES.iter().map(|(name, _)| (*name, recipe(name)));
    let watched = held_out::watched("every = 2");
    for (name, text) in names.chain([("mixed", mixed()), ("a generator that is watched", watched)]) {
        let folder = Folder::new();
        held_out::write(&folder);
        let text = text + "[checkpoint]\nevery = 3\n";
        folder.run("whole", 10, &text);
        let config = || folder.config("stopped", 10, &text).unwrap();
        let killed = std::panic::catch_unwind(|| train(config(), false, &mut Killed(8)));
        assert!(killed.is_err(), "{name} was not interrupted");
        folder.train(config(), true).unwrap();
        let weights = |out: &str| fs::read(folder.path(out).join("model/model.safetensors")).unwrap();
        assert!(weights("whole") == weights("stopped"), "{name}: other weights");
        assert_eq!(timeless(&folder, "whole"), timeless(&folder, "stopped"), "{name}");
    }
}
