//! Attention of packed sequences.

use super::launch;
use crate::cuda::{Argument, Geometry, Gpu, Memory, THREADS, operand, operand_of};
use crate::op::Attention;
use crate::packed::Packed;
use crate::precision::Precision;
use crate::random::Dropout;
use crate::storage::Storage;
use crate::tensor::{Backward, Tensor};

/// Query rows, or key rows, of a block.
const ROWS: usize = 64;
/// Widest head that there are kernels for.
pub(crate) const WIDEST_HEAD: usize = 128;
/// Threads of a block of the kernels in bf16.
const BF16_THREADS: u32 = 128;
/// Most blocks along the third dimension; sequences beyond are taken in turn.
const MOST_BLOCKS: usize = 65_535;

/// Puts that one of the kernels in bf16 on the stream that is made for heads of up to 32, 64 or 128 elements.
macro_rules! launch_bf16 {
    ($gpu:expr, $width:expr, [$narrow:ident, $middle:ident, $wide:ident], $geometry:expr; $arguments:expr) => {
        match $width {
            32 => launch!($gpu, attention_bf16::$narrow, $geometry; $arguments),
            64 => launch!($gpu, attention_bf16::$middle, $geometry; $arguments),
            _ => launch!($gpu, attention_bf16::$wide, $geometry; $arguments),
        }
    };
}

struct Op {
    gpu: &'static Gpu,
    options: Attention,
    queries: Packed,
    keys: Packed,
    /// Whether keys and values are an input of their own, rows of both.
    cross: bool,
    /// Width of all heads.
    hidden: usize,
    precision: Precision,
    biases: Option<BiasTable>,
    /// Logarithm of each softmax's normaliser, `[queries, heads]`.
    log_sums: Memory,
}

/// What a kernel makes: the result, the gradient at queries, or that at keys and values.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    Forward,
    Queries,
    Keys,
}

/// Biases by distance that are added to scores: the table's rows at distances from `−centre` to `centre`.
pub(crate) struct Biases {
    /// Row of the table for every distance.
    pub buckets: Vec<i32>,
    /// Greatest distance.
    pub centre: usize,
}

/// The same on the GPU.
struct BiasTable {
    /// Row of the table for every distance.
    bucket_of: Memory,
    /// Bias of every head and distance, `[heads, 2·centre + 1]`.
    values: Memory,
    centre: usize,
}

impl BiasTable {
    fn new(gpu: &'static Gpu, biases: &Biases, table: &Tensor, heads: usize) -> BiasTable {
        let distances = biases.buckets.len();
        let (bucket_of, values) = (gpu.upload(&biases.buckets), gpu.scratch::<f32>(heads * distances));
        let (from, each) = (operand(gpu, table), Geometry::each(heads * distances));
        // SAFETY: buckets are rows of the table of `heads` columns; there is a value for every head and distance.
        unsafe { launch!(gpu, relative_positions::bias_values, each, &values, &from, &bucket_of, heads, distances) }
        BiasTable { bucket_of, values, centre: biases.centre }
    }

    fn distances(&self) -> usize {
        2 * self.centre + 1
    }

    /// The gradient at the table of `shape` from those that every tile of queries has at its distances.
    fn gradient(
        &self,
        gpu: &'static Gpu,
        parts: &Memory,
        (sequences, heads, tiles): (usize, usize, usize),
        shape: &[usize],
    ) -> Tensor {
        let (distances, buckets) = (self.distances(), shape[0]);
        let (slopes, out) = (gpu.scratch::<f32>(heads * distances), gpu.scratch::<f32>(buckets * heads));
        let (each, rows) = (Geometry::each(heads * distances), Geometry::each(buckets * heads));
        // SAFETY: parts are [sequences, heads, tiles, distances], slopes [heads, distances], the result [buckets, heads].
        unsafe {
            launch!(gpu, relative_positions::bias_slopes, each, &slopes, parts, sequences, heads, tiles, distances);
            launch!(
                gpu,
                relative_positions::bias_table_gradient,
                rows,
                &out,
                &slopes,
                &self.bucket_of,
                buckets,
                heads,
                distances
            );
        }
        Tensor::constant(out, shape)
    }
}

/// Where queries, keys and values, or their gradients, begin.
struct Parts {
    query: u64,
    key: u64,
    value: u64,
}

fn longest(packed: &Packed) -> usize {
    (0..packed.len()).map(|s| packed.range(s).len()).max().unwrap_or(0)
}

impl Op {
    /// Where the parts begin in the input of queries and that of keys and values.
    fn parts(&self, queries: &Memory, keys: &Memory) -> Parts {
        let row = (self.hidden * if self.bf16() { size_of::<u16>() } else { size_of::<f32>() }) as u64;
        match self.cross {
            true => Parts { query: queries.address(), key: keys.address(), value: keys.address() + row },
            false => {
                let start = queries.address();
                Parts { query: start, key: start + row, value: start + 2 * row }
            }
        }
    }

    /// What every kernel of attention is told of sequences and options, after its matrices.
    fn tail(&self) -> Vec<Argument> {
        let (hidden, heads) = (self.hidden, self.options.heads);
        let width = hidden / heads;
        let dropout = self.options.dropout.filter(|(rate, _)| *rate > 0.0).map(|(rate, key)| Dropout { rate, key });
        let (queries, keys) = (self.queries.on_gpu(self.gpu), self.keys.on_gpu(self.gpu));
        let window = self.options.window.map_or(-1, |window| i32::try_from(window).unwrap_or(i32::MAX));
        let scale = self.options.scale.unwrap_or(1.0 / (width as f32).sqrt());
        vec![
            (&queries.offsets).into(),
            (&keys.offsets).into(),
            self.queries.len().into(),
            heads.into(),
            width.into(),
            (if self.cross { hidden } else { 3 * hidden }).into(),
            (if self.cross { 2 * hidden } else { 3 * hidden }).into(),
            hidden.into(),
            window.into(),
            self.options.causal.into(),
            scale.into(),
            dropout.map(|_| &queries.rows).into(),
            dropout.map_or(0, |mask| mask.key.number()).into(),
            dropout.map_or(0, Dropout::threshold).into(),
            dropout.map_or(1.0, Dropout::keep).into(),
            self.biases.as_ref().map(|biases| &biases.values).into(),
            self.biases.as_ref().map_or(0, |biases| biases.centre).into(),
        ]
    }

    /// Whether inputs, results and their gradients are bf16.
    fn bf16(&self) -> bool {
        self.precision == Precision::Bf16
    }

    /// The width of a head that the kernels compute with: 32, 64 or 128.
    fn padded_width(&self) -> usize {
        (self.hidden / self.options.heads).next_power_of_two().max(32)
    }

    /// Blocks for the rows of the longest sequence, every head and every sequence, with the shared memory that the kernels' files ask for.
    fn geometry(&self, pass: Pass) -> Geometry {
        let longest = longest(if pass == Pass::Keys { &self.keys } else { &self.queries });
        let sequences = self.queries.len().min(MOST_BLOCKS);
        let grid = (longest.div_ceil(ROWS) as u32, self.options.heads as u32, sequences as u32);
        let width = self.padded_width();
        let (threads, bytes) = match (self.bf16(), pass) {
            (false, Pass::Forward) => (THREADS, 4 * ROWS * (3 * (width + 4) + ROWS + 4)),
            (false, _) => (THREADS, 4 * ROWS * (4 * (width + 4) + ROWS + 4)),
            (true, Pass::Forward) => (BF16_THREADS, 384 * (width + 8)),
            (true, Pass::Queries) => {
                let for_biases = if self.biases.is_some() { 16_640 } else { 0 };
                (BF16_THREADS, 512 * (width + 8) + for_biases)
            }
            (true, Pass::Keys) => {
                let queries = if width == WIDEST_HEAD { 32 } else { ROWS };
                (BF16_THREADS, 4 * (ROWS + queries) * (width + 8) + 16 * queries)
            }
        };
        Geometry { grid, block: (threads, 1, 1), shared: bytes as u32 }
    }
}

impl Backward for Op {
    fn backward(&self, inputs: &[Tensor], output: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        let gpu = self.gpu;
        let (tokens, heads) = (self.queries.tokens(), self.options.heads);
        let bf16 = self.bf16();
        let held = |t| operand_of(gpu, t, bf16);
        let (queries, keys) = (held(&inputs[0]), held(&inputs[usize::from(self.cross)]));
        let (out, dout) = (held(output), held(grad));
        let delta = gpu.scratch::<f32>(tokens * heads);
        let d_queries = gpu.elements(inputs[0].elements(), bf16);
        // Keys of a sequence without queries get no gradient from anywhere.
        let d_keys = gpu.elements(if self.cross { inputs[1].elements() } else { 0 }, bf16);
        gpu.clear(&d_keys);
        let from = self.parts(&queries, &keys);
        let to = self.parts(&d_queries, if self.cross { &d_keys } else { &d_queries });
        let read: [Argument; 6] = [
            from.query.into(),
            from.key.into(),
            from.value.into(),
            (&dout).into(),
            (&self.log_sums).into(),
            (&delta).into(),
        ];
        let arguments = |results: &[u64]| -> Vec<Argument> {
            let results = results.iter().map(|address| Argument::from(*address));
            results.chain(read).chain(self.tail()).collect()
        };
        let width = self.hidden / heads;
        let geometry = self.geometry(Pass::Queries);
        let (sequences, tiles) = (self.queries.len(), geometry.grid.0 as usize);
        let distances = self.biases.as_ref().map_or(0, BiasTable::distances);
        let d_bias = gpu.zeros::<f32>(sequences * heads * tiles * distances);
        // SAFETY: matrices have the rows of their sequences and the strides that are told; normalisers and delta are [queries, heads], the
        // gradient at biases [sequences, heads, tiles, distances].
        unsafe {
            launch!(
                gpu,
                attention::attention_delta,
                Geometry::warps(tokens),
                &delta,
                &out,
                &dout,
                bf16,
                tokens,
                heads,
                width,
            );
            let (queries, keys) = (geometry, self.geometry(Pass::Keys));
            let (mut at_queries, at_keys) = (arguments(&[to.query]), arguments(&[to.key, to.value]));
            at_queries.push((&d_bias).into());
            if bf16 {
                let width = self.padded_width();
                launch_bf16!(gpu, width, [
                    attention_backward_queries_bf16_32,
                    attention_backward_queries_bf16_64,
                    attention_backward_queries_bf16_128
                ], queries; &at_queries);
                launch_bf16!(gpu, width, [
                    attention_backward_keys_bf16_32,
                    attention_backward_keys_bf16_64,
                    attention_backward_keys_bf16_128
                ], keys; &at_keys);
            } else {
                launch!(gpu, attention::attention_backward_queries, queries; &at_queries);
                launch!(gpu, attention::attention_backward_keys, keys; &at_keys);
            }
        }
        let gradient = |memory, at: &Tensor| Some(Tensor::constant(Storage::on_gpu(memory, bf16), at.shape()));
        let mut grads = vec![gradient(d_queries, &inputs[0])];
        if self.cross {
            grads.push(gradient(d_keys, &inputs[1]));
        }
        if let Some(biases) = &self.biases {
            grads.push(Some(biases.gradient(gpu, &d_bias, (sequences, heads, tiles), inputs[1].shape())));
        }
        grads
    }
}

/// `softmax(scale·QKᵀ + B)·V` of every head of every sequence of `queries`. The inputs are queries, keys and values in one; that and, with biases, their
/// table; or queries, and keys and values.
pub(crate) fn attend(
    gpu: &'static Gpu,
    inputs: &[&Tensor],
    (queries, keys): (&Packed, &Packed),
    options: Attention,
    precision: Precision,
    biases: Option<&Biases>,
) -> Tensor {
    let (cross, heads, tokens) = (inputs.len() == 2 && biases.is_none(), options.heads, queries.tokens());
    let biases = biases.map(|biases| BiasTable::new(gpu, biases, inputs[1], heads));
    let hidden = if cross { inputs[0].matrix().1 } else { inputs[0].matrix().1 / 3 };
    let bf16 = precision == Precision::Bf16;
    let (out, log_sums) = (gpu.elements(tokens * hidden, bf16), gpu.scratch::<f32>(tokens * heads));
    let (queries, keys) = (queries.clone(), keys.clone());
    let op = Op { gpu, options, queries, keys, cross, hidden, precision, biases, log_sums };
    let from_queries = operand_of(gpu, inputs[0], bf16);
    let from_keys = operand_of(gpu, inputs[usize::from(cross)], bf16);
    let from = op.parts(&from_queries, &from_keys);
    let matrices: [Argument; 5] =
        [(&out).into(), (&op.log_sums).into(), from.query.into(), from.key.into(), from.value.into()];
    let arguments: Vec<Argument> = matrices.into_iter().chain(op.tail()).collect();
    // SAFETY: matrices have the rows of their sequences and the strides that are told; normalisers are [queries, heads].
    unsafe {
        let geometry = op.geometry(Pass::Forward);
        if bf16 {
            let width = op.padded_width();
            launch_bf16!(gpu, width, [attention_bf16_32, attention_bf16_64, attention_bf16_128], geometry; &arguments);
        } else {
            launch!(gpu, attention::attention, geometry; &arguments);
        }
    }
    Tensor::result(Storage::on_gpu(out, bf16), &[tokens, hidden], inputs, op)
}
