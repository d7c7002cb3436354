//! What the losses do beyond their goldens: ragged CLEAR against its definition, edges of shape, scale and temperature.

use isogloss_engine::{Gradients, Isa, Key, Tensor, op, with_isa};
use isogloss_train::loss::{
    self, Ccp, Clear, Divergence, InfoNce, Language, Loss, NegativeScope, Reduction, Semantic, Similarity, Slot,
};

const DIM: usize = 7;

fn random(seed: u64, rows: usize) -> Tensor {
    Tensor::parameter((0..(rows * DIM) as u64).map(|i| Key::new(seed).normal(i)).collect::<Vec<f32>>(), &[rows, DIM])
}

fn gradients(loss: &Loss) -> Gradients {
    let mut gradients = Gradients::default();
    loss.total.backward(&mut gradients);
    gradients
}

fn all_finite(loss: &Loss, inputs: &[&Tensor]) -> bool {
    let gradients = gradients(loss);
    let finite = |input: &&Tensor| gradients.get(input).is_none_or(|g| g.data().iter().all(|x| x.is_finite()));
    loss.total.item().is_finite() && inputs.iter().all(finite)
}

fn assert_near(got: f32, expected: f64) {
    assert!((f64::from(got) - expected).abs() <= 1e-5 * expected.abs().max(1.0), "{got} instead of {expected}");
}

/// Compares gradients with fourth-order differences of the loss.
fn gradients_match(inputs: &[Tensor], loss: impl Fn(&[Tensor]) -> Loss) {
    let value = |inputs: &[Tensor]| f64::from(loss(inputs).total.item());
    let gradients = gradients(&loss(inputs));
    let h = 2e-2f32;
    for (which, input) in inputs.iter().enumerate() {
        let grad = gradients.get(input).expect("a gradient").data();
        let largest = grad.iter().fold(1e-3f32, |a, x| a.max(x.abs()));
        for i in 0..grad.len() {
            let at = |delta: f32| {
                let mut moved = inputs.to_vec();
                let mut data = input.data().to_vec();
                data[i] += delta;
                moved[which] = Tensor::new(data, input.shape());
                value(&moved)
            };
            let numeric = (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * f64::from(h));
            let error = (numeric - f64::from(grad[i])).abs() / f64::from(largest);
            assert!(error < 5e-3, "input {which} element {i}: analytic {} numeric {numeric}", grad[i]);
        }
    }
}

/// Cosine of two rows in double precision.
fn cosine(a: &Tensor, i: usize, b: &Tensor, j: usize) -> f64 {
    let row = |t: &Tensor, r: usize| -> Vec<f64> { t.data()[r * DIM..][..DIM].iter().map(|x| f64::from(*x)).collect() };
    let (a, b) = (row(a, i), row(b, j));
    let dot = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| x * y).sum::<f64>();
    dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt()
}

fn log_softmax(x: &[f64]) -> Vec<f64> {
    let log_sum = x.iter().map(|x| x.exp()).sum::<f64>().ln();
    x.iter().map(|x| x - log_sum).collect()
}

fn published<'a>(negatives: &'a [Slot], negative_queries: &'a [Slot]) -> Clear<'a> {
    let divergence = Some(Divergence::ReverseToForward);
    Clear { alpha: 0.4, beta: 0.2, scale: 5.0, divergence, negatives, negative_queries }
}

fn slots(of: &[(usize, usize)]) -> Vec<Slot> {
    of.iter().map(|&(row, k)| Slot { row, k }).collect()
}

/// CLEAR with ragged rows by its definition, in double precision.
fn naive_clear([q, d, dn, x, xn]: [&Tensor; 5], options: Clear) -> f64 {
    let rows = q.matrix().0;
    let mut loss = 0.0;
    for i in 0..rows {
        let row = |a: &Tensor, positives: &Tensor, negatives: &Tensor| -> Vec<f64> {
            let own = (0..rows).map(|j| cosine(a, i, positives, j));
            let others = (0..negatives.matrix().0).map(|j| cosine(a, i, negatives, j));
            own.chain(others).map(|c| f64::from(options.scale) * c).collect()
        };
        let (s, r) = (row(q, d, dn), row(d, x, xn));
        let (mut p, mut t) = (s[..rows].to_vec(), r[..rows].to_vec());
        for (c, slot) in options.negatives.iter().enumerate() {
            if let Some(other) = options.negative_queries.iter().position(|o| o == slot) {
                p.push(s[rows + c]);
                t.push(r[rows + other]);
            }
        }
        let (p, t) = (log_softmax(&p), log_softmax(&t));
        let divergence: f64 = p.iter().zip(&t).map(|(p, t)| t.exp() * (t - p)).sum();
        loss -= 0.4 * log_softmax(&s)[i] + 0.4 * log_softmax(&r)[i] - 0.2 * divergence;
    }
    loss / rows as f64
}

#[test]
fn ragged_clear_equals_its_definition_on_the_matched_columns() {
    // Row 0 has negatives 0 and 1 but only query 1, row 1 nothing, row 2 a query without a negative, in another order.
    let (negatives, queries) = (slots(&[(0, 0), (2, 0), (0, 1)]), slots(&[(0, 1), (2, 0), (2, 1)]));
    let inputs = [random(1, 3), random(2, 3), random(3, 3), random(4, 3), random(5, 3)];
    let options = published(&negatives, &queries);
    let loss = |x: &[Tensor]| loss::clear([&x[0], &x[1], &x[2], &x[3], &x[4]], options);
    let [q, d, dn, x, xn] = &inputs;
    for isa in Isa::available() {
        with_isa(isa, || {
            assert_near(loss(&inputs).total.item(), naive_clear([q, d, dn, x, xn], options));
            gradients_match(&inputs, loss);
        });
    }
}

#[test]
fn the_order_of_the_negatives_does_not_matter_to_clear() {
    let (role_major, row_major) = (Slot::role_major(&[2, 1, 2]), slots(&[(0, 0), (0, 1), (1, 0), (2, 0), (2, 1)]));
    assert_eq!(role_major, slots(&[(0, 0), (1, 0), (2, 0), (0, 1), (2, 1)]));
    let [q, d, dn, x, xn] = [random(1, 3), random(2, 3), random(3, 5), random(4, 3), random(5, 5)];
    let order: Vec<usize> =
        role_major.iter().map(|slot| row_major.iter().position(|other| other == slot).unwrap()).collect();
    let whole = loss::clear([&q, &d, &dn, &x, &xn], published(&row_major, &row_major)).total.item();
    let sorted = op::gather_rows(&dn, &order);
    let mixed = loss::clear([&q, &d, &sorted, &x, &xn], published(&role_major, &row_major)).total.item();
    assert_near(mixed, f64::from(whole));
}

#[test]
fn clear_without_negatives_and_of_one_row() {
    let none = random(9, 0);
    let inputs = [random(1, 2), random(2, 2), random(3, 2)];
    gradients_match(&inputs, |x| loss::clear([&x[0], &x[1], &none, &x[2], &none], published(&[], &[])));
    let one = loss::clear([&random(1, 1), &random(2, 1), &none, &random(3, 1), &none], published(&[], &[]));
    assert_eq!(one.total.item(), 0.0);
}

fn ccp_options<'a>(bank: Option<&'a Tensor>, windows: Option<&'a [usize]>) -> Ccp<'a> {
    Ccp { temperature: 0.1, bidirectional: true, same_side: true, bank, windows }
}

#[test]
fn ccp_of_one_row_without_a_bank_has_nothing_to_tell_apart() {
    let (u, v, empty) = (random(1, 1), random(2, 1), random(3, 0));
    for bank in [None, Some(&empty)] {
        let loss = loss::ccp(&u, &v, ccp_options(bank, None));
        assert_eq!((loss.total.item(), loss.terms.len()), (0.0, 2));
        assert!(gradients(&loss).get(&u).unwrap().data().iter().all(|g| *g == 0.0));
    }
}

#[test]
fn ccp_of_one_window_sees_only_the_bank() {
    let (u, v, bank) = (random(1, 3), random(2, 3), random(3, 2));
    assert_eq!(loss::ccp(&u, &v, ccp_options(None, Some(&[4, 4, 4]))).total.item(), 0.0);
    let loss = loss::ccp(&u, &v, ccp_options(Some(&bank), Some(&[4, 4, 4])));
    assert!(loss.total.item() > 0.0 && gradients(&loss).get(&bank).is_none(), "a bank has no gradient");
}

#[test]
fn ccp_accuracy_counts_rows_whose_partner_is_nearest() {
    let u = random(1, 4);
    let mut swapped = u.data().to_vec();
    let (first, second) = swapped.split_at_mut(DIM);
    first.swap_with_slice(&mut second[..DIM]);
    let swapped = Tensor::new(swapped, u.shape());
    let options = Ccp { same_side: false, ..ccp_options(None, None) };
    assert_eq!(loss::ccp_accuracy(&u, &u.leaf(), options), 1.0);
    assert_eq!(loss::ccp_accuracy(&u, &swapped, options), 0.5);
    assert_eq!(loss::ccp_accuracy(&u, &u.leaf(), ccp_options(Some(&u), None)), 0.0, "a tie is not found");
    let windows = [0; 4];
    assert_eq!(loss::ccp_accuracy(&u, &swapped, Ccp { windows: Some(&windows), ..options }), 1.0);
}

fn language_options(temperature: f32) -> Language<'static> {
    Language { similarity: Similarity::Cosine, temperature, combinations: None, reduction: Reduction::Mean }
}

#[test]
fn combinations_listed_in_full_are_all_combinations() {
    let inputs = [random(1, 3), random(2, 2), random(3, 2)];
    let list: Vec<(usize, usize)> = (0..6).map(|at| (at / 2, at % 2)).collect();
    for reduction in [Reduction::Mean, Reduction::Sum] {
        let options = Language { reduction, ..language_options(0.2) };
        let listed = Language { combinations: Some(&list), ..options };
        let all = loss::language(&inputs[0], &inputs[1], &inputs[2], options);
        assert_near(
            loss::language(&inputs[0], &inputs[1], &inputs[2], listed).total.item(),
            f64::from(all.total.item()),
        );
        gradients_match(&inputs, |x| loss::language(&x[0], &x[1], &x[2], listed));
    }
}

#[test]
fn losses_stay_finite_at_any_temperature_and_with_zero_vectors() {
    let zero = Tensor::parameter(vec![0.0; 3 * DIM], &[3, DIM]);
    let [a, b, c, d, e] = [1, 2, 3, 4, 5].map(|seed| random(seed, 3));
    let negatives = Slot::role_major(&[1; 3]);
    for temperature in [1e-6, 1e-3, 1.0, 1e6] {
        for a in [&a, &zero] {
            let inputs = [a, &b, &c, &d, &e];
            for variant in [Semantic::OneWay, Semantic::Symmetric, Semantic::Simclr] {
                assert!(all_finite(&loss::semantic(a, &b, variant, Similarity::Cosine, temperature), &inputs));
            }
            assert!(all_finite(&loss::language(&c, a, &b, language_options(temperature)), &inputs));
            assert!(all_finite(&loss::language(a, &c, &b, language_options(temperature)), &inputs));
            for divergence in [None, Some(Divergence::ReverseToForward), Some(Divergence::ForwardToReverse)] {
                let scale = 1.0 / temperature;
                let options = Clear { scale, divergence, ..published(&negatives, &negatives) };
                assert!(all_finite(&loss::clear([a, &b, &c, &d, &e], options), &inputs));
                assert!(all_finite(&loss::clear([&b, a, &c, &d, &e], options), &inputs));
            }
            let options = Ccp { temperature, ..ccp_options(Some(&c), None) };
            assert!(all_finite(&loss::ccp(a, &b, options), &inputs));
            assert!(all_finite(&loss::embedding_cosine(a, &b), &inputs));
            let scores = loss::own_scores(a, &b, Similarity::Dot);
            assert!(all_finite(&loss::score_kl(&scores, &scores, temperature, true), &inputs));
        }
    }
}

#[test]
fn a_language_neutral_batch_has_no_excess_and_no_gradient() {
    let (d, e) = (random(1, 4), random(2, 3));
    let l = e.leaf();
    let loss = loss::language(&d, &e, &l, language_options(0.01));
    assert_eq!((loss.terms[1].0.as_ref(), loss.terms[1].1.item()), ("language_excess", 0.0));
    assert_near(loss.total.item(), 2.0 * std::f64::consts::LN_2);
    let gradients = gradients(&loss);
    assert!([&d, &e, &l].iter().all(|x| gradients.get(x).unwrap().data().iter().all(|g| *g == 0.0)));
}

#[test]
fn gradients_of_distillation() {
    let (student, teacher) = (random(1, 4), random(2, 4));
    gradients_match(std::slice::from_ref(&student), |s| loss::embedding_cosine(&s[0], &teacher));
    assert!(gradients(&loss::embedding_cosine(&student, &teacher)).get(&teacher).is_none());
    assert_near(loss::embedding_cosine(&student, &student.leaf()).total.item(), 0.0);
    let inputs = [random(3, 2), random(4, 6)];
    let teacher = Tensor::new(vec![3.0, 1.0, 0.5, 2.0, 2.5, -1.0], &[2, 3]);
    let scores = |x: &[Tensor]| loss::own_scores(&x[0], &x[1], Similarity::Dot);
    gradients_match(&inputs, |x| loss::margin_mse(&scores(x), &teacher));
    gradients_match(&inputs, |x| loss::score_kl(&scores(x), &teacher, 2.0, true));
}

#[test]
fn a_matryoshka_of_one_whole_width_is_the_loss_itself() {
    let (a, b) = (random(1, 3), random(2, 3));
    let inner = |[a, b]: [Tensor; 2]| loss::semantic(&a, &b, Semantic::Symmetric, Similarity::Cosine, 0.1);
    let whole = loss::matryoshka([&a, &b], &[(DIM, 1.0)], inner);
    assert_eq!(whole.total.item(), inner([a.clone(), b.clone()]).total.item());
    let two = loss::matryoshka([&a, &b], &[(DIM, 1.0), (2, 0.5)], |[a, b]| {
        loss::language(&a, &a, &b, Language { similarity: Similarity::Dot, ..language_options(1.0) })
    });
    let names: Vec<&str> = two.terms.iter().map(|(name, _)| name.as_ref()).collect();
    let expected = ["dim7", "dim7.language", "dim7.language_excess", "dim2", "dim2.language", "dim2.language_excess"];
    assert_eq!(names, expected);
}

#[test]
fn masked_lm_is_the_cross_entropy_of_the_labelled_tokens() {
    let (hidden, embedding) = (random(1, 5), random(2, 9));
    let bias = Tensor::parameter((0..9).map(|i| 0.1 * i as f32).collect::<Vec<f32>>(), &[9]);
    let labels = [None, Some(3), Some(8), None, Some(0)];
    let logits = op::linear(&hidden, &embedding, Some(&bias), op::Activation::Identity);
    let loss = loss::masked_lm(&hidden, &labels, &embedding, Some(&bias));
    assert_near(loss.total.item(), f64::from(op::cross_entropy(&logits, &labels).item()));
    let inputs = [hidden, embedding, bias];
    gradients_match(&inputs, |x| loss::masked_lm(&x[0], &labels, &x[1], Some(&x[2])));
    let without = loss::masked_lm(&inputs[0], &[None; 5], &inputs[1], Some(&inputs[2]));
    assert!(without.total.item() == 0.0 && all_finite(&without, &[&inputs[0], &inputs[1], &inputs[2]]));
}

#[test]
fn a_weighted_sum_keeps_the_terms_unweighted() {
    let (q, p) = (random(1, 3), random(2, 3));
    let options = InfoNce {
        similarity: Similarity::Cosine,
        temperature: 0.1,
        symmetric: true,
        negative_rows: &[0; 3],
        scope: NegativeScope::Batch,
        same: None,
        same_negative: None,
    };
    let (a, b) = (loss::info_nce(&q, &p, None, options), loss::embedding_mse(&q, &p));
    let (first, second) = (a.total.item(), b.total.item());
    let sum = Loss::sum([(0.5, a), (2.0, b)]);
    assert_near(sum.total.item(), f64::from(0.5 * first + 2.0 * second));
    assert_eq!(sum.terms.len(), 3);
    assert_eq!((sum.terms[2].0.as_ref(), sum.terms[2].1.item()), ("embedding_mse", second));
}
