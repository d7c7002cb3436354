//! The gradient of one batch: directly, or cached in constant memory.
//!
//! Gradient caching (Gao et al. 2021, arXiv 2101.06983): encode in chunks without a record, take the loss over the whole batch and its
//! gradient at the embeddings, then encode each chunk again with a record and walk it back from there. The loss itself is
//! never split, so there is no weight of a chunk to get wrong, and dropout replays because its masks are keyed by row.
//!
//! On several GPUs each encodes its share of the texts; the embeddings of all are gathered, and every GPU takes the loss over the whole batch
//! and walks back to its own rows.

use std::ops::Range;

use isogloss_engine::cuda::World;
use isogloss_engine::{Gradients, Key, Packed, Tensor, no_grad, op};
use isogloss_model::{BiEncoder, TokenIds};

use crate::error::Result;
use crate::loss::Loss;
use crate::recipe::Recipe;
use crate::share::{Share, rows_by_rank};

/// The texts of a batch as tokens, group after group.
pub struct TokenBatch<const GROUPS: usize> {
    sequences: Vec<TokenIds>,
    /// Number of texts of each group.
    sizes: [usize; GROUPS],
    /// Whether embeddings are as the model gives them, or before its normalisation.
    normalized: bool,
}

impl<const GROUPS: usize> TokenBatch<GROUPS> {
    /// Tokenizes the texts of a batch.
    ///
    /// # Errors
    /// The tokenizer fails.
    pub fn new<R: Recipe<GROUPS>>(
        model: &BiEncoder,
        recipe: &R,
        batch: &[R::Example],
        key: Key,
    ) -> Result<TokenBatch<GROUPS>> {
        let mut sequences = Vec::new();
        let mut sizes = [0; GROUPS];
        for (size, group) in sizes.iter_mut().zip(recipe.groups(batch, key)) {
            *size = group.texts.len();
            sequences.extend(model.tokenize(&group.texts, group.side)?);
        }
        Ok(TokenBatch { sequences, sizes, normalized: recipe.normalized() })
    }

    /// The texts as tokens.
    pub fn sequences(&self) -> &[TokenIds] {
        &self.sequences
    }

    /// Number of texts of each group.
    pub fn sizes(&self) -> [usize; GROUPS] {
        self.sizes
    }

    /// Tokens of all texts.
    pub fn tokens(&self) -> usize {
        self.sequences.iter().map(|s| s.ids.len()).sum()
    }

    /// Embeddings of the given rows.
    fn encode(&self, model: &BiEncoder, rows: Range<usize>, dropout: Option<Key>) -> Tensor {
        let sequences = &self.sequences[rows.clone()];
        let packed = Packed::new(sequences.iter().map(|s| s.ids.len()), rows.start as u64);
        match self.normalized {
            true => model.forward(sequences, &packed, dropout),
            false => model.forward_unnormalized(sequences, &packed, dropout),
        }
    }

    /// Embeddings of all texts, group by group, without gradient or dropout; encoded in chunks and on all GPUs as [`accumulate`] does.
    ///
    /// # Errors
    /// The GPUs cannot exchange them.
    pub fn embeddings(&self, model: &BiEncoder, options: &StepOptions) -> Result<[Tensor; GROUPS]> {
        let share = Share::of(&self.sequences, options, |_| true);
        Ok(self.split(&self.gather(&self.encode_all(model, &share.chunks, None), options.world)?))
    }

    /// Embeddings of the rows of all chunks, without gradient.
    fn encode_all(&self, model: &BiEncoder, chunks: &[Range<usize>], dropout: Option<Key>) -> Tensor {
        let parts: Vec<Tensor> =
            no_grad(|| chunks.iter().map(|rows| self.encode(model, rows.clone(), dropout)).collect());
        op::concat_rows(&parts.iter().collect::<Vec<_>>())
    }

    /// All embeddings, from those that every GPU made of its share.
    fn gather(&self, own: &Tensor, world: &World) -> Result<Tensor> {
        let rows: Vec<usize> = rows_by_rank(&self.sequences, world.size()).iter().map(Range::len).collect();
        Ok(world.gather_rows(own, &rows).map_err(isogloss_model::Error::from)?)
    }

    /// The rows of `all` group by group.
    fn split(&self, all: &Tensor) -> [Tensor; GROUPS] {
        let mut start = 0;
        self.sizes.map(|size| {
            let rows: Vec<usize> = (start..start + size).collect();
            start += size;
            op::gather_rows(all, &rows)
        })
    }
}

/// Ranges of sequences of at most `tokens` tokens, at least one sequence each; all in one without a limit.
pub(crate) fn chunks(sequences: &[TokenIds], tokens: Option<usize>) -> Vec<Range<usize>> {
    let most = tokens.unwrap_or(usize::MAX);
    let mut chunks: Vec<Range<usize>> = Vec::new();
    let mut held = 0;
    for (row, sequence) in sequences.iter().enumerate() {
        held += sequence.ids.len();
        match chunks.last_mut() {
            Some(last) if held <= most => last.end = row + 1,
            _ => {
                chunks.push(row..row + 1);
                held = sequence.ids.len();
            }
        }
    }
    chunks
}

/// What the gradient of a batch is taken with.
#[derive(Clone, Copy, Debug)]
pub struct StepOptions<'a> {
    /// The batch's key: draws and dropout.
    pub key: Key,
    /// Whether dropout is on.
    pub dropout: bool,
    /// Batches of more tokens than this are encoded in chunks of at most as many.
    pub chunk_tokens: Option<usize>,
    /// The loss is multiplied by it before differentiation.
    pub weight: f32,
    /// The GPUs that share the batch.
    pub world: &'a World,
}

/// Adds the gradient of one batch to `gradients`; returns its loss, unweighted and detached, and its number of tokens.
///
/// On several GPUs what is added is this one's part: the gradient is the sum over all of them. Every one has the whole gradient of the recipe's own weights;
/// the first one's counts, the others add zeros.
///
/// # Errors
/// The tokenizer fails, or the GPUs cannot exchange their embeddings.
pub fn accumulate<R: Recipe<GROUPS>, const GROUPS: usize>(
    model: &BiEncoder,
    recipe: &mut R,
    batch: &[R::Example],
    options: StepOptions,
    gradients: &mut Gradients,
) -> Result<(Loss, usize)> {
    let texts = TokenBatch::<GROUPS>::new(model, recipe, batch, options.key)?;
    let tokens = texts.tokens();
    let dropout = options.dropout.then(|| options.key.derive(u64::MAX));
    let share = Share::of(&texts.sequences, &options, |_| true);
    let loss = match share.chunks.as_slice() {
        [all] if options.world.size() == 1 => {
            let embeddings = texts.encode(model, all.clone(), dropout);
            let loss = recipe.loss(batch, options.key, texts.split(&embeddings));
            op::scale(&loss.total, options.weight).backward(gradients);
            loss
        }
        chunks => {
            // Where one chunk is all, its record is kept, and nothing encoded twice.
            let mut kept = match chunks {
                [all] => Some(texts.encode(model, all.clone(), dropout)),
                _ => None,
            };
            let own = kept.as_ref().map_or_else(|| texts.encode_all(model, chunks, dropout), Tensor::detach);
            let leaf = texts.gather(&own, options.world)?.leaf();
            let loss = recipe.loss(batch, options.key, texts.split(&leaf));
            // The recipe's own weights get their gradients here, the encoder's below.
            let mut of_loss = Gradients::default();
            op::scale(&loss.total, options.weight).backward(&mut of_loss);
            let at_embeddings = of_loss.take(&leaf);
            if !options.world.is_first() {
                of_loss.scale(0.0);
            }
            gradients.merge(of_loss);
            if let Some(grad) = at_embeddings {
                for rows in chunks {
                    let part = op::gather_rows(&grad, &rows.clone().collect::<Vec<_>>());
                    let embeddings = kept.take().unwrap_or_else(|| texts.encode(model, rows.clone(), dropout));
                    embeddings.backward_from(op::scale(&part, share.weight), gradients);
                }
            }
            loss
        }
    };
    // Without its record, which holds the parameters that the optimiser is about to change.
    Ok((Loss { total: loss.total.detach(), ..loss }, tokens))
}
