//! Translation retrieval: each text should be nearest to its own translation.

use crate::{Flat, Index, Result, Vectors};

/// Accuracy@1 of `a` → `b` and of `b` → `a`, where row `i` of one is the translation of row `i` of the other and both are
/// L2-normalised; of equal scores the lower row wins. In 0..=1; 0 for no rows.
///
/// # Errors
/// More than `u32::MAX` rows.
///
/// # Panics
/// Where the two differ in number or length of rows.
pub fn translation_accuracy(a: &Vectors, b: &Vectors) -> Result<(f64, f64)> {
    assert_eq!((a.len(), a.dim()), (b.len(), b.dim()), "translations come in pairs");
    Ok((hits(a, b)?, hits(b, a)?))
}

fn hits(queries: &Vectors, docs: &Vectors) -> Result<f64> {
    let found = Flat::from_vectors(docs.clone())?.search(queries.view(), 1);
    let right = found.iter().enumerate().filter(|(i, top)| top.first().is_some_and(|n| n.row as usize == *i)).count();
    Ok(right as f64 / queries.len().max(1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_both_directions_and_gives_ties_to_the_lower_row() {
        let a = Vectors::new(2, vec![1.0, 0.0, 0.0, 1.0, 0.6, 0.8]).unwrap();
        let b = Vectors::new(2, vec![1.0, 0.0, 0.0, 1.0, 0.0, 1.0]).unwrap();
        let (forth, back) = translation_accuracy(&a, &b).unwrap();
        assert!((forth - 2.0 / 3.0).abs() < 1e-12 && (back - 2.0 / 3.0).abs() < 1e-12, "{forth} {back}");
    }
}
