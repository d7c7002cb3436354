//! The elements of a tensor: in main memory, or on a GPU.

use std::sync::OnceLock;

use crate::buffer::Buffer;
use crate::cuda::Memory;

/// Elements, wherever they lie.
pub(crate) enum Storage {
    Main(Buffer),
    Gpu(OnGpu),
}

/// Elements on a GPU, with what was made of them. What was made is forgotten when they change.
pub(crate) struct OnGpu {
    memory: Memory,
    /// Whether `memory` holds bf16, not f32.
    narrow: bool,
    /// The same elements in main memory.
    copy: OnceLock<Buffer>,
    /// The same elements as bf16, where `memory` holds f32.
    rounded: OnceLock<Memory>,
}

impl OnGpu {
    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Whether the memory holds bf16, not f32.
    pub(crate) fn narrow(&self) -> bool {
        self.narrow
    }

    /// The elements as bf16, made by `round` at the first call unless they are bf16 anyway.
    pub(crate) fn rounded(&self, round: impl FnOnce() -> Memory) -> &Memory {
        if self.narrow { &self.memory } else { self.rounded.get_or_init(round) }
    }

    fn elements(&self) -> usize {
        self.memory.bytes() / if self.narrow { size_of::<u16>() } else { size_of::<f32>() }
    }

    fn copy(&self) -> &Buffer {
        self.copy.get_or_init(|| {
            let mut copy = Buffer::scratch(self.elements());
            if self.narrow {
                let mut bits = vec![0u16; self.elements()];
                self.memory.gpu().download(&self.memory, &mut bits);
                copy.iter_mut().zip(bits).for_each(|(x, bits)| *x = f32::from_bits(u32::from(bits) << 16));
            } else {
                self.memory.gpu().download(&self.memory, &mut copy);
            }
            copy
        })
    }
}

impl From<Buffer> for Storage {
    fn from(data: Buffer) -> Storage {
        Storage::Main(data)
    }
}

impl From<Memory> for Storage {
    /// Elements in f32.
    fn from(memory: Memory) -> Storage {
        Storage::on_gpu(memory, false)
    }
}

impl Storage {
    /// Elements on a GPU, bf16 if `narrow`, else f32.
    pub(crate) fn on_gpu(memory: Memory, narrow: bool) -> Storage {
        Storage::Gpu(OnGpu { memory, narrow, copy: OnceLock::new(), rounded: OnceLock::new() })
    }

    /// Elements on a GPU in f32, of which the same as bf16 are there already.
    pub(crate) fn with_rounded(memory: Memory, rounded: Memory) -> Storage {
        Storage::Gpu(OnGpu { memory, narrow: false, copy: OnceLock::new(), rounded: rounded.into() })
    }

    /// Whether the elements are held as bf16.
    pub(crate) fn narrow(&self) -> bool {
        matches!(self, Storage::Gpu(data) if data.narrow)
    }

    pub(crate) fn elements(&self) -> usize {
        match self {
            Storage::Main(data) => data.len(),
            Storage::Gpu(data) => data.elements(),
        }
    }

    /// The elements in main memory.
    pub(crate) fn main(&self) -> &[f32] {
        match self {
            Storage::Main(data) => data,
            Storage::Gpu(data) => data.copy(),
        }
    }

    /// The elements in main memory, to change, where they are from now on.
    pub(crate) fn main_mut(&mut self) -> &mut [f32] {
        if let Storage::Gpu(data) = self {
            data.copy();
            *self = Storage::Main(data.copy.take().expect("made just now"));
        }
        match self {
            Storage::Main(data) => data,
            Storage::Gpu(_) => unreachable!("moved just now"),
        }
    }

    /// The memory of elements on a GPU, to change.
    pub(crate) fn memory_mut(&mut self) -> Option<&Memory> {
        match self {
            Storage::Main(_) => None,
            Storage::Gpu(data) => {
                (data.copy, data.rounded) = (OnceLock::new(), OnceLock::new());
                Some(&data.memory)
            }
        }
    }

    /// The same elements in memory of their own.
    pub(crate) fn duplicate(&self) -> Storage {
        match self {
            Storage::Main(data) => Storage::Main(Buffer::from(data.to_vec())),
            Storage::Gpu(data) => Storage::on_gpu(data.memory.duplicate(), data.narrow),
        }
    }
}
