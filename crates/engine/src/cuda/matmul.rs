//! Matrix products by cuBLASLt: row-major, factors and results of f32 or bf16, sums of f32.

use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::Mutex;

use cudarc::cublaslt::result as lt;
use cudarc::cublaslt::sys;

use super::driver::Gpu;
use super::error::{CudaError, Purpose};
use super::memory::Memory;

/// Bytes that products may use beside their operands; as much as cuBLAS takes on its newest processors.
const WORKSPACE: usize = 32 << 20;

/// `c[m, n] = op(a)·op(b) (+ bias) (+ c)`, everything row-major. Addresses of matrices are divisible by 256, as cuBLASLt takes for granted.
#[derive(Clone, Copy)]
pub(crate) struct Product {
    /// Rows of the result.
    pub m: usize,
    /// Columns of the result.
    pub n: usize,
    /// Extent that is summed over.
    pub k: usize,
    /// `[m, k]`, or `[k, m]` if transposed.
    pub a: u64,
    /// Whether `a` lies transposed.
    pub a_transposed: bool,
    /// `[k, n]`, or `[n, k]` if transposed.
    pub b: u64,
    /// Whether `b` lies transposed.
    pub b_transposed: bool,
    /// Whether the factors are bf16.
    pub bf16: bool,
    /// Whether the result, and with it the bias, is bf16.
    pub c_bf16: bool,
    /// Added to every row, `[n]`.
    pub bias: Option<u64>,
    /// The result.
    pub c: u64,
    /// Whether it is added to what is there.
    pub add: bool,
}

/// What the choice of an algorithm depends on.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Shape {
    m: usize,
    n: usize,
    k: usize,
    a_transposed: bool,
    b_transposed: bool,
    bf16: bool,
    c_bf16: bool,
    bias: bool,
}

/// cuBLASLt with what it was asked before.
pub(crate) struct Products {
    handle: sys::cublasLtHandle_t,
    workspace: Memory,
    algorithms: Mutex<HashMap<Shape, sys::cublasLtMatmulAlgo_t>>,
}

// SAFETY: the handle may be used from any thread; all products are on one stream, so that they share the workspace in order.
unsafe impl Send for Products {}
// SAFETY: as above.
unsafe impl Sync for Products {}

/// Objects that describe a product; destroyed when dropped.
struct Description(sys::cublasLtMatmulDesc_t);
struct Layout(sys::cublasLtMatrixLayout_t);
struct Preference(sys::cublasLtMatmulPreference_t);

impl Drop for Description {
    fn drop(&mut self) {
        // SAFETY: made once, destroyed once. That it fails leaves a little memory behind; so below.
        let _ = unsafe { lt::destroy_matmul_desc(self.0) };
    }
}

impl Drop for Layout {
    fn drop(&mut self) {
        // SAFETY: as above.
        let _ = unsafe { lt::destroy_matrix_layout(self.0) };
    }
}

impl Drop for Preference {
    fn drop(&mut self) {
        // SAFETY: as above.
        let _ = unsafe { lt::destroy_matmul_pref(self.0) };
    }
}

impl Description {
    fn new(product: &Product) -> Result<Description, CudaError> {
        use sys::cublasLtMatmulDescAttributes_t as A;
        let made = lt::create_matmul_desc(sys::cublasComputeType_t::CUBLAS_COMPUTE_32F, sys::cudaDataType::CUDA_R_32F);
        let description = Description(made.while_("describe a product")?);
        // Column by column, a row-major matrix is its transpose: cᵀ = op(b)ᵀ·op(a)ᵀ, so that `b` comes first.
        description.set(A::CUBLASLT_MATMUL_DESC_TRANSA, i32::from(product.b_transposed))?;
        description.set(A::CUBLASLT_MATMUL_DESC_TRANSB, i32::from(product.a_transposed))?;
        if let Some(bias) = product.bias {
            description
                .set(A::CUBLASLT_MATMUL_DESC_EPILOGUE, sys::cublasLtEpilogue_t::CUBLASLT_EPILOGUE_BIAS as u32)?;
            description.set(A::CUBLASLT_MATMUL_DESC_BIAS_POINTER, bias)?;
        }
        Ok(description)
    }

    fn set<T>(&self, attribute: sys::cublasLtMatmulDescAttributes_t, value: T) -> Result<(), CudaError> {
        let at: *const T = &value;
        // SAFETY: the attribute has the type and size of the value, as documented for each of those above.
        unsafe { lt::set_matmul_desc_attribute(self.0, attribute, at.cast(), size_of::<T>()) }
            .while_("describe a product")
    }
}

impl Layout {
    /// A row-major matrix of `rows` rows, as cuBLASLt sees it.
    fn new(rows: usize, columns: usize, bf16: bool) -> Result<Layout, CudaError> {
        let kind = if bf16 { sys::cudaDataType::CUDA_R_16BF } else { sys::cudaDataType::CUDA_R_32F };
        let made = lt::create_matrix_layout(kind, columns as u64, rows as u64, columns as i64);
        Ok(Layout(made.while_("describe a matrix")?))
    }
}

impl Preference {
    fn new() -> Result<Preference, CudaError> {
        let preference = Preference(lt::create_matmul_pref().while_("describe a preference")?);
        let most = WORKSPACE;
        let at: *const usize = &most;
        let attribute = sys::cublasLtMatmulPreferenceAttributes_t::CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES;
        // SAFETY: the attribute is a size.
        unsafe { lt::set_matmul_pref_attribute(preference.0, attribute, at.cast(), size_of::<usize>()) }
            .while_("describe a preference")?;
        Ok(preference)
    }
}

impl Products {
    pub(super) fn new(gpu: &'static Gpu) -> Result<Products, CudaError> {
        let workspace = Memory::take(gpu, WORKSPACE)?;
        Ok(Products { handle: lt::create_handle().while_("start")?, workspace, algorithms: Mutex::default() })
    }

    /// Puts a product on the stream. There is something to sum over (`k > 0`).
    ///
    /// # Safety
    /// The addresses have the stated extents.
    pub(crate) unsafe fn multiply(&self, product: Product) -> Result<(), CudaError> {
        let Product { m, n, k, a, a_transposed, b, b_transposed, bf16, c_bf16, bias, c, add } = product;
        if m == 0 || n == 0 {
            return Ok(());
        }
        let description = Description::new(&product)?;
        let layout = |(rows, columns): (usize, usize), bf16| Layout::new(rows, columns, bf16);
        let of_b = layout(if b_transposed { (n, k) } else { (k, n) }, bf16)?;
        let of_a = layout(if a_transposed { (k, m) } else { (m, k) }, bf16)?;
        let of_c = layout((m, n), c_bf16)?;
        let shape = Shape { m, n, k, a_transposed, b_transposed, bf16, c_bf16, bias: bias.is_some() };
        let algorithm = self.algorithm(shape, &description, [&of_b, &of_a, &of_c])?;
        let (one, old) = (1f32, f32::from(u8::from(add)));
        let scalar = |x: &f32| std::ptr::from_ref(x).cast::<c_void>();
        let at = |address: u64| address as *mut c_void;
        // SAFETY: the descriptions are those of the operands; their extents are the caller's contract. The workspace is used in the order of the stream.
        unsafe {
            lt::matmul(
                self.handle,
                description.0,
                scalar(&one),
                scalar(&old),
                at(b),
                of_b.0,
                at(a),
                of_a.0,
                at(c),
                of_c.0,
                at(c),
                of_c.0,
                &algorithm,
                at(self.workspace.address()),
                WORKSPACE,
                self.workspace.gpu().stream().cast(),
            )
        }
        .while_("multiply matrices")
    }

    fn algorithm(
        &self,
        shape: Shape,
        description: &Description,
        [first, second, result]: [&Layout; 3],
    ) -> Result<sys::cublasLtMatmulAlgo_t, CudaError> {
        let mut known = self.algorithms.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(algorithm) = known.get(&shape) {
            return Ok(*algorithm);
        }
        let preference = Preference::new()?;
        // SAFETY: all descriptions are alive.
        let found = unsafe {
            lt::get_matmul_algo_heuristic(
                self.handle,
                description.0,
                first.0,
                second.0,
                result.0,
                result.0,
                preference.0,
            )
        };
        let algorithm = found.while_("choose how to multiply matrices")?.algo;
        known.insert(shape, algorithm);
        Ok(algorithm)
    }
}
