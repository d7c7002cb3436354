//! Distillation and masked language modelling.

use isogloss_engine::op;
use isogloss_train::loss;
use serde_json::Value;

use crate::fixture::{Computed, Fixture, number};

pub fn distill(case: &Value, fixture: &Fixture) -> Computed {
    let (s, t) = (fixture.leaf("s"), fixture.leaf("t"));
    let mut components = Vec::new();
    let loss = match case["name"].as_str().unwrap() {
        "distil_embedding_mse" => loss::embedding_mse(&s, &t),
        "distil_margin_mse" => loss::margin_mse(&s, &t),
        name if name.starts_with("distil_kl_") => {
            let temperature = number(&case["params"], "temperature");
            components.push(("times_T_squared".to_string(), loss::score_kl(&s, &t, temperature, true).total.item()));
            loss::score_kl(&s, &t, temperature, false)
        }
        other => panic!("a distillation {other}"),
    };
    Computed { total: loss.total, components, inputs: vec![("s", s), ("t", t)] }
}

pub fn mlm(case: &Value, fixture: &Fixture) -> Computed {
    let logits = fixture.leaf("logits");
    let ignored = case["params"]["ignore_index"].as_f64().unwrap();
    let labels: Vec<Option<usize>> =
        fixture.values("labels").iter().map(|label| (*label != ignored).then_some(*label as usize)).collect();
    Computed { total: op::cross_entropy(&logits, &labels), components: vec![], inputs: vec![("logits", logits)] }
}
