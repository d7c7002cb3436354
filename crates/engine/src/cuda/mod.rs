//! NVIDIA GPUs, by libraries that are loaded when one is asked for: the program is built without CUDA and starts without a GPU.
//!
//! Kernels lie in `kernels/`, in CUDA C; matrix products are cuBLASLt's. An operation that has kernels runs here if one of its inputs is here, and
//! brings the others up; one that has none reads its inputs by [`Tensor::data`], which copies them down, and computes in main memory.

mod arena;
mod driver;
mod error;
mod layout;
mod matmul;
mod memory;
mod module;
mod nccl;
pub(crate) mod op;
mod page_locked;
mod world;

use std::ops::Deref;

pub(crate) use driver::{Argument, Geometry, Gpu, THREADS, demand, gpu};
pub use driver::{Description, gpus};
pub use error::CudaError;
pub(crate) use layout::{Layout, OnGpu};
pub(crate) use memory::{Memory, Plain};
pub use module::{CACHE_VARIABLE, compile_all};
pub(crate) use page_locked::Landing;
pub use world::{World, WorldId};

use nccl::Nccl;

use crate::storage::Storage;
use crate::tensor::Tensor;

/// What there is to run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The GPU.
    pub gpu: Description,
    /// Version of the kernels' compiler, NVRTC.
    pub compiler: (i32, i32),
    /// Version of cuBLASLt.
    pub products: (usize, usize),
    /// Version of NCCL, which several GPUs need and one does not; `None` if it is not there.
    pub collectives: Option<(i32, i32, i32)>,
    /// GPUs that the driver shows; the first of them is the one described.
    pub gpus: usize,
}

/// Looks for a GPU and the libraries that its use needs.
///
/// # Errors
/// What is missing.
pub fn report() -> Result<Report, CudaError> {
    let gpu = gpu()?;
    // SAFETY: the GPU was opened, so the library is there.
    let version = unsafe { cudarc::cublaslt::sys::cublasLtGetVersion() };
    let products = (version / 10_000, version / 100 % 100);
    let compiler = module::compiler_version()?;
    let collectives = nccl::nccl().and_then(Nccl::version).ok();
    Ok(Report { gpu: gpu.description().clone(), compiler, products, collectives, gpus: gpus()? })
}

/// How often the process waited for a copy from the GPU to main memory, by [`Tensor::data`] for instance: each time the GPU ran out of work.
///
/// # Errors
/// There is no GPU.
pub fn copies_down() -> Result<u64, CudaError> {
    Ok(gpu()?.copies_down())
}

/// The GPU that an operation on these inputs runs on.
pub(crate) fn of(inputs: &[&Tensor]) -> Option<&'static Gpu> {
    inputs.iter().find_map(|t| match t.storage() {
        Storage::Main(_) => None,
        Storage::Gpu(data) => Some(data.memory().gpu()),
    })
}

/// An input on the GPU: where it was, or brought there for the operation.
pub(crate) enum Operand<'a> {
    There(&'a Memory),
    Brought(Memory),
}

impl Operand<'_> {
    /// Memory of its own: what was brought, or a copy of what was there.
    fn into_memory(self) -> Memory {
        match self {
            Operand::There(memory) => memory.duplicate(),
            Operand::Brought(memory) => memory,
        }
    }
}

impl Deref for Operand<'_> {
    type Target = Memory;

    fn deref(&self) -> &Memory {
        match self {
            Operand::There(memory) => memory,
            Operand::Brought(memory) => memory,
        }
    }
}

impl From<&Operand<'_>> for Argument {
    fn from(operand: &Operand) -> Argument {
        Argument::from(&**operand)
    }
}

/// The elements of a tensor on the GPU, in f32.
pub(crate) fn operand<'a>(gpu: &'static Gpu, t: &'a Tensor) -> Operand<'a> {
    match t.storage() {
        Storage::Main(data) => Operand::Brought(gpu.upload(&data[..])),
        Storage::Gpu(data) if data.narrow() => Operand::Brought(op::widened(gpu, data.memory(), t.elements())),
        Storage::Gpu(data) => Operand::There(data.memory()),
    }
}

/// The elements of a tensor on the GPU, in bf16.
pub(crate) fn rounded_operand<'a>(gpu: &'static Gpu, t: &'a Tensor) -> Operand<'a> {
    let n = t.elements();
    match t.storage() {
        Storage::Main(data) => Operand::Brought(op::rounded(gpu, &gpu.upload(&data[..]), n)),
        Storage::Gpu(data) => Operand::There(data.rounded(|| op::rounded(gpu, data.memory(), n))),
    }
}

/// The elements of a tensor on the GPU in the type that is asked for.
pub(crate) fn operand_of<'a>(gpu: &'static Gpu, t: &'a Tensor, narrow: bool) -> Operand<'a> {
    if narrow { rounded_operand(gpu, t) } else { operand(gpu, t) }
}

/// The elements of a tensor on the GPU in their own type, and whether that is bf16.
pub(crate) fn stored<'a>(gpu: &'static Gpu, t: &'a Tensor) -> (Operand<'a>, bool) {
    let narrow = t.storage().narrow();
    (operand_of(gpu, t, narrow), narrow)
}
