//! CCP's projection head and memory bank over several steps.

use isogloss_engine::{Gradients, Tensor};
use isogloss_train::loss::{Ccp, ccp};
use isogloss_train::{Asymmetry, BankScope, MemoryBank, ProjectionHead, ProjectionHeadConfig};
use serde_json::Value;

use crate::fixture::{Fixture, close, number};

const TOLERANCE: f64 = 1e-4;

/// Head, loss and bank, step after step; the parameters stay as they are.
pub fn steps(case: &Value, fixture: &Fixture) {
    let order = case["eval_side_uses_running_stats"].as_str().unwrap();
    let config = ProjectionHeadConfig {
        relu: true,
        asymmetry: if order.starts_with("before") { Asymmetry::BeforeUpdate } else { Asymmetry::AfterUpdate },
        eps: number(case, "eps"),
        momentum: number(case, "momentum"),
    };
    let names = ["W1", "gamma", "beta", "W2"];
    let mut head = ProjectionHead::new(config, names.map(|name| fixture.leaf(&format!("head.{name}"))));
    let mut bank = MemoryBank::new(case["bank_capacity"].as_u64().unwrap() as usize, BankScope::Language);
    for (s, step) in case["steps"].as_array().unwrap().iter().enumerate() {
        let what = |name: &str| format!("{} step {s} {name}", case["name"]);
        let expected = |name: &str| fixture.values(&format!("s{s}.{name}"));
        let lang = step["lang"].as_str().unwrap();
        assert_eq!(step["train_side"] == "centre", s % 2 == 0, "{}", what("order of the sides"));
        let (centre, context) = (fixture.leaf(&format!("s{s}.centre")), fixture.leaf(&format!("s{s}.context")));
        let (u, v) = head.forward(&centre, &context);
        close(&what("u"), u.data(), expected("u"), TOLERANCE);
        close(&what("v"), v.data(), expected("v"), TOLERANCE);
        let used = bank.rows(lang);
        assert_eq!(used.is_some(), fixture.has(&format!("s{s}.bank_used")), "{}", what("bank in use"));
        if let Some(used) = &used {
            close(&what("bank_used"), used.data(), expected("bank_used"), TOLERANCE);
        }
        let options = Ccp {
            temperature: number(case, "tau"),
            bidirectional: true,
            same_side: true,
            bank: used.as_ref(),
            windows: None,
        };
        let loss = ccp(&u, &v, options);
        close(&what("loss"), loss.total.data(), &[step["loss"].as_f64().unwrap()], TOLERANCE);
        let terms: Vec<f32> = loss.terms.iter().map(|(_, value)| value.item()).collect();
        let directions = ["u_to_v", "v_to_u"].map(|name| step[name].as_f64().unwrap());
        close(&what("directions"), &terms, &directions, TOLERANCE);
        let mut gradients = Gradients::default();
        loss.total.backward(&mut gradients);
        let mut compare = |name: &str, leaf: &Tensor| {
            let grad = gradients.take(leaf).unwrap_or_else(|| panic!("{}", what(name)));
            close(&what(name), grad.data(), expected(&format!("grad.{name}")), TOLERANCE);
        };
        compare("centre", &centre);
        compare("context", &context);
        for (name, (_, parameter)) in names.iter().zip(head.parameters()) {
            compare(name, parameter);
        }
        close(&what("running mean"), head.running().mean.data(), expected("running_mean"), TOLERANCE);
        close(&what("running variance"), head.running().variance.data(), expected("running_var"), TOLERANCE);
        bank.push(lang, &u);
        bank.push(lang, &v);
        close(&what("bank_after"), bank.rows(lang).unwrap().data(), expected("bank_after"), TOLERANCE);
    }
}

/// The bank alone: physical slots and the order of the rows after every push.
pub fn ring(case: &Value, fixture: &Fixture) {
    let capacity = case["capacity"].as_u64().unwrap();
    let mut bank = MemoryBank::new(capacity as usize, BankScope::Language);
    for (i, push) in case["pushes"].as_array().unwrap().iter().enumerate() {
        let lang = push["lang"].as_str().unwrap();
        bank.push(lang, &fixture.leaf(&format!("p{i}.rows")));
        let (slots, counts) = bank.state();
        close(&format!("push {i} slots"), slots[lang].data(), fixture.values(&format!("p{i}.slots")), 0.0);
        let rows = bank.rows(lang).unwrap();
        close(&format!("push {i} rows"), rows.data(), fixture.values(&format!("p{i}.oldest_to_newest")), 0.0);
        assert_eq!(push["filled"], bank.filled(lang), "push {i}");
        assert_eq!(push["total_pushed"], bank.pushed(lang), "push {i}");
        assert_eq!(push["next_slot"], counts[lang] % capacity, "push {i}");
    }
}
