// Runs the threads of one block as fibres on one CPU thread: a fibre runs until it meets a barrier or another
// operation of the whole warp, then the next one does. Which runs first is drawn from a seed.
#pragma once
#include <cstddef>
#include <cstdint>

namespace cuda_host {

struct Index {
    unsigned x, y, z;
};

// Position of the running thread. Blocks run one at a time in the whole process.
extern Index thread_index, block_index, block_size, grid_size;

// Dynamic shared memory of the running block.
extern unsigned char *dynamic_shared_memory;

// Bytes that a thread may show the others of its warp at a time.
constexpr size_t SLOT = 32;

// Waits for every thread of the block; `line` tells barriers apart.
void barrier(int line);

// Shows `bytes` bytes to the threads of the warp that are in `mask`, waits for theirs, and returns what each shows:
// that of lane l at SLOT * l. Valid until the next call of the same thread.
const unsigned char *exchange(unsigned mask, const void *shown, size_t bytes, int line);

// Lane of the running thread in its warp.
unsigned lane();

// Ends the process, naming the kernel that runs.
[[noreturn]] void fail(const char *format, ...);

// A source of random numbers (xorshift64*).
uint64_t draw();

struct Launch {
    const char *name;
    void (*run)(void **arguments);
    void **arguments;
    Index grid, block;
    size_t shared_bytes;
};

// Runs every block, in an order drawn from the seed.
void run(const Launch &launch);

}  // namespace cuda_host
