//! Kernels: their sources are in the program and are compiled for the GPU at hand when first used. What came of it is kept on disk under a name made
//! of source, processor and compiler.

use std::collections::HashMap;
use std::env;
use std::ffi::{CString, c_char};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use cudarc::driver::result as cu;
use cudarc::driver::sys::{CUfunction, CUfunction_attribute, CUmodule};
use cudarc::nvrtc::result as rtc;
use cudarc::nvrtc::sys;
use xxhash_rust::xxh3::xxh3_128;

use super::error::{CudaError, Purpose};

/// Where compiled kernels are kept, instead of the user's cache folder.
pub const CACHE_VARIABLE: &str = "ISOGLOSS_KERNEL_CACHE";

/// What every source includes.
const HEADER: (&str, &str) = ("common.cuh", include_str!("kernels/common.cuh"));

/// A source file.
pub(crate) struct Source {
    file: &'static str,
    text: &'static str,
}

macro_rules! sources {
    ($($name:ident),*) => {
        /// The source files by name.
        pub(crate) mod source {
            use super::Source;
            $(
                #[allow(non_upper_case_globals)]
                pub(crate) static $name: Source =
                    Source { file: concat!(stringify!($name), ".cu"), text: include_str!(concat!("kernels/", stringify!($name), ".cu")) };
            )*
            /// All of them.
            pub(crate) static ALL: &[&Source] = &[$(&$name),*];
        }
    };
}

sources!(
    attention,
    attention_bf16,
    batch_norm,
    cross_entropy,
    elementwise,
    embedding,
    optimizer,
    pool,
    reduce,
    relative_positions,
    rows
);

/// Most shared memory that a launch gives without asking: a block has 48 KiB unasked, of which the kernel's own arrays take a part.
const PLAIN_SHARED: u32 = 32 << 10;

/// A kernel of a source file, looked up at its first launch.
pub(crate) struct Kernel {
    source: &'static Source,
    name: &'static str,
    function: OnceLock<Function>,
}

#[derive(Clone, Copy)]
struct Function(CUfunction);

// SAFETY: a handle of the driver, good on every thread.
unsafe impl Send for Function {}
// SAFETY: as above.
unsafe impl Sync for Function {}

struct Module(CUmodule);

// SAFETY: as of functions.
unsafe impl Send for Module {}

impl Kernel {
    pub(crate) const fn new(source: &'static Source, name: &'static str) -> Kernel {
        Kernel { source, name, function: OnceLock::new() }
    }

    pub(super) fn name(&self) -> &'static str {
        self.name
    }

    /// What the driver launches, with leave to be given `shared` bytes of shared memory.
    pub(super) fn function(&self, modules: &Modules, shared: u32) -> Result<CUfunction, CudaError> {
        let function = match self.function.get() {
            Some(function) => *function,
            None => *self.function.get_or_init(|| super::driver::demand(modules.function(self.source, self.name))),
        };
        if shared > PLAIN_SHARED {
            let most = CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            // SAFETY: the function is one of a loaded module.
            unsafe { cu::function::set_function_attribute(function.0, most, shared as i32) }
                .while_("give a kernel shared memory")?;
        }
        Ok(function.0)
    }
}

/// Loaded sources.
pub(crate) struct Modules {
    architecture: String,
    loaded: Mutex<HashMap<&'static str, Module>>,
}

impl Modules {
    pub(super) fn new(architecture: String) -> Modules {
        Modules { architecture, loaded: Mutex::default() }
    }

    fn function(&self, source: &'static Source, name: &str) -> Result<Function, CudaError> {
        let mut loaded = self.loaded.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if !loaded.contains_key(source.file) {
            let image = compiled(source, &self.architecture)?;
            // SAFETY: what the compiler gave, and the driver checks.
            let module = unsafe { cu::module::load_data(image.as_ptr().cast()) }.while_("load kernels")?;
            loaded.insert(source.file, Module(module));
        }
        let name = CString::new(name).expect("a name without NUL");
        // SAFETY: modules are never unloaded.
        unsafe { cu::module::get_function(loaded[source.file].0, name) }.map(Function).while_("find a kernel")
    }
}

/// Version of the compiler, major and minor.
///
/// # Errors
/// There is none.
pub(crate) fn compiler_version() -> Result<(i32, i32), CudaError> {
    let (mut major, mut minor) = (0, 0);
    // SAFETY: both are valid for writing; the caller's GPU was opened only with the library there.
    unsafe { sys::nvrtcVersion(&mut major, &mut minor) }.result().while_("tell its version")?;
    Ok((major, minor))
}

/// The folder of compiled kernels: [`CACHE_VARIABLE`], or `isogloss/kernels` in the user's cache folder.
fn cache_folder() -> Option<PathBuf> {
    let of = |variable: &str| env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from);
    of(CACHE_VARIABLE).or_else(|| {
        let cache = of("XDG_CACHE_HOME").or_else(|| Some(of("HOME")?.join(".cache")))?;
        Some(cache.join("isogloss/kernels"))
    })
}

/// Compiled kernels, from the disk if they were compiled before.
fn compiled(source: &Source, architecture: &str) -> Result<Vec<u8>, CudaError> {
    let (major, minor) = compiler_version()?;
    let key = [source.text, HEADER.1, architecture, &OPTIONS.join(" ")].join("\0");
    let file = format!("{}-{architecture}-{major}.{minor}-{:032x}.cubin", source.file, xxh3_128(key.as_bytes()));
    let path = cache_folder().map(|folder| folder.join(file));
    if let Some(image) = path.as_deref().and_then(|path| fs::read(path).ok()) {
        return Ok(image);
    }
    let image = compile(source, architecture)?;
    if let Some(path) = path {
        // Without it the next start compiles again, which takes a while and is no error.
        let _ = keep(&path, &image);
    }
    Ok(image)
}

/// Writes a file under a name of its own, then renames it, so that it is never seen in part.
fn keep(path: &Path, image: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let temporary = path.with_extension(format!("{}.partial", std::process::id()));
    let written = fs::write(&temporary, image).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

const OPTIONS: [&str; 2] = ["--std=c++17", "-default-device"];

/// A program of the compiler; destroyed when dropped.
struct Program(sys::nvrtcProgram);

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: made once, destroyed once. That it fails leaves a little memory behind.
        let _ = unsafe { rtc::destroy_program(self.0) };
    }
}

/// Compiles a source for a processor (`sm_90`) to what the driver loads.
fn compile(source: &Source, architecture: &str) -> Result<Vec<u8>, CudaError> {
    let text = |text: &str| CString::new(text).expect("sources hold no NUL");
    let (code, file, header, header_name) = (text(source.text), text(source.file), text(HEADER.1), text(HEADER.0));
    let (headers, names) = ([header.as_ptr()], [header_name.as_ptr()]);
    let mut program = std::ptr::null_mut();
    // SAFETY: the strings end in NUL and live until the program is destroyed, which borrows nothing after it was made.
    let made = unsafe {
        sys::nvrtcCreateProgram(&mut program, code.as_ptr(), file.as_ptr(), 1, headers.as_ptr(), names.as_ptr())
    };
    made.result().while_("begin a program")?;
    let program = Program(program);
    let target = format!("--gpu-architecture={architecture}");
    let options: Vec<&str> = OPTIONS.into_iter().chain([target.as_str()]).collect();
    // SAFETY: a program just made.
    if let Err(failed) = unsafe { rtc::compile_program(program.0, &options) } {
        // SAFETY: as above.
        let log = unsafe { rtc::get_program_log(program.0) }.unwrap_or_default();
        let log: Vec<u8> = log.iter().map(|c| *c as u8).take_while(|c| *c != 0).collect();
        let log = format!("{}\n{failed:?}", String::from_utf8_lossy(&log));
        return Err(CudaError::Compile { file: source.file, architecture: architecture.to_owned(), log });
    }
    let mut size = 0;
    // SAFETY: the program was compiled; the image has the size that was told.
    unsafe {
        sys::nvrtcGetCUBINSize(program.0, &mut size).result().while_("tell a program's size")?;
        let mut image = vec![0u8; size];
        sys::nvrtcGetCUBIN(program.0, image.as_mut_ptr().cast::<c_char>()).result().while_("give a program out")?;
        Ok(image)
    }
}

/// Compiles every kernel for a processor such as `sm_90`, without a GPU; returns the files and the bytes that came of each.
///
/// # Errors
/// There is no compiler, or a kernel does not compile.
pub fn compile_all(architecture: &str) -> Result<Vec<(&'static str, usize)>, CudaError> {
    // SAFETY: loading a library runs its initialisers; the compiler's are made for that.
    if !unsafe { sys::is_culib_present() } {
        return Err(CudaError::NoLibrary { library: "libnvrtc.so", package: "nvidia-cuda-nvrtc-cu12" });
    }
    source::ALL.iter().map(|source| Ok((source.file, compile(source, architecture)?.len()))).collect()
}
