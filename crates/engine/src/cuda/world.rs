//! The processes that train together, one per GPU, and what they tell each other by NCCL.

use std::ffi::c_void;
use std::sync::{Mutex, MutexGuard};

use super::driver::{Gpu, gpu};
use super::error::CudaError;
use super::memory::Memory;
use super::nccl::{Handle, Nccl, SUM, Type, UniqueId, nccl};
use super::operand;
use crate::tensor::{DType, Gradients, Tensor};

/// What the processes of a world find each other by.
pub struct WorldId(UniqueId);

impl WorldId {
    /// Bytes of an id.
    pub const BYTES: usize = 128;

    /// The id of a new world. The process that makes it must live until all have joined. No GPU is opened.
    ///
    /// # Errors
    /// NCCL is not there or fails.
    pub fn new() -> Result<WorldId, CudaError> {
        let (nccl, mut id) = (nccl()?, UniqueId([0; WorldId::BYTES]));
        // SAFETY: the id is written through a valid pointer.
        nccl.check(unsafe { (nccl.get_unique_id)(&mut id) }, "make an id")?;
        Ok(WorldId(id))
    }

    /// To be handed to the other processes.
    pub fn bytes(&self) -> &[u8; WorldId::BYTES] {
        &self.0.0
    }
}

impl From<[u8; WorldId::BYTES]> for WorldId {
    fn from(bytes: [u8; WorldId::BYTES]) -> WorldId {
        WorldId(UniqueId(bytes))
    }
}

/// The processes that train together and this one's place among them. All must call the same methods in the same order: each waits for the others.
///
/// A world that is dropped, not left, is ended with the process, as after an error: NCCL's own end would wait for the others.
pub struct World {
    rank: usize,
    size: usize,
    link: Option<Mutex<Link>>,
}

/// NCCL's communicator.
struct Link {
    nccl: &'static Nccl,
    gpu: &'static Gpu,
    handle: Handle,
}

// SAFETY: a communicator may be used from any thread, by one at a time, which the lock sees to.
unsafe impl Send for Link {}

static ALONE: World = World { rank: 0, size: 1, link: None };

impl World {
    /// The world of a process that trains by itself; no NCCL.
    pub fn alone() -> &'static World {
        &ALONE
    }

    /// Joins `size` processes as the one of number `rank`; waits until all have. The GPU is the first that the driver shows.
    ///
    /// # Errors
    /// There is no GPU or no NCCL, or NCCL fails.
    pub fn join(id: &WorldId, rank: usize, size: usize) -> Result<World, CudaError> {
        let (gpu, nccl, mut handle) = (gpu()?, nccl()?, std::ptr::null_mut());
        let number = |n: usize| i32::try_from(n).expect("fewer than 2³¹ processes");
        // SAFETY: the handle is written through a valid pointer; the GPU's context is current.
        let joined = unsafe { (nccl.init_rank)(&mut handle, number(size), id.0, number(rank)) };
        nccl.check(joined, "join the GPUs")?;
        Ok(World { rank, size, link: Some(Mutex::new(Link { nccl, gpu, handle })) })
    }

    /// This process's number, from 0.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// Number of processes.
    pub fn size(&self) -> usize {
        self.size
    }

    /// Whether this is the process that writes files and talks.
    pub fn is_first(&self) -> bool {
        self.rank == 0
    }

    fn link(&self) -> Option<MutexGuard<'_, Link>> {
        self.link.as_ref().map(|link| link.lock().unwrap_or_else(|poisoned| poisoned.into_inner()))
    }

    /// The rows of all processes, one below the other: of `own: [at least rows[rank], n]` the first `rows[rank]`. Without gradient.
    ///
    /// # Errors
    /// NCCL fails.
    ///
    /// # Panics
    /// If `own` has fewer rows than `rows` says, or `rows` is not one number per process.
    pub fn gather_rows(&self, own: &Tensor, rows: &[usize]) -> Result<Tensor, CudaError> {
        let (m, n) = own.matrix();
        assert!(rows.len() == self.size && m >= rows[self.rank], "{m} rows of {rows:?}, process {}", self.rank);
        let Some(link) = self.link() else { return Ok(own.detach()) };
        let (from, all) = (operand(link.gpu, own), rows.iter().sum::<usize>());
        let to = link.gpu.scratch::<f32>(all * n);
        link.group(|link| {
            let mut start = 0;
            for (root, rows) in rows.iter().enumerate().filter(|(_, rows)| **rows > 0 && n > 0) {
                let here = to.address() + (start * n * size_of::<f32>()) as u64;
                let from = if root == self.rank { from.address() } else { here };
                // SAFETY: `own` has the rows that it sends, and the result those of all.
                unsafe { link.broadcast(from, here, rows * n, root)? };
                start += rows;
            }
            Ok(())
        })?;
        Ok(Tensor::constant(to, &[all, n]))
    }

    /// Replaces the gradient of every parameter by the sum of all processes'; the same bits for all. A parameter without a gradient takes part with zeros
    /// and stays without.
    ///
    /// # Errors
    /// NCCL fails.
    pub fn sum_gradients<'a>(
        &self,
        parameters: impl IntoIterator<Item = &'a Tensor>,
        gradients: &mut Gradients,
    ) -> Result<(), CudaError> {
        let Some(link) = self.link() else { return Ok(()) };
        let mut sums = Vec::new();
        for parameter in parameters {
            let gradient = gradients.take(parameter);
            let has_one = gradient.is_some();
            // In memory of its own: a gradient may be that of two parameters at once.
            let sum = match gradient {
                Some(gradient) => gradient.unshared(link.gpu),
                None => Tensor::constant(link.gpu.zeros::<f32>(parameter.elements()), parameter.shape()),
            };
            sums.push((parameter, sum, has_one));
        }
        link.group(|link| {
            for (_, sum, _) in &mut sums {
                let memory = sum.memory_mut().expect("a gradient that nobody else holds");
                // SAFETY: the memory has as many elements as the tensor.
                unsafe { link.sum_in_place(memory.address(), memory.bytes() / size_of::<f32>())? };
            }
            Ok(())
        })?;
        for (parameter, sum, _) in sums.into_iter().filter(|(.., has_one)| *has_one) {
            gradients.set(parameter, sum);
        }
        Ok(())
    }

    /// What every process gives, by number; waits for the GPU.
    ///
    /// # Errors
    /// NCCL fails.
    pub fn gather<const N: usize>(&self, own: [u8; N]) -> Result<Vec<[u8; N]>, CudaError> {
        let Some(link) = self.link() else { return Ok(vec![own]) };
        let (from, to) = (link.gpu.upload(&own), link.gpu.scratch::<u8>(N * self.size));
        link.group(|link| {
            // SAFETY: the result has room for as many bytes of every process as are sent.
            unsafe { link.all_gather(&from, &to, N) }
        })?;
        let mut all = vec![0; N * self.size];
        link.gpu.download(&to, &mut all);
        Ok(all.chunks_exact(N).map(|part| part.try_into().expect("N bytes")).collect())
    }

    /// What the first process gives, for all.
    ///
    /// # Errors
    /// NCCL fails.
    pub fn of_first<const N: usize>(&self, own: [u8; N]) -> Result<[u8; N], CudaError> {
        Ok(self.gather(own)?[0])
    }

    /// The sum of a tensor of every process, all of one shape; the same bits for all. Nothing is waited for. Without gradient.
    ///
    /// # Errors
    /// NCCL fails.
    ///
    /// # Panics
    /// If it is stored as bf16.
    pub fn sum(&self, own: Tensor) -> Result<Tensor, CudaError> {
        let Some(link) = self.link() else { return Ok(own.detach()) };
        assert_eq!(own.dtype(), DType::F32, "what is added up");
        let mut sum = own.detach().unshared(link.gpu);
        let memory = sum.memory_mut().expect("a tensor that nobody else holds");
        let (at, n) = (memory.address(), memory.bytes() / size_of::<f32>());
        // SAFETY: the memory has as many elements as the tensor.
        link.group(|link| unsafe { link.sum_in_place(at, n) })?;
        Ok(sum)
    }

    /// Ends the world, which all must do.
    ///
    /// # Errors
    /// NCCL fails.
    pub fn leave(self) -> Result<(), CudaError> {
        let Some(link) = self.link else { return Ok(()) };
        let Link { nccl, gpu, handle } = link.into_inner().unwrap_or_else(|poisoned| poisoned.into_inner());
        gpu.current();
        // SAFETY: the communicator is not used again.
        nccl.check(unsafe { (nccl.destroy)(handle) }, "leave the GPUs")
    }
}

impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "process {} of {}", self.rank, self.size)
    }
}

impl Link {
    /// Makes the calls of `f` one; then tells what went wrong in earlier ones.
    fn group(&self, f: impl FnOnce(&Link) -> Result<(), CudaError>) -> Result<(), CudaError> {
        self.gpu.current();
        // SAFETY: no pointers.
        self.nccl.check(unsafe { (self.nccl.group_start)() }, "begin a group")?;
        let given = f(self);
        // SAFETY: as above; a group that was begun is ended.
        let ended = self.nccl.check(unsafe { (self.nccl.group_end)() }, "exchange data");
        given.and(ended)?;
        let mut earlier = 0;
        // SAFETY: the result is written through a valid pointer.
        self.nccl.check(unsafe { (self.nccl.async_error)(self.handle, &mut earlier) }, "tell its errors")?;
        self.nccl.check(earlier, "exchange data")
    }

    /// Brings `n` numbers of the process `root`, at `from` there, to `to` everywhere.
    ///
    /// # Safety
    /// Both are the GPU's and have that many numbers; `from` may be anything elsewhere than at `root`.
    unsafe fn broadcast(&self, from: u64, to: u64, n: usize, root: usize) -> Result<(), CudaError> {
        let (from, to) = (from as *const c_void, to as *mut c_void);
        let root = i32::try_from(root).expect("fewer than 2³¹ processes");
        // SAFETY: the caller's contract.
        let done = unsafe { (self.nccl.broadcast)(from, to, n, Type::F32, root, self.handle, self.gpu.stream()) };
        self.nccl.check(done, "gather rows")
    }

    /// Replaces `n` numbers by their sums over all processes.
    ///
    /// # Safety
    /// There are as many at `at`, on the GPU.
    unsafe fn sum_in_place(&self, at: u64, n: usize) -> Result<(), CudaError> {
        if n == 0 {
            return Ok(());
        }
        let (nccl, at) = (self.nccl, at as *mut c_void);
        // SAFETY: the caller's contract; a sum may take the place of what is added.
        let done = unsafe { (nccl.all_reduce)(at, at, n, Type::F32, SUM, self.handle, self.gpu.stream()) };
        nccl.check(done, "add gradients")
    }

    /// Brings `n` bytes of every process to `to`, in their order.
    ///
    /// # Safety
    /// `from` has that many, `to` as many for each process.
    unsafe fn all_gather(&self, from: &Memory, to: &Memory, n: usize) -> Result<(), CudaError> {
        let (from, to) = (from.address() as *const c_void, to.address() as *mut c_void);
        // SAFETY: the caller's contract.
        let done = unsafe { (self.nccl.all_gather)(from, to, n, Type::Byte, self.handle, self.gpu.stream()) };
        self.nccl.check(done, "gather numbers")
    }
}
