//! Look-up of rows and columns. Gradients at a table are gathered per row of the table, in the order of the look-ups, which is found on the CPU.

use super::launch;
use super::reduce::column_sums;
use crate::cuda::{Geometry, Gpu, Memory, operand};
use crate::packed::Packed;
use crate::tensor::{Backward, Tensor};

/// Which rows of a gradient go to which row of a table.
struct Scatter {
    /// Rows of the gradient, those of a table's row together and in order.
    order: Vec<u32>,
    /// Where the rows of each table's row begin in `order`, and its end.
    starts: Vec<u32>,
    /// The table's rows.
    targets: Vec<u32>,
}

impl Scatter {
    /// Row `i` of the gradient goes to row `ids[i]`.
    fn new(ids: &[u32]) -> Scatter {
        let mut pairs: Vec<u64> = ids.iter().zip(0u64..).map(|(id, i)| u64::from(*id) << 32 | i).collect();
        pairs.sort_unstable();
        let (mut starts, mut targets) = (Vec::new(), Vec::new());
        for (at, pair) in (0u32..).zip(&pairs) {
            let id = (pair >> 32) as u32;
            if targets.last() != Some(&id) {
                starts.push(at);
                targets.push(id);
            }
        }
        starts.push(pairs.len() as u32);
        Scatter { order: pairs.iter().map(|pair| *pair as u32).collect(), starts, targets }
    }

    /// Sums of rows of `dy: [_, d]`, weighted if weights are given (in the order of `order`), in a table of zeros.
    fn run(&self, gpu: &'static Gpu, table: &[usize], dy: &Memory, d: usize, weights: Option<&[f32]>) -> Tensor {
        let out = gpu.zeros::<f32>(table.iter().product());
        if let ([target], None) = (&self.targets[..], weights) {
            // One row alone: all of the gradient's rows are its own, and the columns' sums have many blocks at work.
            let (sums, bytes) = (column_sums(gpu, (dy, false), self.order.len(), d), d * size_of::<f32>());
            gpu.copy(&sums, 0, &out, *target as usize * bytes, bytes);
            return Tensor::constant(out, table);
        }
        let [order, starts, targets] = [&self.order, &self.starts, &self.targets].map(|numbers| gpu.upload(numbers));
        let weights = weights.map(|weights| gpu.upload(weights));
        let groups = if d == 0 { 0 } else { self.targets.len() };
        // SAFETY: targets lie in the table and the rows of `order` in dy, as the forward pass checked.
        unsafe {
            launch!(
                gpu,
                embedding::scatter_rows,
                Geometry::blocks(groups),
                &out,
                dy,
                &order,
                weights.as_ref(),
                &starts,
                &targets,
                groups,
                d,
            )
        }
        Tensor::constant(out, table)
    }
}

/// `out[r] = table[ids[r]]`, or that added to it.
fn look_up(gpu: &'static Gpu, out: &Memory, table: &Tensor, ids: &[u32], add: bool) {
    let (_, d) = table.matrix();
    let t = if d == 0 { 0 } else { ids.len() };
    let (from, ids) = (operand(gpu, table), gpu.upload(ids));
    // SAFETY: ids lie in the table, as was checked; the result is [ids, d].
    unsafe { launch!(gpu, embedding::embedding, Geometry::warps(t), out, &from, &ids, t, d, add) }
}

struct Embedding {
    gpu: &'static Gpu,
    ids: Vec<Vec<u32>>,
}

impl Backward for Embedding {
    fn backward(&self, inputs: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        let (gpu, (_, d)) = (self.gpu, grad.matrix());
        let dy = operand(gpu, grad);
        let at = |(table, ids): (&Tensor, &Vec<u32>)| {
            table.needs_grad().then(|| Scatter::new(ids).run(gpu, table.shape(), &dy, d, None))
        };
        inputs.iter().zip(&self.ids).map(at).collect()
    }
}

/// `Σ table[ids]` over tables.
pub(crate) fn embedding(gpu: &'static Gpu, tables: &[(&Tensor, &[u32])]) -> Tensor {
    let (t, (_, d)) = (tables[0].1.len(), tables[0].0.matrix());
    let out = gpu.scratch::<f32>(t * d);
    for (i, (table, ids)) in tables.iter().enumerate() {
        look_up(gpu, &out, table, ids, i > 0);
    }
    let inputs: Vec<&Tensor> = tables.iter().map(|(table, _)| *table).collect();
    let ids = tables.iter().map(|(_, ids)| ids.to_vec()).collect();
    Tensor::result(out, &[t, d], &inputs, Embedding { gpu, ids })
}

/// The given rows of `x`.
pub(crate) fn gather_rows(gpu: &'static Gpu, x: &Tensor, rows: &[usize]) -> Tensor {
    let (_, n) = x.matrix();
    let ids: Vec<u32> = rows.iter().map(|row| *row as u32).collect();
    let out = gpu.scratch::<f32>(ids.len() * n);
    look_up(gpu, &out, x, &ids, false);
    let shape = [ids.len(), n];
    Tensor::result(out, &shape, &[x], Embedding { gpu, ids: vec![ids] })
}

struct Bag {
    gpu: &'static Gpu,
    ids: Vec<u32>,
    packed: Packed,
}

impl Backward for Bag {
    fn backward(&self, inputs: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        let (_, d) = grad.matrix();
        let mut scatter = Scatter::new(&self.ids);
        let sequences = (0..self.packed.len()).flat_map(|s| std::iter::repeat_n(s, self.packed.range(s).len()));
        let sequence_of: Vec<usize> = sequences.collect();
        let share = |token: &u32| 1.0 / self.packed.range(sequence_of[*token as usize]).len() as f32;
        let weights: Vec<f32> = scatter.order.iter().map(share).collect();
        scatter.order.iter_mut().for_each(|token| *token = sequence_of[*token as usize] as u32);
        let dy = operand(self.gpu, grad);
        vec![Some(scatter.run(self.gpu, inputs[0].shape(), &dy, d, Some(&weights)))]
    }
}

/// Mean of `table[ids]` over each sequence.
pub(crate) fn bag(gpu: &'static Gpu, table: &Tensor, ids: &[u32], packed: &Packed) -> Tensor {
    let (_, d) = table.matrix();
    let rows = gpu.scratch::<f32>(ids.len() * d);
    look_up(gpu, &rows, table, ids, false);
    let ranges: Vec<_> = (0..packed.len()).map(|s| packed.range(s)).collect();
    let out = super::pool::means(gpu, &rows, &ranges, d);
    let op = Bag { gpu, ids: ids.to_vec(), packed: packed.clone() };
    Tensor::result(out, &[packed.len(), d], &[table], op)
}

struct Columns {
    gpu: &'static Gpu,
    columns: Vec<i32>,
}

impl Backward for Columns {
    fn backward(&self, inputs: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        let (gpu, (m, n), c) = (self.gpu, inputs[0].matrix(), self.columns.len());
        let (dx, dy, columns) = (gpu.zeros::<f32>(m * n), operand(gpu, grad), gpu.upload(&self.columns));
        // SAFETY: the result is [m, n], the gradient [m, c], columns lie below n.
        unsafe { launch!(gpu, embedding::gather_columns_backward, Geometry::each(m), &dx, &dy, &columns, m, c, n) }
        vec![Some(Tensor::constant(dx, inputs[0].shape()))]
    }
}

/// The given columns of `x`.
pub(crate) fn gather_columns(gpu: &'static Gpu, x: &Tensor, columns: &[usize]) -> Tensor {
    let ((m, n), c) = (x.matrix(), columns.len());
    let columns: Vec<i32> = columns.iter().map(|column| *column as i32).collect();
    let (out, from, at) = (gpu.scratch::<f32>(m * c), operand(gpu, x), gpu.upload(&columns));
    // SAFETY: x is [m, n], the result [m, c], columns lie below n.
    unsafe { launch!(gpu, embedding::gather_columns, Geometry::each(m * c), &out, &from, &at, m, c, n) }
    Tensor::result(out, &[m, c], &[x], Columns { gpu, columns })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_a_target_stay_in_order() {
        let scatter = Scatter::new(&[5, 1, 5, 1, 7]);
        assert_eq!((scatter.order, scatter.starts), (vec![1, 3, 0, 2, 4], vec![0, 2, 4, 5]));
        assert_eq!(scatter.targets, [1, 5, 7]);
        let none = Scatter::new(&[]);
        assert_eq!((none.starts, none.targets), (vec![0], vec![]));
    }
}
