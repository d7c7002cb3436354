//! The tensor engine of Isogloss: coarse operations with exact backward passes over packed sequences.
//!
//! A [`Tensor`] is a handle; operations in [`op`] record how to differentiate themselves whenever an input needs
//! a gradient, and [`Tensor::backward`] walks that record once. Sequences of a batch lie back to back
//! (see [`Packed`]): there is no padding anywhere. CPU kernels are chosen at run time, see [`Isa`]; [`cuda`] has those of NVIDIA GPUs.

mod activation;
mod buffer;
mod cpu;
pub mod cuda;
mod deferred;
mod device;
pub mod op;
pub mod optim;
mod packed;
mod parallel;
mod precision;
mod product;
mod random;
pub mod schedule;
mod storage;
mod tensor;

pub use buffer::Buffer;
pub use cpu::{ISA_VARIABLE, Isa, with_isa};
pub use deferred::Deferred;
pub use device::{Device, DeviceChoice};
pub use packed::Packed;
pub use parallel::sequential;
pub use precision::Precision;
pub use random::Key;
pub use tensor::{DType, Gradients, Tensor, no_grad};

#[cfg(test)]
mod check;
