//! InfoNCE, LA-MIR, CLEAR, CCP.

use isogloss_engine::{Gradients, Tensor, op};
use isogloss_train::loss::{
    self, Ccp, Clear, Divergence, InfoNce, Language, Loss, NegativeScope, Reduction, Semantic, Similarity, Slot,
};
use serde_json::Value;

use crate::fixture::{Computed, Fixture, close, distance, number};

fn flag(case: &Value, key: &str, default: bool) -> bool {
    case["params"][key].as_bool().unwrap_or(default)
}

/// The terms of a loss under the oracle's names.
fn named(loss: &Loss, names: &[(&'static str, &str)]) -> Vec<(String, f32)> {
    let term = |(ours, theirs): &(&'static str, &str)| {
        let (_, value) = loss.terms.iter().find(|(name, _)| name == ours)?;
        Some(((*theirs).to_string(), value.item()))
    };
    names.iter().filter_map(term).collect()
}

/// Leaves of those names that the case has.
fn leaves(fixture: &Fixture, names: &[&'static str]) -> Vec<(&'static str, Tensor)> {
    names.iter().filter(|name| fixture.has(name)).map(|name| (*name, fixture.leaf(name))).collect()
}

fn find<'a>(leaves: &'a [(&'static str, Tensor)], name: &str) -> Option<&'a Tensor> {
    leaves.iter().find(|(n, _)| *n == name).map(|(_, t)| t)
}

/// InfoNCE of q, p and maybe n.
fn info_nce(q: &Tensor, p: &Tensor, n: Option<&Tensor>, case: &Value, tau: f32, same: Option<&[bool]>) -> Loss {
    let rows = q.matrix().0;
    let negative_rows = vec![n.map_or(0, |n| n.matrix().0 / rows); rows];
    let options = InfoNce {
        similarity: if flag(case, "cos", true) { Similarity::Cosine } else { Similarity::Dot },
        temperature: tau,
        symmetric: flag(case, "sym", false),
        negative_rows: &negative_rows,
        scope: if flag(case, "own", false) { NegativeScope::Own } else { NegativeScope::Batch },
        same,
        same_negative: None,
    };
    loss::info_nce(q, p, n, options)
}

pub fn infonce(case: &Value, fixture: &Fixture) -> Computed {
    let inputs = leaves(fixture, &["q", "p", "n"]);
    let same: Option<Vec<bool>> =
        fixture.has("dup_mask").then(|| fixture.values("dup_mask").iter().map(|b| *b != 0.0).collect());
    let tau = number(&case["params"], "tau");
    let loss = info_nce(&inputs[0].1, &inputs[1].1, find(&inputs, "n"), case, tau, same.as_deref());
    let components = named(&loss, &[("query_to_passage", "q_to_p"), ("passage_to_query", "p_to_q")]);
    Computed { total: loss.total, components, inputs }
}

pub fn semantic(case: &Value, fixture: &Fixture) -> Computed {
    let inputs = leaves(fixture, &["e", "l"]);
    let (e, l) = (&inputs[0].1, &inputs[1].1);
    let variant = match case["params"]["variant"].as_str().unwrap() {
        "oneway" => Semantic::OneWay,
        "symmetric" => Semantic::Symmetric,
        "simclr2n" => Semantic::Simclr,
        other => panic!("semantic variant {other}"),
    };
    let tau = number(&case["params"], "tau");
    let loss = |a, b, variant| loss::semantic(a, b, variant, Similarity::Cosine, tau).total;
    let one_way = |name: &str, a, b| (name.to_string(), loss(a, b, Semantic::OneWay).item());
    let components = vec![one_way("e_to_l", e, l), one_way("l_to_e", l, e)];
    Computed { total: loss(e, l, variant), components, inputs }
}

pub fn language(case: &Value, fixture: &Fixture) -> Computed {
    let inputs = leaves(fixture, &["d", "e", "l"]);
    let index = |value: &Value| value.as_u64().unwrap() as usize;
    let combinations: Option<Vec<(usize, usize)>> = case["params"]["combinations"]
        .as_array()
        .map(|list| list.iter().map(|c| (index(&c[0]), index(&c[1]))).collect());
    let options = Language {
        similarity: Similarity::Cosine,
        temperature: number(&case["params"], "tau"),
        combinations: combinations.as_deref(),
        reduction: match case["params"]["reduction"].as_str().unwrap() {
            "mean" => Reduction::Mean,
            "sum" => Reduction::Sum,
            other => panic!("reduction {other}"),
        },
    };
    let loss = loss::language(&inputs[0].1, &inputs[1].1, &inputs[2].1, options);
    let components = named(&loss, &[("language_excess", "excess_over_minimum")]);
    Computed { total: loss.total, components, inputs }
}

pub fn la_mir(case: &Value, fixture: &Fixture) -> Computed {
    let inputs = leaves(fixture, &["q", "p", "n", "e", "l", "d"]);
    let of = |name| find(&inputs, name).unwrap();
    let (params, similarity) = (&case["params"], Similarity::Cosine);
    let temperature = number(params, "tau");
    let options = Language { similarity, temperature, combinations: None, reduction: Reduction::Mean };
    let loss = Loss::sum([
        (1.0, info_nce(of("q"), of("p"), find(&inputs, "n"), case, number(params, "tau_ir"), None)),
        (number(params, "w_semantic"), loss::semantic(of("e"), of("l"), Semantic::Symmetric, similarity, temperature)),
        (number(params, "w_language"), loss::language(of("d"), of("e"), of("l"), options)),
    ]);
    let components = named(&loss, &[("info_nce", "ir"), ("semantic", "semantic"), ("language", "language")]);
    Computed { total: loss.total, components, inputs }
}

/// The oracle's negatives, `[B, K, D]`, in role-major order.
fn role_major(negatives: &Tensor, slots: &[Slot], per_row: usize) -> Tensor {
    op::gather_rows(negatives, &slots.iter().map(|slot| slot.row * per_row + slot.k).collect::<Vec<_>>())
}

pub fn clear(case: &Value, fixture: &Fixture) -> Computed {
    let inputs = leaves(fixture, &["q", "d", "dn", "x", "xn"]);
    let [q, d, dn, x, xn] = [0, 1, 2, 3, 4].map(|i| &inputs[i].1);
    let params = &case["params"];
    let direction = match params["direction"].as_str().unwrap_or("reverse_to_forward") {
        "reverse_to_forward" => Divergence::ReverseToForward,
        "forward_to_reverse" => Divergence::ForwardToReverse,
        other => panic!("direction {other}"),
    };
    let per_row = fixture.shape("dn")[1];
    let slots = Slot::role_major(&vec![per_row; q.matrix().0]);
    let options = Clear {
        alpha: number(params, "alpha"),
        beta: number(params, "beta"),
        scale: number(params, "scale"),
        divergence: params["kl"].as_bool().unwrap().then_some(direction),
        negatives: &slots,
        negative_queries: &slots,
    };
    let (dn, xn) = (role_major(dn, &slots, per_row), role_major(xn, &slots, per_row));
    let loss = loss::clear([q, d, &dn, x, &xn], options);
    let components = named(&loss, &[("forward", "forward"), ("reverse", "reverse"), ("kl", "kl")]);
    Computed { total: loss.total, components, inputs }
}

/// The loss over the whole batch is what rightly weighted chunks give, and not what unweighted ones give.
pub fn gradient_caching(case: &Value, all: &[Value]) {
    let name = case["name"].as_str().unwrap();
    let whole = all.iter().find(|c| c["name"] == "clear_default").unwrap();
    let fixture = Fixture::read("clear_default");
    let computed = clear(whole, &fixture);
    close(&format!("{name} value"), computed.total.data(), &[case["right_value"].as_f64().unwrap()], 1e-5);
    computed.check(whole, &fixture);
    let rows = fixture.shape("q")[0];
    if case["chunk"].as_u64().unwrap() as usize >= rows {
        return; // One chunk is the whole batch, and nothing wrong with it.
    }
    let wrong = Fixture::read(&format!("{name}_wrong"));
    let mut gradients = Gradients::default();
    computed.total.backward(&mut gradients);
    for (key, input) in &computed.inputs {
        let expected = wrong.values(&format!("wrong_grad.{key}"));
        let largest = expected.iter().fold(0f64, |a, x| a.max(x.abs()));
        let difference = distance(gradients.get(input).unwrap().data(), expected);
        assert!(difference > 0.01 * largest, "{name}: the gradient at {key} is that of unweighted chunks");
    }
}

pub fn ccp(case: &Value, fixture: &Fixture) -> Computed {
    let inputs = leaves(fixture, &["u", "v", "bank"]);
    let params = &case["params"];
    let windows: Option<Vec<usize>> =
        params["group"].as_array().map(|list| list.iter().map(|g| g.as_u64().unwrap() as usize).collect());
    let options = Ccp {
        temperature: number(params, "tau"),
        bidirectional: flag(case, "bidirectional", true),
        same_side: flag(case, "same_side", true),
        bank: find(&inputs, "bank"),
        windows: windows.as_deref(),
    };
    let loss = loss::ccp(&inputs[0].1, &inputs[1].1, options);
    let components = named(&loss, &[("centre_to_context", "u_to_v"), ("context_to_centre", "v_to_u")]);
    Computed { total: loss.total, components, inputs }
}

pub fn matryoshka(case: &Value, fixture: &Fixture) -> Computed {
    let inputs = leaves(fixture, &["q", "p", "n"]);
    let params = &case["params"];
    let dims: Vec<(usize, f32)> = params["dims"]
        .as_array()
        .unwrap()
        .iter()
        .zip(params["weights"].as_array().unwrap())
        .map(|(dim, weight)| (dim.as_u64().unwrap() as usize, weight.as_f64().unwrap() as f32))
        .collect();
    let tau = number(params, "tau");
    let [q, p, n] = [0, 1, 2].map(|i| &inputs[i].1);
    let loss = loss::matryoshka([q, p, n], &dims, |[q, p, n]| info_nce(&q, &p, Some(&n), case, tau, None));
    let components = loss.terms.iter().map(|(name, value)| (name.to_string(), value.item())).collect();
    Computed { total: loss.total, components, inputs }
}
