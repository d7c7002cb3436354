//! Tests of differences against scipy, and against the golden pairs of runs.

use isogloss_ir::Resampling;
use isogloss_ir::significance::{
    detectable_difference, effect_size, holm, paired_t_test, randomisation_test, student_quantile, student_two_sided,
};
use serde_json::Value;
use std::path::PathBuf;

fn golden(name: &str) -> Value {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(name);
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn numbers(list: &Value) -> Vec<f64> {
    list.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

/// Within 1e-9, relative below 1 and above.
fn assert_near(got: f64, want: f64, what: &str) {
    assert!((got - want).abs() <= 1e-9 * want.abs().max(1e-30), "{what}: got {got:e}, want {want:e}");
}

#[test]
fn every_pair_is_as_scipy_says() {
    for (name, pair) in golden("significance/expected.json")["pairs"].as_object().unwrap() {
        let differences = numbers(&pair["differences"]);
        let number = |key: &str| pair[key].as_f64().unwrap();
        let test = paired_t_test(&differences);
        assert_near(test.t.unwrap(), number("t"), name);
        assert_near(test.p, number("t_test_p"), name);
        assert_eq!(test.df as f64, number("df"));
        assert_near(effect_size(&differences).unwrap(), number("effect_size"), name);
        assert_near(detectable_difference(&differences).unwrap(), number("detectable_difference"), name);
        let found = randomisation_test(&differences, &Resampling::default());
        match pair.get("randomisation_p") {
            Some(p) => assert!(found.exact && (found.p - p.as_f64().unwrap()).abs() < 1e-12, "{name}: {found:?}"),
            None => assert!((found.p - number("randomisation_p_sampled")).abs() < 0.015, "{name}: {found:?}"),
        }
    }
}

#[test]
fn students_distribution_is_scipys() {
    let expected = golden("significance/expected.json");
    for row in expected["student_two_sided"].as_array().unwrap() {
        let row = numbers(row);
        assert_near(student_two_sided(row[0], row[1]), row[2], &format!("{row:?}"));
    }
    for row in expected["student_quantile"].as_array().unwrap() {
        let row = numbers(row);
        let got = student_quantile(row[0], row[1]);
        assert!((got - row[2]).abs() <= 1e-9 * row[2].abs().max(1.0), "{row:?}: {got}");
    }
}

#[test]
fn holm_is_the_closed_test() {
    let own = golden("significance/expected.json");
    let runs = golden("metrics/significance.json");
    for case in own["holm"].as_array().unwrap().iter().chain([&runs["holm_example"]]) {
        for (got, want) in holm(&numbers(&case["p"])).iter().zip(numbers(&case["adjusted"])) {
            assert!((got - want).abs() < 1e-15, "{case}");
        }
    }
}

#[test]
fn the_golden_runs_differ_as_they_should() {
    let expected = golden("metrics/significance.json");
    let (mut t, mut flips) = (Vec::new(), Vec::new());
    for pair in expected["pairs"].as_array().unwrap() {
        let differences = numbers(&pair["differences"]);
        let test = paired_t_test(&differences);
        assert_near(test.t.unwrap(), pair["t"].as_f64().unwrap(), "t");
        assert_near(test.p, pair["t_test_p"].as_f64().unwrap(), "p");
        let exact = pair["sign_flip_exact_p"].as_f64().unwrap();
        let all = randomisation_test(&differences, &Resampling { resamples: 1 << 23, ..Resampling::default() });
        assert!(all.exact && (all.p - exact).abs() < 1e-12, "{all:?} {exact}");
        let drawn = randomisation_test(&differences, &Resampling { resamples: 4000, ..Resampling::default() });
        assert_eq!(drawn.exact, pair["non_zero_differences"].as_u64().unwrap() < 12);
        assert!((drawn.p - exact).abs() < 0.03, "{drawn:?} {exact}");
        t.push(test.p);
        flips.push(all.p);
    }
    for (got, want) in [(t, &expected["holm_t_test"]), (flips, &expected["holm_sign_flip"])] {
        holm(&got).iter().zip(numbers(want)).for_each(|(got, want)| assert_near(*got, want, "holm"));
    }
}
