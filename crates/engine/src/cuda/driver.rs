//! The GPU by the driver's library, which is loaded at run time: its context, its one stream, copies and launches.
//!
//! All work of the process is put on one stream, in the order in which the calls are made. So memory that is given back can be taken again at once:
//! whoever takes it comes later on the stream than whoever used it.

use std::cell::Cell;
use std::ffi::c_void;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, OnceLock};

use cudarc::driver::result as cu;
use cudarc::driver::sys;

use super::arena::Arena;
use super::error::{CudaError, Purpose};
use super::matmul::Products;
use super::memory::{Memory, Plain};
use super::module::{Kernel, Modules};
use super::page_locked::{Places, Staging};

/// The first GPU that the driver shows.
pub(crate) struct Gpu {
    context: sys::CUcontext,
    stream: sys::CUstream,
    pub(super) arena: Arena,
    pub(super) modules: Modules,
    products: OnceLock<Products>,
    staging: Staging,
    pub(super) places: Places,
    copies_down: AtomicU64,
    description: Description,
}

// SAFETY: contexts and streams may be used from any thread that the context is current to, which `current` sees to; the rest is synchronised.
unsafe impl Send for Gpu {}
// SAFETY: as above.
unsafe impl Sync for Gpu {}

/// What a GPU is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// Its name.
    pub name: String,
    /// Compute capability, major and minor.
    pub capability: (i32, i32),
    /// Streaming multiprocessors.
    pub multiprocessors: i32,
    /// Bytes of memory.
    pub memory: usize,
    /// Newest CUDA version that the driver serves, major and minor.
    pub driver: (i32, i32),
}

/// Blocks and threads of a launch, and bytes of shared memory given at the launch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Geometry {
    pub grid: (u32, u32, u32),
    pub block: (u32, u32, u32),
    pub shared: u32,
}

/// Threads of a block where nothing else is said.
pub(crate) const THREADS: u32 = 256;

impl Geometry {
    /// A thread for every one of `n` elements, or fewer that go round.
    pub(crate) fn each(n: usize) -> Geometry {
        Geometry::blocks(n.div_ceil(THREADS as usize).min(16384))
    }

    /// `n` blocks.
    pub(crate) fn blocks(n: usize) -> Geometry {
        let n = u32::try_from(n).expect("fewer than 2³² blocks");
        Geometry { grid: (n, 1, 1), block: (THREADS, 1, 1), shared: 0 }
    }

    /// A thread for every eight of `n` elements, or fewer that go round.
    pub(crate) fn vectors(n: usize) -> Geometry {
        Geometry::each(n.div_ceil(8))
    }

    /// A warp for each of `n` rows.
    pub(crate) fn warps(n: usize) -> Geometry {
        Geometry::blocks(n.div_ceil(THREADS as usize / 32))
    }

    /// Blocks of 32 columns and 8 rows of threads: one for every 32 columns of every group of rows.
    pub(crate) fn columns(n: usize, groups: usize) -> Geometry {
        Geometry { grid: (n.div_ceil(32) as u32, groups as u32, 1), block: (32, 8, 1), shared: 0 }
    }
}

/// One argument of a kernel.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Argument {
    Address(u64),
    Int(i32),
    Long(i64),
    Float(f32),
    Double(f64),
}

impl Argument {
    fn pointer(&self) -> *mut c_void {
        match self {
            Argument::Address(x) => std::ptr::from_ref(x).cast_mut().cast(),
            Argument::Int(x) => std::ptr::from_ref(x).cast_mut().cast(),
            Argument::Long(x) => std::ptr::from_ref(x).cast_mut().cast(),
            Argument::Float(x) => std::ptr::from_ref(x).cast_mut().cast(),
            Argument::Double(x) => std::ptr::from_ref(x).cast_mut().cast(),
        }
    }
}

macro_rules! arguments {
    ($($from:ty => $variant:ident),*) => {
        $(impl From<$from> for Argument {
            fn from(x: $from) -> Argument {
                Argument::$variant(x)
            }
        })*
    };
}

arguments!(u64 => Address, i32 => Int, i64 => Long, f32 => Float, f64 => Double);

impl From<usize> for Argument {
    /// A size that kernels take as `int`.
    fn from(n: usize) -> Argument {
        Argument::Int(i32::try_from(n).expect("a size below 2³¹"))
    }
}

impl From<bool> for Argument {
    fn from(x: bool) -> Argument {
        Argument::Int(i32::from(x))
    }
}

impl From<&Memory> for Argument {
    fn from(memory: &Memory) -> Argument {
        Argument::Address(memory.address())
    }
}

impl From<Option<&Memory>> for Argument {
    fn from(memory: Option<&Memory>) -> Argument {
        Argument::Address(memory.map_or(0, Memory::address))
    }
}

thread_local! {
    static CURRENT: Cell<bool> = const { Cell::new(false) };
}

static GPU: LazyLock<Result<Gpu, CudaError>> = LazyLock::new(Gpu::open);

/// The GPU, opened at the first call.
///
/// # Errors
/// There is none, or a library that its use needs is missing.
pub(crate) fn gpu() -> Result<&'static Gpu, CudaError> {
    let gpu = GPU.as_ref().map_err(Clone::clone)?;
    gpu.current();
    Ok(gpu)
}

/// Ends an operation that the GPU failed at: as with main memory that is gone, nothing here can make up for it. Where the GPU's memory is full, the
/// panic carries the error, so that the program can tell it as one.
pub(crate) fn demand<T>(result: Result<T, CudaError>) -> T {
    result.unwrap_or_else(|error| match error {
        CudaError::Full { .. } => std::panic::panic_any(error),
        other => panic!("{other}"),
    })
}

/// How many GPUs the driver shows. None is opened.
///
/// # Errors
/// There is no driver, or it shows none.
pub fn gpus() -> Result<usize, CudaError> {
    // SAFETY: loading a library runs its initialisers; the driver's are made for that.
    if !unsafe { sys::is_culib_present() } {
        return Err(CudaError::NoDriver);
    }
    if let Err(refused) = cu::init() {
        let none = refused.0 == sys::CUresult::CUDA_ERROR_NO_DEVICE;
        return if none { Err(CudaError::NoDevice) } else { Err(refused).while_("start") };
    }
    match cu::device::get_count().while_("count GPUs")? {
        0 => Err(CudaError::NoDevice),
        n => Ok(n as usize),
    }
}

fn capability_name((major, minor): (i32, i32)) -> String {
    format!("sm_{major}{minor}")
}

impl Gpu {
    fn open() -> Result<Gpu, CudaError> {
        use sys::CUdevice_attribute as A;
        // SAFETY: loading a library runs its initialisers; the toolkit's are made for that.
        let (compiler, products) =
            unsafe { (cudarc::nvrtc::sys::is_culib_present(), cudarc::cublaslt::sys::is_culib_present()) };
        gpus()?;
        if !compiler {
            return Err(CudaError::NoLibrary { library: "libnvrtc.so", package: "nvidia-cuda-nvrtc-cu12" });
        }
        if !products {
            return Err(CudaError::NoLibrary { library: "libcublasLt.so", package: "nvidia-cublas-cu12" });
        }
        let device = cu::device::get(0).while_("open the first GPU")?;
        let mut version = 0;
        // SAFETY: the device was just opened; the version is written through a valid pointer.
        let (context, attribute, memory) = unsafe {
            sys::cuDriverGetVersion(&mut version).result().while_("tell its version")?;
            let context = cu::primary_ctx::retain(device).while_("make a context")?;
            cu::ctx::set_current(context).while_("enter its context")?;
            let attribute = |of| cu::device::get_attribute(device, of).while_("describe the GPU");
            (context, attribute, cu::device::total_mem(device).while_("tell the GPU's memory")?)
        };
        let capability = (
            attribute(A::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
            attribute(A::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
        );
        let description = Description {
            name: cu::device::get_name(device).while_("name the GPU")?,
            capability,
            multiprocessors: attribute(A::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?,
            memory,
            driver: (version / 1000, version % 1000 / 10),
        };
        Ok(Gpu {
            context,
            stream: cu::stream::create(cu::stream::StreamKind::NonBlocking).while_("make a stream")?,
            arena: Arena::default(),
            modules: Modules::new(capability_name(capability)),
            products: OnceLock::new(),
            staging: Staging::default(),
            places: Places::default(),
            copies_down: AtomicU64::new(0),
            description,
        })
    }

    /// What it is.
    pub(crate) fn description(&self) -> &Description {
        &self.description
    }

    /// Makes the context current to this thread.
    pub(super) fn current(&self) {
        if !CURRENT.replace(true) {
            // SAFETY: the context lives as long as the process.
            demand(unsafe { cu::ctx::set_current(self.context) }.while_("enter its context"));
        }
    }

    pub(super) fn stream(&self) -> sys::CUstream {
        self.stream
    }

    /// Matrix products.
    pub(crate) fn products(&'static self) -> &'static Products {
        self.products.get_or_init(|| demand(Products::new(self)))
    }

    /// Memory for `n` values, of any content.
    pub(crate) fn scratch<T: Plain>(&'static self, n: usize) -> Memory {
        demand(Memory::take(self, n * size_of::<T>()))
    }

    /// Memory for `n` elements, bf16 if `narrow`, else f32.
    pub(crate) fn elements(&'static self, n: usize, narrow: bool) -> Memory {
        if narrow { self.scratch::<u16>(n) } else { self.scratch::<f32>(n) }
    }

    /// `n` zeros.
    pub(crate) fn zeros<T: Plain>(&'static self, n: usize) -> Memory {
        let memory = self.scratch::<T>(n);
        self.clear(&memory);
        memory
    }

    /// Sets every byte to 0.
    pub(crate) fn clear(&self, memory: &Memory) {
        if memory.bytes() > 0 {
            // SAFETY: the memory has that many bytes.
            let done = unsafe { cu::memset_d8_async(memory.address(), 0, memory.bytes(), self.stream) };
            demand(done.while_("fill memory"));
        }
    }

    /// A copy of `values` on the GPU, made in the order of the stream; they may change at once.
    pub(crate) fn upload<T: Plain>(&'static self, values: &[T]) -> Memory {
        let memory = self.scratch::<T>(values.len());
        demand(self.staging.send(values, &memory, self.stream));
        memory
    }

    /// How often [`Gpu::download`] waited so far.
    pub(super) fn copies_down(&self) -> u64 {
        self.copies_down.load(Ordering::Relaxed)
    }

    /// Copies the GPU's values down, and waits for them.
    pub(crate) fn download<T: Plain>(&self, memory: &Memory, to: &mut [T]) {
        assert!(size_of_val(to) <= memory.bytes(), "more is asked for than there is");
        if to.is_empty() {
            return;
        }
        self.copies_down.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the memory has at least the bytes of `to`, which is not touched until the stream is through.
        let done = unsafe {
            cu::memcpy_dtoh_async(to, memory.address(), self.stream).and_then(|()| cu::stream::synchronize(self.stream))
        };
        demand(done.while_("finish what it was given"));
    }

    /// Copies `bytes` bytes within the GPU, from `at` bytes after the beginning of one to `to_at` after that of the other.
    pub(crate) fn copy(&self, from: &Memory, at: usize, to: &Memory, to_at: usize, bytes: usize) {
        assert!(at + bytes <= from.bytes() && to_at + bytes <= to.bytes(), "a copy beyond the memory's end");
        if bytes == 0 {
            return;
        }
        let (from, to) = (from.address() + at as u64, to.address() + to_at as u64);
        // SAFETY: both ends were checked.
        demand(unsafe { cu::memcpy_dtod_async(to, from, bytes, self.stream) }.while_("copy memory"));
    }

    /// Puts a kernel on the stream; nothing where the grid is empty.
    ///
    /// # Safety
    /// The arguments are those of the kernel in number, order and type, and every address has the extent that the kernel reads or writes.
    pub(crate) unsafe fn launch(&self, kernel: &Kernel, geometry: Geometry, arguments: &[Argument]) {
        let Geometry { grid, block, shared } = geometry;
        if grid.0 == 0 || grid.1 == 0 || grid.2 == 0 {
            return;
        }
        let function = demand(kernel.function(&self.modules, shared));
        let mut pointers: Vec<*mut c_void> = arguments.iter().map(Argument::pointer).collect();
        // SAFETY: the function belongs to a module that is never unloaded; the rest is the caller's contract.
        let launched = unsafe { cu::launch_kernel(function, grid, block, shared, self.stream, &mut pointers) };
        if let Err(source) = launched {
            panic!("{}: {source} ({geometry:?})", kernel.name());
        }
    }
}
