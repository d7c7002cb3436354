//! Page-locked main memory, which the GPU reads and writes while the process goes on: a ring through which values go up, and pieces that
//! results come down to. It is kept until the process ends.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use cudarc::driver::result as cu;
use cudarc::driver::sys::{self, CUevent_flags};

use super::driver::{Gpu, demand};
use super::error::{CudaError, Purpose};
use super::memory::{Memory, Plain};

/// Bytes of the ring that are given free again together.
const SEGMENT: usize = 1 << 20;
/// Segments of the ring.
const SEGMENTS: usize = 32;
/// Values in the ring begin at multiples of it.
const LINE: usize = 64;

/// A place on the stream that can be waited for.
struct Event(sys::CUevent);

// SAFETY: a handle of the driver, good on every thread.
unsafe impl Send for Event {}

impl Event {
    fn new() -> Result<Event, CudaError> {
        cu::event::create(CUevent_flags::CU_EVENT_DISABLE_TIMING).map(Event).while_("make an event")
    }

    /// Stands from now on for the stream's end as it is.
    fn record(&self, stream: sys::CUstream) -> Result<(), CudaError> {
        // SAFETY: both live as long as the process.
        unsafe { cu::event::record(self.0, stream) }.while_("mark a place on the stream")
    }

    /// Waits until the GPU has come to it.
    fn wait(&self) -> Result<(), CudaError> {
        // SAFETY: as above.
        unsafe { cu::event::synchronize(self.0) }.while_("finish what it was given")
    }
}

/// Page-locked bytes.
struct Locked {
    start: *mut u8,
    bytes: usize,
}

// SAFETY: plain memory with one owner.
unsafe impl Send for Locked {}

impl Locked {
    fn new(bytes: usize) -> Result<Locked, CudaError> {
        // SAFETY: the size is not 0.
        let start = unsafe { cu::malloc_host(bytes, 0) }.while_("lock main memory for copies")?;
        Ok(Locked { start: start.cast(), bytes })
    }
}

/// The way up. Values are copied into the ring, from where the GPU takes them in its own time.
#[derive(Default)]
pub(super) struct Staging(Mutex<Option<Ring>>);

struct Ring {
    memory: Locked,
    /// Reached when the GPU has read a segment; `None` for one that was never left.
    read: Vec<Option<Event>>,
    segment: usize,
    /// Bytes of the segment in use.
    used: usize,
}

impl Ring {
    fn new() -> Result<Ring, CudaError> {
        let read = (0..SEGMENTS).map(|_| None).collect();
        Ok(Ring { memory: Locked::new(SEGMENT * SEGMENTS)?, read, segment: 0, used: 0 })
    }

    /// Goes to the next segment, and waits until the GPU has read what was in it.
    fn advance(&mut self, stream: sys::CUstream) -> Result<(), CudaError> {
        let left = match self.read[self.segment].take() {
            Some(event) => event,
            None => Event::new()?,
        };
        left.record(stream)?;
        self.read[self.segment] = Some(left);
        (self.segment, self.used) = ((self.segment + 1) % SEGMENTS, 0);
        self.read[self.segment].as_ref().map_or(Ok(()), Event::wait)
    }

    /// Puts a copy of at most a segment's bytes on the stream.
    fn send(&mut self, bytes: &[u8], to: u64, stream: sys::CUstream) -> Result<(), CudaError> {
        if self.used + bytes.len() > SEGMENT {
            self.advance(stream)?;
        }
        let at = self.segment * SEGMENT + self.used;
        self.used = (self.used + bytes.len()).next_multiple_of(LINE);
        assert!(at + bytes.len() <= self.memory.bytes, "a piece larger than a segment");
        // SAFETY: the piece lies in the ring, and what was in it was read. It is not written again before the event behind this copy was waited for.
        let staged = unsafe {
            let staged = self.memory.start.add(at);
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), staged, bytes.len());
            std::slice::from_raw_parts(staged, bytes.len())
        };
        // SAFETY: the caller's memory has that many bytes.
        unsafe { cu::memcpy_htod_async(to, staged, stream) }.while_("copy to the GPU")
    }
}

impl Staging {
    /// Puts a copy of `values` into `memory` on the stream. Waits only where the GPU is a whole ring behind.
    pub(super) fn send<T: Plain>(&self, values: &[T], memory: &Memory, stream: sys::CUstream) -> Result<(), CudaError> {
        assert!(size_of_val(values) <= memory.bytes(), "more is sent than there is room for");
        // SAFETY: values without padding, as bytes.
        let bytes = unsafe { std::slice::from_raw_parts(values.as_ptr().cast::<u8>(), size_of_val(values)) };
        let mut ring = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let ring = match &mut *ring {
            Some(ring) => ring,
            none => none.insert(Ring::new()?),
        };
        for (part, to) in bytes.chunks(SEGMENT).zip((memory.address()..).step_by(SEGMENT)) {
            ring.send(part, to, stream)?;
        }
        Ok(())
    }
}

/// A place for results, and the event that says that they are there.
struct Place {
    memory: Locked,
    landed: Event,
}

/// Places by size that wait to be used again. One may be given back before its copy was made: the next copy to it comes later on the stream.
#[derive(Default)]
pub(super) struct Places(Mutex<BTreeMap<usize, Vec<Place>>>);

impl Places {
    fn free(&self) -> MutexGuard<'_, BTreeMap<usize, Vec<Place>>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn take(&self, bytes: usize) -> Result<Place, CudaError> {
        let size = bytes.next_power_of_two().max(LINE);
        let found = self.free().get_mut(&size).and_then(Vec::pop);
        found.map_or_else(|| Ok(Place { memory: Locked::new(size)?, landed: Event::new()? }), Ok)
    }
}

/// Values on their way down.
pub(crate) struct Landing {
    gpu: &'static Gpu,
    bytes: usize,
    /// `None` if there is nothing to copy.
    place: Option<Place>,
}

impl Landing {
    /// Puts a copy of all of `memory` on the stream.
    pub(crate) fn of(memory: &Memory) -> Landing {
        let (gpu, bytes) = (memory.gpu(), memory.bytes());
        let place = (bytes > 0).then(|| demand(Landing::start(gpu, memory)));
        Landing { gpu, bytes, place }
    }

    fn start(gpu: &'static Gpu, memory: &Memory) -> Result<Place, CudaError> {
        let place = gpu.places.take(memory.bytes())?;
        // SAFETY: the place has at least the memory's bytes, and nobody looks at it until the event was waited for.
        unsafe {
            let to = std::slice::from_raw_parts_mut(place.memory.start, memory.bytes());
            cu::memcpy_dtoh_async(to, memory.address(), gpu.stream()).while_("copy from the GPU")?;
        }
        place.landed.record(gpu.stream())?;
        Ok(place)
    }

    /// Waits for the values, and for nothing that was put on the stream after them.
    pub(crate) fn wait<T: Plain>(self) -> Vec<T> {
        self.gpu.current();
        let n = self.bytes / size_of::<T>();
        let mut values = Vec::with_capacity(n);
        if let Some(place) = &self.place {
            demand(place.landed.wait());
            // SAFETY: the copy is through, every bit pattern is a value, and pages are aligned for any of them.
            values.extend_from_slice(unsafe { std::slice::from_raw_parts(place.memory.start.cast::<T>(), n) });
        }
        values
    }
}

impl Drop for Landing {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            self.gpu.places.free().entry(place.memory.bytes).or_default().push(place);
        }
    }
}
