//! Coarse differentiable operations, one file each: forward, exact backward, gradient check.

mod add;
mod attention;
mod dropout;
mod embedding;
mod embedding_bag;
mod geglu;
mod layer_norm;
mod linear;
mod normalize;
mod pool;
mod rotary;
mod rows;
mod scale;
mod softmax_cross_entropy;

pub use add::add;
pub use attention::{Attention, attention};
pub use dropout::dropout;
pub use embedding::embedding;
pub use embedding_bag::embedding_bag;
pub use geglu::geglu;
pub use layer_norm::layer_norm;
pub use linear::{Activation, linear};
pub use normalize::l2_normalize;
pub use pool::{Pooling, pool};
pub use rotary::rotary;
pub use rows::{concat_rows, gather_rows};
pub use scale::scale;
pub use softmax_cross_entropy::softmax_cross_entropy;
