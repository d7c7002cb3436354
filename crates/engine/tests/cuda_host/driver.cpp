// libcuda.so.1 for tests: the part of the driver API that cudarc calls, over main memory. What is put on a stream is
// done when somebody waits for it, and no sooner: what was not waited for is not there.
// Every allocation ends before a page that may not be touched, is filled with NaN, and has guards that are looked at
// after every launch.
#include <sys/mman.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "device.h"

#include "common.cuh"

#define API extern "C" __attribute__((visibility("default"))) int

namespace {

enum Result {
    SUCCESS = 0,
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    INVALID_DEVICE = 101,
    INVALID_IMAGE = 200,
    NOT_FOUND = 500,
    NOT_READY = 600,
    LAUNCH_OUT_OF_RESOURCES = 701,
};

// --- kernels ---------------------------------------------------------------------------------------------------

template <class... A, size_t... I>
void call(void (*kernel)(A...), void **arguments, std::index_sequence<I...>) {
    kernel(*static_cast<std::remove_reference_t<A> *>(arguments[I])...);
}

template <auto KERNEL>
struct Trampoline;
template <class... A, void (*KERNEL)(A...)>
struct Trampoline<KERNEL> {
    static void run(void **arguments) { call(KERNEL, arguments, std::index_sequence_for<A...>()); }
    static std::vector<size_t> sizes() { return {sizeof(A)...}; }
};

// A kernel as the launch sees it.
struct Function {
    const char *name;
    void (*run)(void **);
    std::vector<size_t> argument_sizes;
    unsigned most_threads;
    int shared_limit = 48 << 10;
};

std::list<Function> functions;

struct Registration {
    Registration(const char *name, void (*run)(void **), std::vector<size_t> sizes, unsigned most_threads) {
        functions.push_back({name, run, std::move(sizes), most_threads});
    }
};

constexpr int SHARED_LIMIT = 163 << 10;  // of compute capability 8.0

// Sources and registrations of their kernels, each source in a namespace of its own.
#define KERNEL(name, most_threads) \
    const Registration registered_##name(#name, Trampoline<&name>::run, Trampoline<&name>::sizes(), most_threads);
#include "kernels.inc"
#undef KERNEL

// Room for any argument.
struct alignas(16) Value {
    unsigned char bytes[16];
};

struct Module {
    std::string image;
};

// --- streams ---------------------------------------------------------------------------------------------------

// Work in the order in which it was put. Whoever waits for some of it does it.
struct Stream {
    std::mutex working, lock;
    std::deque<std::function<void()>> work;
    uint64_t put_so_far = 0, done = 0;

    // Adds work; returns its number, from 1.
    uint64_t put(std::function<void()> one) {
        const std::lock_guard<std::mutex> guard(lock);
        work.push_back(std::move(one));
        return ++put_so_far;
    }
    uint64_t end() {
        const std::lock_guard<std::mutex> guard(lock);
        return put_so_far;
    }
    // Whether the work of this number and all before it is done.
    bool has_done(uint64_t number) {
        const std::lock_guard<std::mutex> guard(lock);
        return done >= number;
    }
    void finish(uint64_t number) {
        const std::lock_guard<std::mutex> worker(working);
        while (!has_done(number)) {
            std::function<void()> next;
            {
                const std::lock_guard<std::mutex> guard(lock);
                next = std::move(work.front());
                work.pop_front();
            }
            next();
            const std::lock_guard<std::mutex> guard(lock);
            done++;
        }
    }
};

std::mutex streams_lock;
std::list<Stream> streams(1);

// The stream of a handle; the first one if it is null.
Stream *stream_of(void *handle) { return handle == nullptr ? &streams.front() : static_cast<Stream *>(handle); }

void finish_all() {
    std::vector<Stream *> all;
    {
        const std::lock_guard<std::mutex> guard(streams_lock);
        for (Stream &stream : streams) all.push_back(&stream);
    }
    for (Stream *stream : all) stream->finish(stream->end());
}

struct Event {
    Stream *stream = nullptr;
    uint64_t number = 0;
    std::shared_ptr<double> time = std::make_shared<double>(0);
};

// --- memory ----------------------------------------------------------------------------------------------------

constexpr size_t PAGE = 4096, ALIGNMENT = 16, GUARD = 64;
constexpr unsigned char POISON = 0xff, GUARDED = 0x5a;
constexpr size_t TOTAL = size_t(16) << 30;

struct Allocation {
    size_t bytes;
    unsigned char *pages;
    size_t page_bytes;
};

std::mutex lock;
std::map<uintptr_t, Allocation> allocations;
std::map<uintptr_t, size_t> page_locked;
size_t allocated;

Result allocate(uintptr_t *to, size_t bytes) {
    const std::lock_guard<std::mutex> guard(lock);
    const size_t padded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    const size_t usable = (padded + GUARD + PAGE - 1) / PAGE * PAGE;
    if (allocated + bytes > TOTAL) return OUT_OF_MEMORY;
    void *memory = mmap(nullptr, usable + 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return OUT_OF_MEMORY;
    auto *pages = static_cast<unsigned char *>(memory);
    mprotect(pages, PAGE, PROT_NONE);
    mprotect(pages + PAGE + usable, PAGE, PROT_NONE);
    unsigned char *start = pages + PAGE + usable - padded;
    memset(start - GUARD, GUARDED, GUARD);
    memset(start, POISON, bytes);
    memset(start + bytes, GUARDED, padded - bytes);
    *to = reinterpret_cast<uintptr_t>(start);
    allocations[*to] = {bytes, pages, usable + 2 * PAGE};
    allocated += bytes;
    return SUCCESS;
}

Result release(uintptr_t p) {
    const std::lock_guard<std::mutex> guard(lock);
    if (p == 0) return SUCCESS;
    const auto found = allocations.find(p);
    if (found == allocations.end()) cuda_host::fail("freeing %p, which is not allocated", reinterpret_cast<void *>(p));
    allocated -= found->second.bytes;
    munmap(found->second.pages, found->second.page_bytes);
    allocations.erase(found);
    return SUCCESS;
}

void check_guards(const char *kernel) {
    for (const auto &[start, allocation] : allocations) {
        const auto *p = reinterpret_cast<const unsigned char *>(start);
        const size_t behind = (ALIGNMENT - allocation.bytes % ALIGNMENT) % ALIGNMENT;
        for (size_t i = 0; i < GUARD; i++)
            if (p[i - GUARD] != GUARDED)
                cuda_host::fail("kernel %s wrote before a buffer of %zu bytes", kernel, allocation.bytes);
        for (size_t i = 0; i < behind; i++)
            if (p[allocation.bytes + i] != GUARDED)
                cuda_host::fail("kernel %s wrote behind a buffer of %zu bytes", kernel, allocation.bytes);
    }
}

// The device memory [p, p + bytes), which one allocation must hold.
void *device(uintptr_t p, size_t bytes) {
    const std::lock_guard<std::mutex> guard(lock);
    if (bytes == 0) return nullptr;
    auto found = allocations.upper_bound(p);
    if (found == allocations.begin() || (--found, p + bytes > found->first + found->second.bytes))
        cuda_host::fail("a copy of %zu bytes leaves its buffer", bytes);
    return reinterpret_cast<void *>(p);
}

// Whether the main memory [p, p + bytes) is page-locked.
bool is_page_locked(const void *p, size_t bytes) {
    const std::lock_guard<std::mutex> guard(lock);
    const auto at = reinterpret_cast<uintptr_t>(p);
    auto found = page_locked.upper_bound(at);
    return found != page_locked.begin() && (--found, at + bytes <= found->first + found->second);
}

Result copy(void *to, const void *from, size_t bytes) {
    if (bytes > 0) memmove(to, from, bytes);
    return SUCCESS;
}

Result copy_later(void *to, const void *from, size_t bytes, void *stream) {
    stream_of(stream)->put([=] { copy(to, from, bytes); });
    return SUCCESS;
}

double now() {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// CUDA_HOST_DEVICES there are; CUDA_VISIBLE_DEVICES says which of them are seen, up to the first that is none.
int device_count() {
    const char *count = getenv("CUDA_HOST_DEVICES"), *visible = getenv("CUDA_VISIBLE_DEVICES");
    const int all = count == nullptr ? 1 : atoi(count);
    if (visible == nullptr) return all;
    int seen = 0;
    for (char *end; *visible != 0; visible = end + (*end == ',')) {
        const long device = strtol(visible, &end, 10);
        if (end == visible || device < 0 || device >= all) break;
        seen++;
    }
    return seen;
}

// Contexts are numbered from 1, by device.
thread_local uintptr_t current;

int dummy;

}  // namespace

// --- devices and contexts --------------------------------------------------------------------------------------

API cuInit(unsigned) { return SUCCESS; }
API cuDriverGetVersion(int *version) { return *version = 12090, SUCCESS; }
API cuDeviceGetCount(int *count) { return *count = device_count(), SUCCESS; }
API cuDeviceGet(int *device, int ordinal) {
    return ordinal >= 0 && ordinal < device_count() ? (*device = ordinal, SUCCESS) : INVALID_DEVICE;
}
API cuDeviceGetName(char *name, int length, int) { return strncpy(name, "CUDA on the host", length), SUCCESS; }
API cuDeviceTotalMem_v2(size_t *bytes, int) { return *bytes = TOTAL, SUCCESS; }
API cuDeviceGetUuid_v2(unsigned char *uuid, int device) { return memset(uuid, device + 1, 16), SUCCESS; }
API cuDeviceGetAttribute(int *value, int attribute, int) {
    switch (attribute) {
        case 1:
            *value = 1024;
            break;  // threads of a block
        case 8:
            *value = 48 << 10;
            break;  // shared memory of a block
        case 10:
            *value = 32;
            break;  // threads of a warp
        case 12:
            *value = 65536;
            break;  // registers of a block
        case 16:
            *value = 4;
            break;  // multiprocessors
        case 39:
            *value = 2048;
            break;  // threads of a multiprocessor
        case 75:
            *value = 8;
            break;  // compute capability, major
        case 76:
            *value = 0;
            break;  // and minor
        case 81:
            *value = 164 << 10;
            break;  // shared memory of a multiprocessor
        case 97:
            *value = SHARED_LIMIT;
            break;  // shared memory of a block on request
        case 115:
            *value = 1;
            break;  // memory pools
        default:
            *value = 0;
    }
    return SUCCESS;
}
API cuDevicePrimaryCtxRetain(uintptr_t *context, int device) { return *context = device + 1, SUCCESS; }
API cuDevicePrimaryCtxRelease_v2(int) { return SUCCESS; }
API cuCtxGetCurrent(uintptr_t *context) { return *context = current, SUCCESS; }
API cuCtxSetCurrent(uintptr_t context) { return current = context, SUCCESS; }
API cuCtxSynchronize() { return finish_all(), SUCCESS; }
API cuCtxSetFlags(unsigned) { return SUCCESS; }
API cuCtxGetStreamPriorityRange(int *least, int *greatest) { return *least = 0, *greatest = -5, SUCCESS; }
API cuGetErrorName(int, const char **text) { return *text = "an error of CUDA on the host", SUCCESS; }
API cuGetErrorString(int, const char **text) { return *text = "an error of CUDA on the host", SUCCESS; }

// --- streams and events ----------------------------------------------------------------------------------------

API cuStreamCreate(void **stream, unsigned) {
    const std::lock_guard<std::mutex> guard(streams_lock);
    return *stream = &streams.emplace_back(), SUCCESS;
}
API cuStreamCreateWithPriority(void **stream, unsigned flags, int) { return cuStreamCreate(stream, flags); }
API cuStreamSynchronize(void *stream) {
    stream_of(stream)->finish(stream_of(stream)->end());
    return SUCCESS;
}
API cuStreamDestroy_v2(void *stream) { return cuStreamSynchronize(stream); }
API cuStreamQuery(void *stream) {
    if (stream_of(stream)->has_done(stream_of(stream)->end())) return SUCCESS;
    cuStreamSynchronize(stream);
    return NOT_READY;
}
API cuStreamWaitEvent(void *stream, Event *event, unsigned) {
    if (event->stream != nullptr)
        stream_of(stream)->put([from = event->stream, number = event->number] { from->finish(number); });
    return SUCCESS;
}
API cuStreamIsCapturing(void *, int *status) { return *status = 0, SUCCESS; }
API cuLaunchHostFunc(void *stream, void (*function)(void *), void *data) {
    stream_of(stream)->put([=] { function(data); });
    return SUCCESS;
}
API cuEventCreate(Event **event, unsigned) { return *event = new Event, SUCCESS; }
API cuEventDestroy_v2(Event *event) { return delete event, SUCCESS; }
API cuEventRecord(Event *event, void *stream) {
    event->stream = stream_of(stream);
    event->number = event->stream->put([time = event->time] { *time = now(); });
    return SUCCESS;
}
API cuEventSynchronize(Event *event) {
    if (event->stream != nullptr) event->stream->finish(event->number);
    return SUCCESS;
}
API cuEventQuery(Event *event) {
    if (event->stream == nullptr || event->stream->has_done(event->number)) return SUCCESS;
    cuEventSynchronize(event);
    return NOT_READY;
}
API cuEventElapsedTime(float *milliseconds, Event *start, Event *end) {
    return *milliseconds = float(*end->time - *start->time), SUCCESS;
}
API cuEventElapsedTime_v2(float *milliseconds, Event *start, Event *end) {
    return cuEventElapsedTime(milliseconds, start, end);
}

// --- memory ----------------------------------------------------------------------------------------------------

API cuMemAlloc_v2(uintptr_t *p, size_t bytes) { return bytes == 0 ? INVALID_VALUE : allocate(p, bytes); }
API cuMemFree_v2(uintptr_t p) { return finish_all(), release(p); }
API cuMemAllocAsync(uintptr_t *p, size_t bytes, void *) { return bytes == 0 ? (*p = 0, SUCCESS) : allocate(p, bytes); }
API cuMemFreeAsync(uintptr_t p, void *stream) {
    stream_of(stream)->put([=] { release(p); });
    return SUCCESS;
}
API cuMemAllocFromPoolAsync(uintptr_t *p, size_t bytes, void *, void *stream) {
    return cuMemAllocAsync(p, bytes, stream);
}
API cuMemHostAlloc(void **p, size_t bytes, unsigned) {
    const std::lock_guard<std::mutex> guard(lock);
    *p = aligned_alloc(PAGE, (bytes + PAGE - 1) / PAGE * PAGE);
    page_locked[reinterpret_cast<uintptr_t>(*p)] = bytes;
    return SUCCESS;
}
API cuMemFreeHost(void *p) {
    finish_all();
    const std::lock_guard<std::mutex> guard(lock);
    page_locked.erase(reinterpret_cast<uintptr_t>(p));
    return free(p), SUCCESS;
}
API cuMemGetInfo_v2(size_t *left, size_t *total) { return *left = TOTAL - allocated, *total = TOTAL, SUCCESS; }
API cuMemcpyHtoD_v2(uintptr_t to, const void *from, size_t bytes) { return copy(device(to, bytes), from, bytes); }
// Page-locked memory is read when the stream comes to it; any other has been read when the call returns.
API cuMemcpyHtoDAsync_v2(uintptr_t to, const void *from, size_t bytes, void *stream) {
    void *memory = device(to, bytes);
    if (is_page_locked(from, bytes)) return copy_later(memory, from, bytes, stream);
    const auto *first = static_cast<const unsigned char *>(from);
    stream_of(stream)->put([=, values = std::vector<unsigned char>(first, first + bytes)] {
        copy(memory, values.data(), bytes);
    });
    return SUCCESS;
}
API cuMemcpyDtoH_v2(void *to, uintptr_t from, size_t bytes) { return copy(to, device(from, bytes), bytes); }
// NaN until then.
API cuMemcpyDtoHAsync_v2(void *to, uintptr_t from, size_t bytes, void *stream) {
    const void *memory = device(from, bytes);
    memset(to, POISON, bytes);
    return copy_later(to, memory, bytes, stream);
}
API cuMemcpyDtoD_v2(uintptr_t to, uintptr_t from, size_t bytes) {
    return copy(device(to, bytes), device(from, bytes), bytes);
}
API cuMemcpyDtoDAsync_v2(uintptr_t to, uintptr_t from, size_t bytes, void *stream) {
    return copy_later(device(to, bytes), device(from, bytes), bytes, stream);
}
API cuMemcpyPeerAsync(uintptr_t to, void *, uintptr_t from, void *, size_t bytes, void *stream) {
    return cuMemcpyDtoDAsync_v2(to, from, bytes, stream);
}
API cuMemsetD8_v2(uintptr_t to, unsigned char value, size_t bytes) {
    if (bytes > 0) memset(device(to, bytes), value, bytes);
    return SUCCESS;
}
API cuMemsetD8Async(uintptr_t to, unsigned char value, size_t bytes, void *stream) {
    void *memory = device(to, bytes);
    stream_of(stream)->put([=] {
        if (bytes > 0) memset(memory, value, bytes);
    });
    return SUCCESS;
}
API cuDeviceGetDefaultMemPool(void **pool, int) { return *pool = &dummy, SUCCESS; }
API cuDeviceGetMemPool(void **pool, int) { return *pool = &dummy, SUCCESS; }
API cuMemPoolSetAttribute(void *, int, void *) { return SUCCESS; }
API cuMemPoolTrimTo(void *, size_t) { return SUCCESS; }

// --- modules and launches --------------------------------------------------------------------------------------

// The image is what the compiler for tests returns: the source.
API cuModuleLoadData(Module **module, const void *image) {
    if (strstr(static_cast<const char *>(image), "__global__") == nullptr) return INVALID_IMAGE;
    return *module = new Module{static_cast<const char *>(image)}, SUCCESS;
}
API cuModuleUnload(Module *module) { return delete module, SUCCESS; }
API cuModuleGetFunction(Function **function, Module *module, const char *name) {
    if (module->image.find(std::string(" ") + name + "(") == std::string::npos) return NOT_FOUND;
    for (Function &f : functions)
        if (strcmp(f.name, name) == 0) return *function = &f, SUCCESS;
    return NOT_FOUND;
}
API cuFuncSetAttribute(Function *function, int attribute, int value) {
    if (attribute != 8) return SUCCESS;
    if (value > SHARED_LIMIT) return INVALID_VALUE;
    return function->shared_limit = value, SUCCESS;
}
API cuFuncGetAttribute(int *value, int attribute, Function *function) {
    *value = attribute == 0 ? int(function->most_threads) : attribute == 8 ? function->shared_limit : 0;
    return SUCCESS;
}
API cuFuncSetCacheConfig(Function *, int) { return SUCCESS; }
API cuLaunchKernel(Function *function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x,
                   unsigned block_y, unsigned block_z, unsigned shared_bytes, void *stream, void **arguments,
                   void **) {
    const cuda_host::Index grid = {grid_x, grid_y, grid_z}, block = {block_x, block_y, block_z};
    const uint64_t threads = uint64_t(block_x) * block_y * block_z;
    if (uint64_t(grid_x) * grid_y * grid_z == 0 || threads == 0 || grid_x > 0x7fffffffu || grid_y > 65535 ||
        grid_z > 65535) {
        fprintf(stderr, "CUDA on the host: kernel %s: grid %u x %u x %u, block %u x %u x %u\n", function->name, grid_x,
                grid_y, grid_z, block_x, block_y, block_z);
        return INVALID_VALUE;
    }
    if (threads > function->most_threads || int(shared_bytes) > function->shared_limit) {
        fprintf(stderr, "CUDA on the host: kernel %s: %u threads of %u, %u bytes of shared memory of %d\n",
                function->name, unsigned(threads), function->most_threads, shared_bytes, function->shared_limit);
        return threads > function->most_threads ? LAUNCH_OUT_OF_RESOURCES : INVALID_VALUE;
    }
    // The launch takes its arguments with it.
    std::vector<Value> values(function->argument_sizes.size());
    for (size_t i = 0; i < values.size(); i++) {
        if (function->argument_sizes[i] > sizeof values[i])
            cuda_host::fail("kernel %s has an argument of %zu bytes", function->name, function->argument_sizes[i]);
        memcpy(&values[i], arguments[i], function->argument_sizes[i]);
    }
    stream_of(stream)->put([=]() mutable {
        std::vector<void *> pointers;
        for (auto &value : values) pointers.push_back(&value);
        const std::lock_guard<std::mutex> guard(lock);
        cuda_host::run({function->name, function->run, pointers.data(), grid, block, shared_bytes});
        check_guards(function->name);
    });
    return SUCCESS;
}
