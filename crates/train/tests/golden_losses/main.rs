//! Every loss against tests/golden/losses: values, components and gradients, on every instruction set of the machine.

mod contrastive;
mod fixture;
mod head;
mod others;

use fixture::{Computed, Fixture, cases};
use isogloss_engine::{Isa, with_isa};
use serde_json::Value;

/// Computes a case and compares it.
fn check(case: &Value, all: &[Value]) {
    let fixture = || Fixture::read(case["name"].as_str().unwrap());
    let compare = |compute: fn(&Value, &Fixture) -> Computed| {
        let fixture = fixture();
        compute(case, &fixture).check(case, &fixture);
    };
    match case["kind"].as_str().unwrap() {
        "infonce" => compare(contrastive::infonce),
        "lamir_semantic" => compare(contrastive::semantic),
        "lamir_language" => compare(contrastive::language),
        "lamir_total" => compare(contrastive::la_mir),
        "clear" => compare(contrastive::clear),
        "ccp" => compare(contrastive::ccp),
        "matryoshka" => compare(contrastive::matryoshka),
        "distil" => compare(others::distill),
        "mlm" => compare(others::mlm),
        "gradcache" => contrastive::gradient_caching(case, all),
        "asym_head" => head::steps(case, &fixture()),
        "memory_bank" => head::ring(case, &fixture()),
        kind => panic!("a case of an unknown kind, {kind}"),
    }
}

fn all_of(kinds: &[&str]) {
    let all = cases();
    for kind in kinds {
        let cases: Vec<&Value> = all.iter().filter(|case| case["kind"] == *kind).collect();
        assert!(!cases.is_empty(), "no case of kind {kind}");
        for isa in Isa::available() {
            with_isa(isa, || cases.iter().for_each(|case| check(case, &all)));
        }
    }
}

#[test]
fn info_nce_equals_the_oracle() {
    all_of(&["infonce"]);
}

#[test]
fn la_mir_equals_the_oracle() {
    all_of(&["lamir_semantic", "lamir_language", "lamir_total"]);
}

#[test]
fn clear_equals_the_oracle_and_not_the_released_chunking() {
    all_of(&["clear", "gradcache"]);
}

#[test]
fn ccp_its_head_and_its_bank_equal_the_oracle() {
    all_of(&["ccp", "asym_head", "memory_bank"]);
}

#[test]
fn distillation_matryoshka_and_masked_lm_equal_the_oracle() {
    all_of(&["distil", "matryoshka", "mlm"]);
}

#[test]
fn every_case_is_of_a_kind_that_is_tested() {
    let all = cases();
    all.iter().for_each(|case| check(case, &all));
}
