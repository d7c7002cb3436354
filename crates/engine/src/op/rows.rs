//! Selecting and joining rows.

use crate::buffer::Buffer;
use crate::cuda;
use crate::tensor::{Backward, Tensor};

struct Gather {
    rows: Vec<usize>,
}

impl Backward for Gather {
    fn backward(&self, inputs: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        let (_, n) = inputs[0].matrix();
        let mut out = Buffer::zeros(inputs[0].data().len());
        for (from, &to) in grad.data().chunks_exact(n).zip(&self.rows) {
            for (x, d) in out[to * n..(to + 1) * n].iter_mut().zip(from) {
                *x += d;
            }
        }
        vec![Some(Tensor::new(out, inputs[0].shape()))]
    }
}

/// The given rows of `x: [m, n]`, in that order; a row may repeat.
///
/// # Panics
/// If a row is not below `m`.
pub fn gather_rows(x: &Tensor, rows: &[usize]) -> Tensor {
    let (m, n) = x.matrix();
    assert!(rows.iter().all(|row| *row < m), "gather_rows: a row is not below {m}");
    if let Some(gpu) = cuda::of(&[x]) {
        return cuda::op::gather_rows(gpu, x, rows);
    }
    let data: Vec<f32> = rows.iter().flat_map(|&r| &x.data()[r * n..(r + 1) * n]).copied().collect();
    Tensor::result(Buffer::from(data), &[rows.len(), n], &[x], Gather { rows: rows.to_vec() })
}

struct Concat;

impl Backward for Concat {
    fn backward(&self, inputs: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        let mut start = 0;
        let mut part = |input: &Tensor| {
            let end = start + input.data().len();
            let slice = grad.data()[start..end].to_vec();
            start = end;
            Some(Tensor::new(slice, input.shape()))
        };
        inputs.iter().map(&mut part).collect()
    }
}

/// The rows of all `parts: [m_i, n]`, one below the other.
///
/// # Panics
/// If there is no part or the widths differ.
pub fn concat_rows(parts: &[&Tensor]) -> Tensor {
    let (_, n) = parts[0].matrix();
    assert!(parts.iter().all(|p| p.matrix().1 == n), "concat_rows: widths differ");
    let rows = parts.iter().map(|p| p.matrix().0).sum();
    if let Some(gpu) = cuda::of(parts) {
        return cuda::op::concat_rows(gpu, parts, (rows, n));
    }
    let mut data = Buffer::scratch(rows * n);
    let mut start = 0;
    for part in parts {
        data[start..start + part.data().len()].copy_from_slice(part.data());
        start += part.data().len();
    }
    Tensor::result(data, &[rows, n], parts, Concat)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{gradients_match, random};

    #[test]
    fn gradients() {
        let inputs = [random(1, &[3, 4]), random(2, &[2, 4])];
        gradients_match(&inputs[..1], |x| gather_rows(&x[0], &[2, 0, 2, 1]));
        gradients_match(&inputs, |x| concat_rows(&[&x[0], &x[1]]));
    }
}
