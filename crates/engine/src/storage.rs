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
    /// The same elements in main memory.
    copy: OnceLock<Buffer>,
    /// The same elements as bf16.
    rounded: OnceLock<Memory>,
}

impl OnGpu {
    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The elements as bf16, made by `round` at the first call.
    pub(crate) fn rounded(&self, round: impl FnOnce() -> Memory) -> &Memory {
        self.rounded.get_or_init(round)
    }

    fn elements(&self) -> usize {
        self.memory.bytes() / size_of::<f32>()
    }

    fn copy(&self) -> &Buffer {
        self.copy.get_or_init(|| {
            let mut copy = Buffer::scratch(self.elements());
            self.memory.gpu().download(&self.memory, &mut copy);
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
    fn from(memory: Memory) -> Storage {
        Storage::Gpu(OnGpu { memory, copy: OnceLock::new(), rounded: OnceLock::new() })
    }
}

impl Storage {
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
            Storage::Gpu(data) => data.memory.duplicate().into(),
        }
    }
}
