//! A planted turn, the same seed, a rough start, and options that cannot be.

use super::*;
use isogloss_dense::calibration::{RefineOptions, refine};

const DIM: usize = 8;

/// Clusters of unequal sizes and shapes: nothing that a turn leaves as it is.
fn draw(n: usize, key: Key) -> Vectors {
    let world = Key::new(77);
    let mut vectors = Vectors::empty(DIM);
    for i in 0..n as u64 {
        let cluster = (12.0 * key.derive(0).uniform(i).powi(2)) as u64;
        let spread = 0.15 + 0.2 * world.derive(2).uniform(cluster);
        let component = |d: usize| {
            let scale = 1.5 / (1.0 + d as f32 * 0.25);
            let centre = world.derive(1).normal(cluster * DIM as u64 + d as u64);
            scale * (centre + spread * key.derive(1).normal(i * DIM as u64 + d as u64))
        };
        vectors.push(&(0..DIM).map(component).collect::<Vec<_>>());
    }
    vectors
}

/// A turn by `angle` in every plane of neighbouring axes.
fn planted(angle: f64) -> Vec<f64> {
    let mut w: Vec<f64> = (0..DIM * DIM).map(|at| f64::from(u8::from(at / DIM == at % DIM))).collect();
    for i in 0..DIM {
        let j = (i + 1) % DIM;
        for column in 0..DIM {
            let (a, b) = (w[i * DIM + column], w[j * DIM + column]);
            w[i * DIM + column] = angle.cos() * a - angle.sin() * b;
            w[j * DIM + column] = angle.sin() * a + angle.cos() * b;
        }
    }
    w
}

fn turned(vectors: &Vectors, w: &[f64]) -> Vectors {
    let mut turned = vectors.clone();
    for (i, to) in turned.data_mut().chunks_exact_mut(DIM).enumerate() {
        apply_rotation(&narrow(w), vectors.row(i), to);
    }
    turned
}

/// Share of 400 new vectors that find themselves after being turned away and mapped back.
fn accuracy(away: &[f64], back: &[f64]) -> f64 {
    let fresh = draw(400, Key::new(3));
    let mapped = turned(&turned(&fresh, away), back);
    let nearest = Csls::new(mapped, fresh, 10).unwrap().nearest().unwrap();
    nearest.iter().enumerate().filter(|(i, j)| *i == **j as usize).count() as f64 / 400.0
}

fn small(seed: u64) -> AdversarialOptions {
    AdversarialOptions { hidden_size: 64, steps_per_epoch: 300, epochs: 6, seed, ..AdversarialOptions::default() }
}

#[test]
fn a_planted_turn_is_found_without_pairs() {
    let away = planted(0.5);
    let (source, target) = (turned(&draw(1500, Key::new(1)), &away), draw(1500, Key::new(2)));
    let mut told = 0;
    let map = adversarial_map(&source, &target, &small(5), |_| told += 1).unwrap();
    let refined = refine(&source, &target, map.rotation.clone(), &RefineOptions::default()).unwrap();
    let identity = planted(0.0);
    let found = [&identity, &map.rotation, &refined.rotation].map(|w| accuracy(&away, w));
    assert!(found[0] < 0.2 && found[1] > 0.8 && found[2] > 0.95, "{found:?}");
    assert_eq!(told, 6);
}

#[test]
fn the_same_seed_gives_the_same_map_and_another_one_another() {
    let (source, target) = (draw(200, Key::new(1)), draw(200, Key::new(2)));
    let map = |seed| {
        let options = AdversarialOptions { epochs: 1, steps_per_epoch: 10, ..small(seed) };
        let mut game = Game::new(&source, &target, &options);
        game.epoch(1).unwrap();
        game.w
    };
    assert_eq!(map(1), map(1));
    assert_ne!(map(1), map(2));
}

#[test]
fn refinement_improves_a_rough_start() {
    let away = planted(0.5);
    let (source, target) = (turned(&draw(1500, Key::new(1)), &away), draw(1500, Key::new(2)));
    let rough = planted(-0.2);
    let refined = refine(&source, &target, rough.clone(), &RefineOptions::default()).unwrap();
    let (before, after) = (accuracy(&away, &rough), accuracy(&away, &refined.rotation));
    assert!(after > before + 0.2 && refined.mean_cosine > refined.mean_cosine_before, "{before} {after}");
}

#[test]
fn options_that_cannot_be_are_refused() {
    let vectors = draw(3, Key::new(1));
    let refused =
        |options: AdversarialOptions| adversarial_map(&vectors, &vectors, &options, |_| ()).unwrap_err().to_string();
    assert!(refused(AdversarialOptions { batch: 0, ..small(0) }).contains("adversarial.batch"));
    assert!(refused(AdversarialOptions { smoothing: 0.5, ..small(0) }).contains("smoothing"));
    assert!(refused(AdversarialOptions { learning_rate: 1e30, ..small(0) }).contains("no longer finite"));
    let none = Vectors::empty(DIM);
    assert!(adversarial_map(&none, &vectors, &small(0), |_| ()).is_err());
}
