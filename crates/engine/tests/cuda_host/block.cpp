#include "block.h"

#include <sys/mman.h>

#include <csignal>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

// What the linker puts around all static shared memory (see `__shared__` in device.h).
extern unsigned char __start_cuda_shared[] __attribute__((weak));
extern unsigned char __stop_cuda_shared[] __attribute__((weak));

namespace cuda_host {

Index thread_index, block_index, block_size, grid_size;
unsigned char *dynamic_shared_memory;

namespace {

constexpr size_t STACK = 128 << 10, PAGE = 4096, THREADS = 1024, GUARD = 64;
constexpr unsigned char POISON = 0xff;  // NaN as f32 and bf16, −1 as int

enum class State { READY, AT_BARRIER, IN_WARP, DONE };

struct Fibre {
    State state;
    int line;
    unsigned mask;
    unsigned turn;
    Index index;
};

struct Warp {
    alignas(16) unsigned char slots[2][32 * SLOT];
};

const Launch *launched;
unsigned char *stacks;
Fibre fibres[THREADS];
Warp warps[THREADS / 32];
unsigned running, thread_count;
uint64_t random_state;

// --- switching -------------------------------------------------------------------------------------------------

void enter() {
    launched->run(launched->arguments);
    fibres[running].state = State::DONE;
}

unsigned char *stack_end(unsigned i) { return stacks + (i + 1) * (STACK + PAGE); }

#if defined(__x86_64__)
void *scheduler, *saved[THREADS];

// Saves what a call must keep and the stack pointer at `*from`, and goes on at `to`.
extern "C" void cuda_host_switch(void **from, void *to);
asm(R"(
.text
.hidden cuda_host_switch
.globl cuda_host_switch
.type cuda_host_switch, @function
cuda_host_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
)");

void back() { cuda_host_switch(&saved[running], scheduler); }

void first_frame() {
    enter();
    back();
    abort();
}

void prepare(unsigned i) {
    void **top = reinterpret_cast<void **>(stack_end(i)) - 2;
    *top = reinterpret_cast<void *>(&first_frame);
    saved[i] = std::memset(top - 6, 0, 6 * sizeof(void *));
}

void resume(unsigned i) { cuda_host_switch(&scheduler, saved[i]); }
#else
ucontext_t scheduler, saved[THREADS];

void back() { swapcontext(&saved[running], &scheduler); }

void prepare(unsigned i) {
    getcontext(&saved[i]);
    saved[i].uc_stack.ss_sp = stack_end(i) - STACK;
    saved[i].uc_stack.ss_size = STACK;
    saved[i].uc_link = &scheduler;
    makecontext(&saved[i], enter, 0);
}

void resume(unsigned i) { swapcontext(&scheduler, &saved[i]); }
#endif

void make_stacks() {
    if (stacks != nullptr) return;
    void *memory = mmap(nullptr, THREADS * (STACK + PAGE), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) fail("no memory for stacks");
    stacks = static_cast<unsigned char *>(memory);
    for (unsigned i = 0; i < THREADS; i++) mprotect(stacks + i * (STACK + PAGE), PAGE, PROT_NONE);
}

// --- scheduling ------------------------------------------------------------------------------------------------

void wait(State state, int line, unsigned mask) {
    Fibre &fibre = fibres[running];
    fibre.state = state;
    fibre.line = line;
    fibre.mask = mask;
    back();
}

// Lets the threads of a warp go on that all wait for the same.
bool release_warp(unsigned first) {
    const unsigned lanes = thread_count - first < 32 ? thread_count - first : 32;
    const unsigned present = lanes == 32 ? ~0u : (1u << lanes) - 1;
    bool any = false;
    for (unsigned i = first; i < first + lanes; i++) {
        const Fibre &leader = fibres[i];
        if (leader.state != State::IN_WARP) continue;
        const unsigned wanted = leader.mask & present;
        bool whole = true;
        for (unsigned l = 0; l < lanes; l++) {
            const Fibre &other = fibres[first + l];
            if (wanted >> l & 1)
                whole &= other.state == State::IN_WARP && other.line == leader.line && other.mask == leader.mask;
        }
        if (!whole) continue;
        for (unsigned l = 0; l < lanes; l++)
            if (wanted >> l & 1) fibres[first + l].state = State::READY;
        any = true;
    }
    return any;
}

// Lets all threads go on if all wait at one barrier; whether any thread is left.
bool release_block() {
    unsigned done = 0, waiting = 0;
    for (unsigned i = 0; i < thread_count; i++) {
        done += fibres[i].state == State::DONE;
        waiting += fibres[i].state == State::AT_BARRIER && fibres[i].line == fibres[0].line;
    }
    if (done == thread_count) return false;
    if (waiting != thread_count) {
        for (unsigned i = 0; i < thread_count; i++) {
            const Fibre &f = fibres[i];
            const char *what = f.state == State::DONE      ? "has ended"
                               : f.state == State::IN_WARP ? "waits for its warp"
                                                           : "waits at a barrier";
            if (i == 0 || f.state != fibres[i - 1].state || f.line != fibres[i - 1].line)
                fprintf(stderr, "thread %u and following: %s (line %d)\n", i, what, f.line);
        }
        fail("not all threads reach the same barrier or operation of a warp");
    }
    for (unsigned i = 0; i < thread_count; i++) fibres[i].state = State::READY;
    return true;
}

void run_block() {
    for (unsigned i = 0; i < thread_count; i++) {
        fibres[i].state = State::READY;
        fibres[i].turn = 0;
        prepare(i);
    }
    unsigned ready[THREADS];
    for (;;) {
        unsigned count = 0;
        for (unsigned i = 0; i < thread_count; i++)
            if (fibres[i].state == State::READY) ready[count++] = i;
        for (unsigned i = count; i > 1; i--) {
            const unsigned other = draw() % i, last = ready[i - 1];
            ready[i - 1] = ready[other];
            ready[other] = last;
        }
        for (unsigned i = 0; i < count; i++) {
            running = ready[i];
            thread_index = fibres[running].index;
            resume(running);
        }
        bool any = false;
        for (unsigned first = 0; first < thread_count; first += 32) any |= release_warp(first);
        if (!any && !release_block()) return;
    }
}

void on_fault(int, siginfo_t *info, void *) { fail("touches memory that is not its own: address %p", info->si_addr); }

}  // namespace

void fail(const char *format, ...) {
    fprintf(stderr, "CUDA on the host: ");
    if (launched != nullptr)
        fprintf(stderr, "kernel %s, block (%u, %u, %u), thread (%u, %u, %u): ", launched->name, block_index.x,
                block_index.y, block_index.z, thread_index.x, thread_index.y, thread_index.z);
    va_list arguments;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
    fflush(stderr);
    signal(SIGABRT, SIG_DFL);
    abort();
}

uint64_t draw() {
    if (random_state == 0) {
        const char *seed = getenv("CUDA_HOST_SEED");
        random_state = (seed != nullptr ? strtoull(seed, nullptr, 10) : 1) * 0x9e3779b97f4a7c15ull | 1;
    }
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (random_state * 0x2545f4914f6cdd1dull) >> 32;
}

unsigned lane() { return running % 32; }

void barrier(int line) { wait(State::AT_BARRIER, line, 0); }

const unsigned char *exchange(unsigned mask, const void *shown, size_t bytes, int line) {
    if (!(mask >> lane() & 1)) fail("line %d: the thread's lane is not in its mask", line);
    // Two sets of slots: a thread that is ahead by one operation does not overwrite what others are still to read.
    unsigned char *slots = warps[running / 32].slots[fibres[running].turn++ % 2];
    memcpy(slots + SLOT * lane(), shown, bytes);
    wait(State::IN_WARP, line, mask);
    return slots;
}

void run(const Launch &launch) {
    make_stacks();
    launched = &launch;
    block_size = launch.block;
    grid_size = launch.grid;
    thread_count = launch.block.x * launch.block.y * launch.block.z;
    for (unsigned i = 0; i < thread_count; i++)
        fibres[i].index = {i % block_size.x, i / block_size.x % block_size.y, i / block_size.x / block_size.y};
    std::vector<unsigned char> shared(launch.shared_bytes + 2 * GUARD);
    const auto address = reinterpret_cast<uintptr_t>(shared.data());
    dynamic_shared_memory = shared.data() + (GUARD - address % GUARD) % GUARD;

    struct sigaction action = {}, segv, bus;
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigaction(SIGSEGV, &action, &segv);
    sigaction(SIGBUS, &action, &bus);
    const uint64_t blocks = uint64_t(launch.grid.x) * launch.grid.y * launch.grid.z;
    std::vector<uint32_t> order(blocks);
    for (uint64_t i = 0; i < blocks; i++) order[i] = i;
    for (uint64_t i = blocks; i > 1; i--) std::swap(order[i - 1], order[draw() % i]);
    for (uint32_t i : order) {
        block_index = {i % grid_size.x, i / grid_size.x % grid_size.y, i / grid_size.x / grid_size.y};
        memset(__start_cuda_shared, POISON, __stop_cuda_shared - __start_cuda_shared);
        memset(dynamic_shared_memory, POISON, launch.shared_bytes);
        memset(dynamic_shared_memory + launch.shared_bytes, 0x5a, GUARD);
        run_block();
        for (size_t j = 0; j < GUARD; j++)
            if (dynamic_shared_memory[launch.shared_bytes + j] != 0x5a) fail("writes behind its dynamic shared memory");
    }
    sigaction(SIGSEGV, &segv, nullptr);
    sigaction(SIGBUS, &bus, nullptr);
    launched = nullptr;
}

}  // namespace cuda_host
