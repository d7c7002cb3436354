//! What can be wrong with a GPU, each with its cure.

use cudarc::cublaslt::result::CublasError;
use cudarc::driver::DriverError;
use cudarc::nvrtc::result::NvrtcError;

/// Why nothing runs on a GPU.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CudaError {
    /// The driver's library was not found.
    #[error("no NVIDIA driver (libcuda.so.1 is not in the library path); install the driver, or use --device cpu")]
    NoDriver,
    /// The driver sees no GPU.
    #[error("the NVIDIA driver sees no GPU (is CUDA_VISIBLE_DEVICES empty?); use --device cpu")]
    NoDevice,
    /// A library of the CUDA toolkit was not found.
    #[error(
        "no {library} of CUDA 12 or 13; install it (pip install {package}) and put its folder into LD_LIBRARY_PATH, or use --device cpu"
    )]
    NoLibrary {
        /// Its file name without version.
        library: &'static str,
        /// A package of PyPI that has it.
        package: &'static str,
    },
    /// A call of the driver failed.
    #[error("the NVIDIA driver could not {what}: {source}")]
    Driver {
        /// The call's purpose.
        what: &'static str,
        /// What the driver says.
        source: DriverError,
    },
    /// There is no memory left.
    #[error(
        "the GPU's memory is full: {asked} bytes more than the {held} held were asked for; set batch.chunk_tokens lower, or use --device cpu"
    )]
    Full {
        /// Bytes asked for.
        asked: usize,
        /// Bytes in use.
        held: usize,
    },
    /// NVRTC failed.
    #[error("NVRTC could not {what}: {source:?}")]
    Compiler {
        /// The call's purpose.
        what: &'static str,
        /// What NVRTC says.
        source: NvrtcError,
    },
    /// A kernel did not compile.
    #[error("{file} does not compile for {architecture}:\n{log}")]
    Compile {
        /// The source.
        file: &'static str,
        /// The processor.
        architecture: String,
        /// The compiler's log.
        log: String,
    },
    /// NCCL was not found.
    #[error(
        "no libnccl.so.2 ({reason}), which several GPUs need; install it (pip install nvidia-nccl-cu12) and put its folder into LD_LIBRARY_PATH, or train on one GPU"
    )]
    NoCollectives {
        /// What the loader says.
        reason: String,
    },
    /// NCCL failed.
    #[error(
        "NCCL could not {what}: {reason}; NCCL_DEBUG=INFO tells more, and --resume goes on from the last checkpoint"
    )]
    Collective {
        /// The call's purpose.
        what: &'static str,
        /// What NCCL says.
        reason: String,
    },
    /// cuBLASLt failed.
    #[error("cuBLASLt could not {what}: {source}")]
    Product {
        /// The call's purpose.
        what: &'static str,
        /// What cuBLASLt says.
        source: CublasError,
    },
}

/// Names the purpose of a call in its error.
pub(crate) trait Purpose<T> {
    fn while_(self, what: &'static str) -> Result<T, CudaError>;
}

impl<T> Purpose<T> for Result<T, DriverError> {
    fn while_(self, what: &'static str) -> Result<T, CudaError> {
        self.map_err(|source| CudaError::Driver { what, source })
    }
}

impl<T> Purpose<T> for Result<T, NvrtcError> {
    fn while_(self, what: &'static str) -> Result<T, CudaError> {
        self.map_err(|source| CudaError::Compiler { what, source })
    }
}

impl<T> Purpose<T> for Result<T, CublasError> {
    fn while_(self, what: &'static str) -> Result<T, CudaError> {
        self.map_err(|source| CudaError::Product { what, source })
    }
}
