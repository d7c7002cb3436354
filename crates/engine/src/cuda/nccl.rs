//! NCCL's library, loaded when several GPUs are asked for.
//!
//! Declared here, since cudarc looks for `libnccl.so` alone, and packages install `libnccl.so.2`.

use std::error::Error;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::LazyLock;

use cudarc::driver::sys::CUstream;
use libloading::Library;

use super::error::CudaError;

/// `ncclComm_t`.
pub(super) type Handle = *mut c_void;

/// `ncclUniqueId`.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct UniqueId(pub [u8; 128]);

/// `ncclDataType_t`, of what is sent here.
#[derive(Clone, Copy)]
#[repr(i32)]
pub(super) enum Type {
    Byte = 1,
    F32 = 7,
}

/// `ncclRedOp_t` of a sum.
pub(super) const SUM: c_int = 0;

macro_rules! library {
    ($($name:ident: $symbol:literal ($($argument:ty),*);)*) => {
        /// The functions that are used; each returns `ncclResult_t`.
        pub(super) struct Nccl {
            $(pub $name: unsafe extern "C" fn($($argument),*) -> c_int,)*
            error_string: unsafe extern "C" fn(c_int) -> *const c_char,
            last_error: unsafe extern "C" fn(Handle) -> *const c_char,
        }

        impl Nccl {
            fn load() -> Result<Nccl, libloading::Error> {
                // SAFETY: loading a library runs its initialisers; NCCL's are made for that. The types are those of nccl.h, and have been
                // since version 2.0 (ncclGetLastError: 2.13).
                unsafe {
                    let library = Library::new("libnccl.so.2").or_else(|first| Library::new("libnccl.so").map_err(|_| first))?;
                    let nccl = Nccl {
                        $($name: *library.get($symbol)?,)*
                        error_string: *library.get("ncclGetErrorString")?,
                        last_error: *library.get("ncclGetLastError")?,
                    };
                    // Its functions are used until the process ends.
                    std::mem::forget(library);
                    Ok(nccl)
                }
            }
        }
    };
}

library! {
    get_version: "ncclGetVersion" (*mut c_int);
    get_unique_id: "ncclGetUniqueId" (*mut UniqueId);
    init_rank: "ncclCommInitRank" (*mut Handle, c_int, UniqueId, c_int);
    destroy: "ncclCommDestroy" (Handle);
    async_error: "ncclCommGetAsyncError" (Handle, *mut c_int);
    all_reduce: "ncclAllReduce" (*const c_void, *mut c_void, usize, Type, c_int, Handle, CUstream);
    all_gather: "ncclAllGather" (*const c_void, *mut c_void, usize, Type, Handle, CUstream);
    broadcast: "ncclBroadcast" (*const c_void, *mut c_void, usize, Type, c_int, Handle, CUstream);
    group_start: "ncclGroupStart" ();
    group_end: "ncclGroupEnd" ();
}

static NCCL: LazyLock<Result<Nccl, String>> = LazyLock::new(|| {
    Nccl::load().map_err(|error| match error.source() {
        Some(loader) => loader.to_string(),
        None => error.to_string(),
    })
});

/// The library, loaded at the first call.
///
/// # Errors
/// It is not there.
pub(super) fn nccl() -> Result<&'static Nccl, CudaError> {
    NCCL.as_ref().map_err(|reason| CudaError::NoCollectives { reason: reason.clone() })
}

impl Nccl {
    /// Its version.
    pub(super) fn version(&self) -> Result<(i32, i32, i32), CudaError> {
        let mut version = 0;
        // SAFETY: the version is written through a valid pointer.
        self.check(unsafe { (self.get_version)(&mut version) }, "tell its version")?;
        Ok((version / 10_000, version / 100 % 100, version % 100))
    }

    /// An error where a call did not succeed.
    pub(super) fn check(&self, result: c_int, what: &'static str) -> Result<(), CudaError> {
        if result == 0 {
            return Ok(());
        }
        // SAFETY: both give a string that lives on, or none; a communicator is not looked at.
        let told = unsafe { [(self.error_string)(result), (self.last_error)(std::ptr::null_mut())] };
        let told = told.into_iter().filter(|text| !text.is_null());
        // SAFETY: as above.
        let told = told.map(|text| unsafe { CStr::from_ptr(text) }.to_string_lossy().trim().replace('\n', " "));
        let reason = told.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(": ");
        Err(CudaError::Collective { what, reason })
    }
}
