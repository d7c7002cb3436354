//! Multi-head attention of packed sequences to themselves, or each to one of another set.

use std::cell::RefCell;

use super::relative_positions::RelativePositions;
use crate::buffer::Buffer;
use crate::cpu::Isa;
use crate::cpu::attention::{self as kernel, Bias, Head, Rows, Scratch};
use crate::cuda;
use crate::packed::Packed;
use crate::parallel::{self, Shared};
use crate::precision::Precision;
use crate::random::{Dropout, Key};
use crate::tensor::{Backward, Tensor};

thread_local! {
    static SCRATCH: RefCell<Scratch> = RefCell::default();
}

/// How to attend.
#[derive(Clone, Copy, Debug, Default)]
pub struct Attention {
    /// Number of heads; divides the width of queries.
    pub heads: usize,
    /// A token sees tokens at most this far from it, on either side; all if `None`.
    pub window: Option<usize>,
    /// Whether a token sees none after it.
    pub causal: bool,
    /// What products of queries and keys are multiplied by; 1/√(width of a head) if `None`.
    pub scale: Option<f32>,
    /// Rate and key of the dropout of attention probabilities.
    pub dropout: Option<(f32, Key)>,
}

/// Biases of a table `[buckets, heads]` by distance.
struct Distances {
    /// Bucket of every distance from `−centre` to `centre`.
    buckets: Vec<usize>,
    centre: usize,
    /// Bias of every head and distance, `[heads, 2·centre + 1]`.
    values: Vec<f32>,
}

/// The buckets of all distances within sequences of up to `longest` tokens, and the greatest distance.
fn buckets_of(positions: RelativePositions, longest: usize) -> (Vec<usize>, usize) {
    let centre = longest.saturating_sub(1);
    let distances = -(centre as i64)..=centre as i64;
    (distances.map(|distance| positions.bucket(distance)).collect(), centre)
}

impl Distances {
    fn new(table: &Tensor, heads: usize, longest: usize, positions: RelativePositions) -> Distances {
        let (buckets, centre) = buckets_of(positions, longest);
        let value = |head: usize, bucket: &usize| table.data()[bucket * heads + head];
        let values = (0..heads).flat_map(|head| buckets.iter().map(move |bucket| value(head, bucket))).collect();
        Distances { buckets, centre, values }
    }

    fn of_head(&self, head: usize) -> Bias<'_> {
        let n = self.buckets.len();
        Bias { values: &self.values[head * n..(head + 1) * n], centre: self.centre }
    }

    /// The gradient at the table from those of every sequence and head at its distances, added up in the order of the sequences.
    fn table_gradient(&self, parts: &[f32], heads: usize, shape: &[usize]) -> Tensor {
        let n = self.buckets.len();
        let mut sums = vec![0.0; shape.iter().product()];
        for (task, part) in parts.chunks_exact(n).enumerate() {
            for (slope, bucket) in part.iter().zip(&self.buckets) {
                sums[bucket * heads + task % heads] += slope;
            }
        }
        Tensor::new(sums, shape)
    }
}

struct Op {
    options: Attention,
    queries: Packed,
    keys: Packed,
    /// Whether keys and values are an input of their own, rows of both.
    cross: bool,
    /// Width of all heads.
    hidden: usize,
    distances: Option<Distances>,
    /// Format of the products: f32, or bf16 where the queries were computed in a narrower one than f32.
    precision: Precision,
    /// Logarithm of each softmax's normaliser, `[queries, heads]`.
    log_sums: Buffer,
}

impl Op {
    /// Head `h` of sequence `s`.
    fn head(&self, s: usize, h: usize) -> Head<'_> {
        let (hidden, width) = (self.hidden, self.hidden / self.options.heads);
        let dropout = self.options.dropout.filter(|(rate, _)| *rate > 0.0);
        Head {
            queries: self.queries.range(s).len(),
            keys: self.keys.range(s).len(),
            width,
            query_stride: if self.cross { hidden } else { 3 * hidden },
            key_stride: if self.cross { 2 * hidden } else { 3 * hidden },
            out_stride: hidden,
            window: self.options.window,
            causal: self.options.causal,
            scale: self.options.scale.unwrap_or(1.0 / (width as f32).sqrt()),
            bias: self.distances.as_ref().map(|distances| distances.of_head(h)),
            dropout: dropout.map(|(rate, key)| Dropout { rate, key: self.queries.key(key, s).derive(h as u64) }),
            precision: self.precision,
        }
    }

    /// Where the head's rows begin in the input of queries and in that of keys and values.
    fn starts(&self, s: usize, h: usize) -> Rows<usize> {
        let (hidden, at) = (self.hidden, h * (self.hidden / self.options.heads));
        let (query, key) = (self.queries.range(s).start, self.keys.range(s).start);
        match self.cross {
            true => {
                let key = key * 2 * hidden + at;
                Rows { query: query * hidden + at, key, value: key + hidden }
            }
            false => {
                let query = query * 3 * hidden + at;
                Rows { query, key: query + hidden, value: query + 2 * hidden }
            }
        }
    }

    /// The rows of a head in the two inputs, which are one unless `cross`.
    fn rows(&self, s: usize, h: usize, queries: &Tensor, keys: &Tensor) -> Rows<*const f32> {
        let at = self.starts(s, h);
        let (q, k) = (queries.data(), keys.data());
        Rows { query: q[at.query..].as_ptr(), key: k[at.key..].as_ptr(), value: k[at.value..].as_ptr() }
    }

    /// Where the result of a head begins.
    fn out(&self, s: usize, h: usize) -> usize {
        self.queries.range(s).start * self.hidden + h * (self.hidden / self.options.heads)
    }

    /// Where the normalisers of a head begin.
    fn log_sum(&self, s: usize, h: usize) -> usize {
        self.queries.range(s).start * self.options.heads + h
    }

    /// A task for every head of every sequence: its number, sequence and head.
    fn each(&self, f: impl Fn(usize, usize, usize) + Send + Sync) {
        let heads = self.options.heads;
        parallel::for_each(self.queries.len() * heads, |task| f(task, task / heads, task % heads));
    }
}

impl Backward for Op {
    fn backward(&self, inputs: &[Tensor], _: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>> {
        let isa = Isa::current();
        let (queries, keys) = (&inputs[0], &inputs[usize::from(self.cross)]);
        let heads = self.options.heads;
        let mut d_queries = Buffer::scratch(queries.data().len());
        let mut d_keys = Buffer::zeros(if self.cross { keys.data().len() } else { 0 });
        let distances = self.distances.as_ref().map_or(0, |distances| distances.buckets.len());
        let mut d_bias = Buffer::zeros(self.queries.len() * heads * distances);
        let queries_at = Shared::new(&mut d_queries);
        let keys_at = if self.cross { Shared::new(&mut d_keys) } else { queries_at };
        let bias_at = Shared::new(&mut d_bias);
        self.each(|task, s, h| {
            let head = self.head(s, h);
            if head.queries == 0 {
                return;
            }
            let (at, out) = (self.starts(s, h), self.out(s, h));
            SCRATCH.with_borrow_mut(|scratch| {
                // SAFETY: a task owns its head's columns of its sequence's rows, and its part of the bias's gradient.
                unsafe {
                    let to =
                        Rows { query: queries_at.at(at.query), key: keys_at.at(at.key), value: keys_at.at(at.value) };
                    kernel::backward(
                        isa,
                        &head,
                        self.rows(s, h, queries, keys),
                        grad.data()[out..].as_ptr(),
                        self.log_sums[self.log_sum(s, h)..].as_ptr(),
                        heads,
                        to,
                        bias_at.at(task * distances),
                        scratch,
                    );
                }
            });
        });
        let mut grads = vec![Some(Tensor::new(d_queries, queries.shape()))];
        if self.cross {
            grads.push(Some(Tensor::new(d_keys, keys.shape())));
        }
        if let Some(distances) = &self.distances {
            grads.push(Some(distances.table_gradient(&d_bias, heads, inputs[inputs.len() - 1].shape())));
        }
        grads
    }
}

/// The GPU that attends, where an input is on one and there are kernels for the width of the heads, which must divide the width of all.
fn gpu_for(inputs: &[&Tensor], hidden: usize, heads: usize) -> Option<&'static cuda::Gpu> {
    assert!(heads > 0 && hidden.is_multiple_of(heads), "attention: {heads} heads of {hidden}");
    cuda::of(inputs).filter(|_| hidden <= heads * cuda::op::WIDEST_HEAD)
}

/// The result of `op`, whose normalisers are still to be made.
fn attend(mut op: Op, inputs: &[&Tensor]) -> Tensor {
    let isa = Isa::current();
    let (heads, hidden, tokens) = (op.options.heads, op.hidden, op.queries.tokens());
    let (queries, keys) = (inputs[0], inputs[usize::from(op.cross)]);
    if let (Some(gpu), None) = (gpu_for(inputs, hidden, heads), &op.distances) {
        return cuda::op::attend(gpu, inputs, (&op.queries, &op.keys), op.options, op.precision, None);
    }
    let mut out = Buffer::scratch(tokens * hidden);
    let mut log_sums = Buffer::scratch(tokens * heads);
    let (out_at, sums_at) = (Shared::new(&mut out), Shared::new(&mut log_sums));
    op.each(|_, s, h| {
        let head = op.head(s, h);
        if head.queries == 0 {
            return;
        }
        assert!(head.keys > 0, "attention: sequence {s} has nothing to attend to");
        SCRATCH.with_borrow_mut(|scratch| {
            // SAFETY: a task owns its head's columns of its sequence's rows.
            unsafe {
                let (to, sums) = (out_at.at(op.out(s, h)), sums_at.at(op.log_sum(s, h)));
                kernel::forward(isa, &head, op.rows(s, h, queries, keys), to, sums, heads, scratch);
            }
        });
    });
    op.log_sums = log_sums;
    Tensor::result(out, &[tokens, hidden], inputs, op)
}

fn self_attention(qkv: &Tensor, packed: &Packed, options: Attention) -> Op {
    let (t, three) = qkv.matrix();
    let hidden = three / 3;
    assert_eq!((t, three), (packed.tokens(), 3 * hidden), "attention: qkv {:?}", qkv.shape());
    let (queries, keys) = (packed.clone(), packed.clone());
    let precision = qkv.computed_in().of_attention();
    Op { options, queries, keys, cross: false, hidden, distances: None, precision, log_sums: Buffer::scratch(0) }
}

/// `softmax(scale·QKᵀ)·V` of every head of every sequence.
///
/// # Shapes
/// `qkv: [tokens, 3·hidden]`, rows of query, key, value, each `heads` times `hidden / heads` → `[tokens, hidden]`.
///
/// # Panics
/// If the shapes do not fit.
pub fn attention(qkv: &Tensor, packed: &Packed, options: Attention) -> Tensor {
    attend(self_attention(qkv, packed, options), &[qkv])
}

/// `softmax(scale·QKᵀ + B)·V` of every head of every sequence, with `B[i, j]` the head's bias in the row of `table` that holds the
/// distance `j − i`.
///
/// # Shapes
/// `qkv` as of [`attention`], `table: [buckets, heads]` → `[tokens, hidden]`.
///
/// # Panics
/// If the shapes do not fit.
pub fn biased_attention(
    qkv: &Tensor,
    packed: &Packed,
    options: Attention,
    table: &Tensor,
    positions: RelativePositions,
) -> Tensor {
    let heads = options.heads;
    assert_eq!(table.shape(), [positions.buckets, heads], "attention: table of biases");
    let longest = (0..packed.len()).map(|s| packed.range(s).len()).max().unwrap_or(0);
    let op = self_attention(qkv, packed, options);
    let inputs = [qkv, table];
    if let Some(gpu) = gpu_for(&inputs, op.hidden, heads) {
        let (buckets, centre) = buckets_of(positions, longest);
        let biases = cuda::op::Biases { buckets: buckets.into_iter().map(|bucket| bucket as i32).collect(), centre };
        return cuda::op::attend(gpu, &inputs, (packed, packed), options, op.precision, Some(&biases));
    }
    attend(Op { distances: Some(Distances::new(table, heads, longest, positions)), ..op }, &inputs)
}

/// `softmax(scale·QKᵀ)·V` of every head of every sequence of `queries`, with the keys and values of the same sequence of `keys`.
///
/// # Shapes
/// `q: [query tokens, hidden]`, `kv: [key tokens, 2·hidden]`, rows of key and value → `[query tokens, hidden]`.
///
/// # Panics
/// If the shapes or numbers of sequences do not fit, a sequence with queries has no keys, or windowed or causal attention is asked for.
pub fn cross_attention(q: &Tensor, kv: &Tensor, queries: &Packed, keys: &Packed, options: Attention) -> Tensor {
    let (t, hidden) = q.matrix();
    assert_eq!((t, kv.matrix()), (queries.tokens(), (keys.tokens(), 2 * hidden)), "cross_attention: q {:?}", q.shape());
    assert_eq!(queries.len(), keys.len(), "cross_attention: as many sequences of keys as of queries");
    assert!(options.window.is_none() && !options.causal, "cross_attention: positions of two texts do not compare");
    let (queries, keys, log_sums) = (queries.clone(), keys.clone(), Buffer::scratch(0));
    let precision = q.computed_in().of_attention();
    attend(Op { options, queries, keys, cross: true, hidden, distances: None, precision, log_sums }, &[q, kv])
}

#[cfg(test)]
mod tests;
