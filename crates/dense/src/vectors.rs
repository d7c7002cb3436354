//! Vectors in memory: rows of equal length, one after the other.

use crate::Error;

/// `rows × dim` numbers, row-major, owned.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vectors {
    dim: usize,
    data: Vec<f32>,
}

impl Vectors {
    /// Takes `data` as rows of `dim`.
    ///
    /// # Errors
    /// [`Error::Mismatch`] where `data` is no whole number of rows, or `dim` is 0 and there are data.
    pub fn new(dim: usize, data: Vec<f32>) -> crate::Result<Self> {
        let whole = if dim == 0 { data.is_empty() } else { data.len().is_multiple_of(dim) };
        if !whole {
            let (left, right) = (data.len(), dim);
            return Err(Error::Mismatch { what: "length", left, left_of: "the data", right, right_of: "a row" });
        }
        Ok(Self { dim, data })
    }

    /// No rows yet, of `dim` numbers each.
    pub fn empty(dim: usize) -> Self {
        Self { dim, data: Vec::new() }
    }

    /// Length of a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.data.len().checked_div(self.dim).unwrap_or(0)
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// Row `i`.
    pub fn row(&self, i: usize) -> &[f32] {
        &self.data[i * self.dim..(i + 1) * self.dim]
    }

    /// All numbers, row-major.
    pub fn data(&self) -> &[f32] {
        &self.data
    }

    /// All numbers, row-major, to change.
    pub fn data_mut(&mut self) -> &mut [f32] {
        &mut self.data
    }

    /// Gives the numbers away.
    pub fn into_data(self) -> Vec<f32> {
        self.data
    }

    /// Adds one row.
    ///
    /// # Panics
    /// Where `row` is not of this length.
    pub fn push(&mut self, row: &[f32]) {
        assert_eq!(row.len(), self.dim, "a row of another length");
        self.data.extend_from_slice(row);
    }

    /// Borrows all rows.
    pub fn view(&self) -> VectorsView<'_> {
        VectorsView { dim: self.dim, data: &self.data }
    }
}

/// `rows × dim` numbers, row-major, borrowed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VectorsView<'a> {
    dim: usize,
    data: &'a [f32],
}

impl<'a> VectorsView<'a> {
    /// Takes `data` as rows of `dim`.
    ///
    /// # Panics
    /// Where `data` is no whole number of rows.
    pub fn new(dim: usize, data: &'a [f32]) -> Self {
        assert!(data.is_empty() || (dim > 0 && data.len().is_multiple_of(dim)), "not a whole number of rows");
        Self { dim, data }
    }

    /// Length of a row.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.data.len().checked_div(self.dim).unwrap_or(0)
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// Row `i`.
    pub fn row(&self, i: usize) -> &'a [f32] {
        &self.data[i * self.dim..(i + 1) * self.dim]
    }

    /// All numbers, row-major.
    pub fn data(&self) -> &'a [f32] {
        self.data
    }

    /// Rows `start..end`.
    pub fn rows(&self, start: usize, end: usize) -> VectorsView<'a> {
        VectorsView { dim: self.dim, data: &self.data[start * self.dim..end * self.dim] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_a_broken_row() {
        let error = Vectors::new(3, vec![0.0; 7]).unwrap_err().to_string();
        assert!(error.contains("7 in the data, 3 in a row"), "{error}");
    }

    #[test]
    fn rows_are_slices_of_the_data() {
        let vectors = Vectors::new(2, vec![1.0, 2.0, 3.0, 4.0]).unwrap();
        assert_eq!(vectors.len(), 2);
        assert_eq!(vectors.view().rows(1, 2).row(0), &[3.0, 4.0]);
        assert_eq!(Vectors::empty(0).len(), 0);
    }
}
