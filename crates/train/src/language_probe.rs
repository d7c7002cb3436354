//! How well a linear map tells the languages of embeddings apart.

/// Held-out accuracy of a ridge classifier (one-vs-rest least squares, penalty 1e-3 of the mean variance) that is fitted on every other row and tried on the
/// rest; `None` unless there are two classes with four rows each. 1 / classes is chance for classes of equal size.
///
/// # Shapes
/// `rows`: n rows of `dim` elements; `classes`: one per row. O(n·dim² + dim³).
pub fn probe_accuracy(rows: &[f32], dim: usize, classes: &[usize]) -> Option<f64> {
    let count = classes.iter().max()? + 1;
    let sizes = (0..count).map(|class| classes.iter().filter(|c| **c == class).count());
    if sizes.filter(|n| *n >= 4).count() < 2 {
        return None;
    }
    let width = dim + 1;
    let mut gram = vec![0f64; width * width];
    let mut targets = vec![0f64; width * count];
    // Rows of one class alternate between the two halves, whatever their order.
    let mut seen = vec![0usize; count];
    let fitted: Vec<bool> = classes
        .iter()
        .map(|class| {
            seen[*class] += 1;
            seen[*class] % 2 == 1
        })
        .collect();
    let extended = |row: usize| rows[row * dim..(row + 1) * dim].iter().map(|x| f64::from(*x)).chain([1.0]);
    for row in (0..classes.len()).filter(|row| fitted[*row]) {
        let x: Vec<f64> = extended(row).collect();
        for i in 0..width {
            for j in 0..=i {
                gram[i * width + j] += x[i] * x[j];
            }
            targets[i * count + classes[row]] += x[i];
        }
    }
    let penalty = 1e-3 * (0..width).map(|i| gram[i * width + i]).sum::<f64>() / width as f64;
    (0..width).for_each(|i| gram[i * width + i] += penalty.max(f64::MIN_POSITIVE));
    cholesky(&mut gram, width);
    solve(&gram, &mut targets, width, count);
    let (mut right, mut tried) = (0, 0);
    for row in (0..classes.len()).filter(|row| !fitted[*row]) {
        let score =
            |class: usize| extended(row).zip(0..width).map(|(x, i)| x * targets[i * count + class]).sum::<f64>();
        let best = (0..count).map(|class| (score(class), class)).max_by(|a, b| a.0.total_cmp(&b.0));
        right += usize::from(best.is_some_and(|(_, class)| class == classes[row]));
        tried += 1;
    }
    Some(f64::from(right as u32) / f64::from(tried as u32))
}

/// The lower triangle L of `a` = L·Lᵀ in place.
fn cholesky(a: &mut [f64], n: usize) {
    for i in 0..n {
        for j in 0..=i {
            let dot: f64 = (0..j).map(|k| a[i * n + k] * a[j * n + k]).sum();
            let left = a[i * n + j] - dot;
            a[i * n + j] = if i == j { left.max(f64::MIN_POSITIVE).sqrt() } else { left / a[j * n + j] };
        }
    }
}

/// `x` of L·Lᵀ·x = b in the place of `b`, which has `columns` right-hand sides.
fn solve(l: &[f64], b: &mut [f64], n: usize, columns: usize) {
    for c in 0..columns {
        for i in 0..n {
            let dot: f64 = (0..i).map(|k| l[i * n + k] * b[k * columns + c]).sum();
            b[i * columns + c] = (b[i * columns + c] - dot) / l[i * n + i];
        }
        for i in (0..n).rev() {
            let dot: f64 = (i + 1..n).map(|k| l[k * n + i] * b[k * columns + c]).sum();
            b[i * columns + c] = (b[i * columns + c] - dot) / l[i * n + i];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use isogloss_engine::Key;

    /// `rows` rows a class, `apart` between the class means in one direction.
    fn probe(rows: usize, apart: f32) -> Option<f64> {
        let (dim, classes) = (6, 3);
        let labels: Vec<usize> = (0..rows * classes).map(|row| row % classes).collect();
        let noise = |i: usize| Key::new(5).normal(i as u64);
        let element = |i: usize| noise(i) + if i % dim == labels[i / dim] { apart } else { 0.0 };
        let values: Vec<f32> = (0..labels.len() * dim).map(element).collect();
        probe_accuracy(&values, dim, &labels)
    }

    #[test]
    fn separated_languages_are_told_apart_and_mixed_ones_are_not() {
        assert!(probe(100, 8.0).unwrap() > 0.99);
        let chance = probe(400, 0.0).unwrap();
        assert!((0.25..0.42).contains(&chance), "{chance}");
    }

    #[test]
    fn too_few_rows_give_none() {
        assert_eq!(probe(3, 1.0), None);
        assert_eq!(probe_accuracy(&[], 4, &[]), None);
    }
}
