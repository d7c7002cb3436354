//! The tensor handle, the record of operations behind it, and the backward walk.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use crate::buffer::Buffer;
use crate::cpu::{Isa, rows};
use crate::cuda;
use crate::deferred::Deferred;
use crate::device::Device;
use crate::parallel::{self, Shared};
use crate::precision::Precision;
use crate::product::Panels;
use crate::storage::Storage;

/// Type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DType {
    /// IEEE 754 single precision.
    F32,
    /// bfloat16: results between the products in bf16 of a GPU, see [`crate::Precision::Bf16`]. [`Tensor::data`] gives their values in f32.
    Bf16,
}

/// An operation's backward pass: from the gradient at its output, the gradient at each input, in the order of
/// the inputs; `None` where an input needs none.
pub(crate) trait Backward: Send + Sync {
    fn backward(&self, inputs: &[Tensor], output: &Tensor, grad: &Tensor) -> Vec<Option<Tensor>>;
}

struct Record {
    inputs: Vec<Tensor>,
    backward: Box<dyn Backward>,
}

struct Inner {
    id: u64,
    shape: Vec<usize>,
    storage: Storage,
    needs_grad: bool,
    record: Option<Record>,
    /// The transposed matrix in panels, kept for weights that are used without a gradient.
    panels: OnceLock<Panels>,
    precision: Precision,
    /// Precision of the product that this is the result of.
    computed_in: Precision,
}

/// A dense row-major tensor: a shared handle, cheap to clone.
#[derive(Clone)]
pub struct Tensor(Arc<Inner>);

static NEXT_ID: AtomicU64 = AtomicU64::new(1);

thread_local! {
    static RECORDING: Cell<bool> = const { Cell::new(true) };
}

/// Runs `f` without recording: results need no gradient and intermediate tensors are freed at once.
pub fn no_grad<T>(f: impl FnOnce() -> T) -> T {
    let before = RECORDING.replace(false);
    let result = f();
    RECORDING.set(before);
    result
}

impl Tensor {
    fn build(storage: Storage, shape: &[usize], needs_grad: bool, record: Option<Record>) -> Tensor {
        assert_eq!(storage.elements(), shape.iter().product::<usize>(), "elements of a tensor of shape {shape:?}");
        Tensor(Arc::new(Inner {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            shape: shape.to_vec(),
            storage,
            needs_grad,
            record,
            panels: OnceLock::new(),
            precision: Precision::F32,
            computed_in: Precision::F32,
        }))
    }

    /// A constant.
    ///
    /// # Panics
    /// If the number of elements is not the product of the shape.
    pub fn new(data: impl Into<Buffer>, shape: &[usize]) -> Tensor {
        Tensor::constant(Storage::Main(data.into()), shape)
    }

    /// A constant, wherever it lies.
    pub(crate) fn constant(storage: impl Into<Storage>, shape: &[usize]) -> Tensor {
        Tensor::build(storage.into(), shape, false, None)
    }

    /// A leaf for which [`Tensor::backward`] collects a gradient.
    pub fn parameter(data: impl Into<Buffer>, shape: &[usize]) -> Tensor {
        Tensor::build(Storage::Main(data.into()), shape, true, None)
    }

    /// A tensor of one element.
    pub fn scalar(x: f32) -> Tensor {
        Tensor::new(vec![x], &[])
    }

    /// The result of an operation; it is recorded if an input needs a gradient. What was computed in main memory from an input on a GPU, by an
    /// operation without kernels, is brought up to it.
    pub(crate) fn result(
        data: impl Into<Storage>,
        shape: &[usize],
        inputs: &[&Tensor],
        backward: impl Backward + 'static,
    ) -> Tensor {
        let storage = beside(data.into(), cuda::of(inputs));
        if !Tensor::recording(inputs) {
            return Tensor::build(storage, shape, false, None);
        }
        let inputs = inputs.iter().map(|t| (*t).clone()).collect();
        Tensor::build(storage, shape, true, Some(Record { inputs, backward: Box::new(backward) }))
    }

    /// Whether an operation on these inputs will be recorded.
    pub(crate) fn recording(inputs: &[&Tensor]) -> bool {
        RECORDING.get() && inputs.iter().any(|t| t.needs_grad())
    }

    /// Extent of every dimension.
    pub fn shape(&self) -> &[usize] {
        &self.0.shape
    }

    /// Where the elements live.
    pub fn device(&self) -> Device {
        match &self.0.storage {
            Storage::Main(_) => Device::Cpu,
            Storage::Gpu(_) => Device::Cuda,
        }
    }

    /// Moves the elements; the handle stays what it was to gradients.
    ///
    /// # Errors
    /// There is no such device.
    ///
    /// # Panics
    /// If another handle shares the tensor.
    pub fn set_device(&mut self, device: Device) -> Result<(), cuda::CudaError> {
        if self.device() == device {
            return Ok(());
        }
        let storage = match device {
            Device::Cpu => Storage::Main(Buffer::from(self.data().to_vec())),
            Device::Cuda => cuda::gpu()?.upload(self.data()).into(),
        };
        let inner = Arc::get_mut(&mut self.0).expect("nobody else holds the tensor");
        inner.panels = OnceLock::new();
        inner.storage = storage;
        Ok(())
    }

    /// Number of elements.
    pub fn elements(&self) -> usize {
        self.0.storage.elements()
    }

    pub(crate) fn storage(&self) -> &Storage {
        &self.0.storage
    }

    /// Type of the elements.
    pub fn dtype(&self) -> DType {
        if self.0.storage.narrow() { DType::Bf16 } else { DType::F32 }
    }

    /// Whether a gradient flows to or through this tensor.
    pub fn needs_grad(&self) -> bool {
        self.0.needs_grad
    }

    /// The elements, row-major. Those of a tensor on a GPU are copied to main memory at the first call, which waits until they are computed.
    pub fn data(&self) -> &[f32] {
        self.0.storage.main()
    }

    /// The elements, to be had later: those of a tensor on a GPU are put on their way without waiting for anything.
    pub fn data_later(&self) -> Deferred<f32> {
        match &self.0.storage {
            Storage::Main(data) => Deferred::here(data.to_vec()),
            Storage::Gpu(data) => Deferred::landing(cuda::Landing::of(data.memory())),
        }
    }

    /// First dimension and product of the others: the tensor as a matrix.
    pub fn matrix(&self) -> (usize, usize) {
        let rows = self.0.shape.first().copied().unwrap_or(1);
        (rows, self.0.shape.iter().skip(1).product())
    }

    /// The element of a scalar.
    ///
    /// # Panics
    /// If there is not exactly one element.
    pub fn item(&self) -> f32 {
        assert_eq!(self.elements(), 1, "item() of a tensor of shape {:?}", self.shape());
        self.data()[0]
    }

    /// The elements to change in place; `None` while another handle (a recorded operation, say) shares them. A tensor on a GPU
    /// is moved to main memory.
    pub fn data_mut(&mut self) -> Option<&mut [f32]> {
        let inner = Arc::get_mut(&mut self.0)?;
        inner.panels = OnceLock::new();
        Some(inner.storage.main_mut())
    }

    /// The memory of a tensor on a GPU, to change in place; `None` where [`Tensor::data_mut`] is, and for main memory.
    pub(crate) fn memory_mut(&mut self) -> Option<&cuda::Memory> {
        Arc::get_mut(&mut self.0)?.storage.memory_mut()
    }

    /// The same values where nobody else holds them, on a GPU.
    pub(crate) fn unshared(mut self, gpu: &'static cuda::Gpu) -> Tensor {
        if let Storage::Main(data) = &self.0.storage {
            return Tensor::constant(gpu.upload(&data[..]), self.shape());
        }
        if Arc::get_mut(&mut self.0).is_none() { self.duplicate(false) } else { self }
    }

    /// The same values as a constant.
    pub fn detach(&self) -> Tensor {
        if self.needs_grad() { self.duplicate(false) } else { self.clone() }
    }

    /// A fresh leaf with the same values, for which a gradient is collected.
    pub fn leaf(&self) -> Tensor {
        self.duplicate(true)
    }

    /// The same values in memory of their own, on the same device.
    fn duplicate(&self, needs_grad: bool) -> Tensor {
        Tensor::build(self.0.storage.duplicate(), self.shape(), needs_grad, None)
    }

    /// The packed panels of this weight, made by `pack` at the first call; `None` if they were made for another instruction set.
    pub(crate) fn panels(&self, isa: Isa, pack: impl FnOnce() -> Panels) -> Option<&Panels> {
        Some(self.0.panels.get_or_init(pack)).filter(|panels| panels.are_for(isa, self.precision()))
    }

    /// In which precision [`crate::op::linear`] multiplies with this tensor as its weight; the elements are f32 in any case.
    pub fn precision(&self) -> Precision {
        self.0.precision
    }

    /// Changes [`Tensor::precision`].
    ///
    /// # Panics
    /// If another handle shares the tensor.
    pub fn set_precision(&mut self, precision: Precision) {
        let inner = Arc::get_mut(&mut self.0).expect("nobody else holds the tensor");
        inner.panels = OnceLock::new();
        inner.precision = precision;
    }

    /// The precision of the product that this is the result of; f32 for anything else.
    pub(crate) fn computed_in(&self) -> Precision {
        self.0.computed_in
    }

    /// This result, just made, as that of a product in `precision`.
    pub(crate) fn with_computed_in(mut self, precision: Precision) -> Tensor {
        Arc::get_mut(&mut self.0).expect("a result just made").computed_in = precision;
        self
    }

    /// Walks the record backwards from this scalar and adds to `gradients`, for every parameter reached.
    ///
    /// # Panics
    /// If the tensor is not a scalar.
    pub fn backward(&self, gradients: &mut Gradients) {
        assert_eq!(self.elements(), 1, "backward() starts at a scalar; use backward_from");
        self.backward_from(Tensor::new(vec![1.0], self.shape()), gradients);
    }

    /// As [`Tensor::backward`], from a given gradient at this tensor.
    ///
    /// # Panics
    /// If the gradient has another shape.
    pub fn backward_from(&self, grad: Tensor, gradients: &mut Gradients) {
        assert_eq!(grad.shape(), self.shape(), "gradient of another shape");
        // An operation's id is larger than its inputs': the largest id first is a topological order.
        let mut pending: BTreeMap<u64, (Tensor, Tensor)> = BTreeMap::new();
        if self.needs_grad() {
            pending.insert(self.0.id, (self.clone(), brought_to(self, grad)));
        }
        while let Some((_, (tensor, grad))) = pending.pop_last() {
            let Some(record) = &tensor.0.record else {
                gradients.add(&tensor, grad);
                continue;
            };
            let at_inputs = record.backward.backward(&record.inputs, &tensor, &grad);
            drop(grad);
            for (input, grad) in record.inputs.iter().zip(at_inputs) {
                let Some(grad) = grad.filter(|_| input.needs_grad()) else {
                    continue;
                };
                debug_assert_eq!(grad.shape(), input.shape());
                let grad = brought_to(input, grad);
                let sum = match pending.remove(&input.0.id) {
                    Some((_, earlier)) => sum_into(input.dtype(), earlier, &grad),
                    None => grad,
                };
                pending.insert(input.0.id, (input.clone(), sum));
            }
        }
    }
}

/// Elements on the GPU, if there is one, wherever they were.
fn beside(storage: Storage, gpu: Option<&'static cuda::Gpu>) -> Storage {
    match (storage, gpu) {
        (Storage::Main(data), Some(gpu)) => gpu.upload(&data[..]).into(),
        (storage, _) => storage,
    }
}

/// A gradient, brought to the GPU where its tensor is there. At a tensor in bf16 it is bf16, at a leaf in f32 f32; else it stays what it is.
fn brought_to(tensor: &Tensor, grad: Tensor) -> Tensor {
    let Some(gpu) = cuda::of(&[tensor]) else { return grad };
    let (wanted, leaf) = (tensor.dtype(), tensor.0.record.is_none());
    let kept = grad.device() == Device::Cuda && (grad.dtype() == wanted || wanted == DType::F32 && !leaf);
    if kept { grad } else { cuda::op::converted(gpu, &grad, wanted) }
}

/// `a + b`, two gradients at a tensor of this type, reusing the memory of `a` when nobody else holds it.
fn sum_into(dtype: DType, mut a: Tensor, b: &Tensor) -> Tensor {
    if let Some(gpu) = cuda::of(&[&a, b]) {
        return cuda::op::add_to(gpu, a, b, dtype);
    }
    if a.data_mut().is_none() {
        a = a.duplicate(false);
    }
    let isa = Isa::current();
    let data = Shared::new(a.data_mut().expect("the only handle"));
    let from = b.data();
    parallel::blocks(from.len(), 1 << 16, |start, end| {
        // SAFETY: blocks are disjoint.
        unsafe { rows::add_assign(isa, end - start, data.at(start), from[start..end].as_ptr()) }
    });
    a
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.data()[..self.data().len().min(8)];
        write!(f, "Tensor{:?} {:?}{}", self.shape(), shown, if shown.len() < self.data().len() { "…" } else { "" })
    }
}

/// Gradients at leaves, summed over backward walks.
#[derive(Default)]
pub struct Gradients(HashMap<u64, Tensor>);

impl Gradients {
    /// The gradient at a leaf, if any walk reached it.
    pub fn get(&self, leaf: &Tensor) -> Option<&Tensor> {
        self.0.get(&leaf.0.id)
    }

    /// Takes the gradient at a leaf out.
    pub fn take(&mut self, leaf: &Tensor) -> Option<Tensor> {
        self.0.remove(&leaf.0.id)
    }

    fn add(&mut self, leaf: &Tensor, grad: Tensor) {
        self.add_at(leaf.0.id, leaf.dtype(), grad);
    }

    fn add_at(&mut self, leaf: u64, dtype: DType, grad: Tensor) {
        let sum = match self.0.remove(&leaf) {
            Some(earlier) => sum_into(dtype, earlier, &grad),
            None => grad,
        };
        self.0.insert(leaf, sum);
    }

    /// Adds every gradient of `others`.
    pub fn merge(&mut self, others: Gradients) {
        for (leaf, grad) in others.0 {
            self.add_at(leaf, grad.dtype(), grad);
        }
    }

    /// Puts a gradient in the place of the one at a leaf.
    pub(crate) fn set(&mut self, leaf: &Tensor, grad: Tensor) {
        self.0.insert(leaf.0.id, grad);
    }

    /// Multiplies every gradient by `factor`.
    pub fn scale(&mut self, factor: f32) {
        let isa = Isa::current();
        for grad in self.0.values_mut() {
            if let Some(gpu) = cuda::of(&[grad]) {
                *grad = Tensor::constant(cuda::op::scaled(gpu, grad, factor), grad.shape());
                continue;
            }
            if grad.data_mut().is_none() {
                *grad = grad.duplicate(false);
            }
            let data = grad.data_mut().expect("the only handle");
            // SAFETY: exclusive borrow of the whole gradient.
            unsafe { rows::scale(isa, data.len(), data.as_mut_ptr(), factor) };
        }
    }
}
