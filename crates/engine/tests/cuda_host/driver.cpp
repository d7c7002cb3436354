// libcuda.so.1 for tests: the part of the driver API that cudarc calls, over main memory. Streams are synchronous.
// Every allocation ends before a page that may not be touched, is filled with NaN, and has guards that are looked at
// after every launch.
#include <sys/mman.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <list>
#include <map>
#include <mutex>
#include <string>

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
};

// A kernel as the launch sees it.
struct Function {
    const char *name;
    void (*run)(void **);
    unsigned most_threads;
    int shared_limit = 48 << 10;
};

std::list<Function> functions;

struct Registration {
    Registration(const char *name, void (*run)(void **), unsigned most_threads) {
        functions.push_back({name, run, most_threads});
    }
};

constexpr int SHARED_LIMIT = 163 << 10;  // of compute capability 8.0

// Sources and registrations of their kernels, each source in a namespace of its own.
#define KERNEL(name, most_threads) const Registration registered_##name(#name, Trampoline<&name>::run, most_threads);
#include "kernels.inc"
#undef KERNEL

struct Module {
    std::string image;
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

Result copy(void *to, const void *from, size_t bytes) {
    if (bytes > 0) memmove(to, from, bytes);
    return SUCCESS;
}

double now() {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

int device_count() {
    const char *count = getenv("CUDA_HOST_DEVICES");
    return count == nullptr ? 1 : atoi(count);
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
API cuCtxSynchronize() { return SUCCESS; }
API cuCtxSetFlags(unsigned) { return SUCCESS; }
API cuCtxGetStreamPriorityRange(int *least, int *greatest) { return *least = 0, *greatest = -5, SUCCESS; }
API cuGetErrorName(int, const char **text) { return *text = "an error of CUDA on the host", SUCCESS; }
API cuGetErrorString(int, const char **text) { return *text = "an error of CUDA on the host", SUCCESS; }

// --- streams and events ----------------------------------------------------------------------------------------

API cuStreamCreate(void **stream, unsigned) { return *stream = &dummy, SUCCESS; }
API cuStreamCreateWithPriority(void **stream, unsigned, int) { return *stream = &dummy, SUCCESS; }
API cuStreamDestroy_v2(void *) { return SUCCESS; }
API cuStreamSynchronize(void *) { return SUCCESS; }
API cuStreamQuery(void *) { return SUCCESS; }
API cuStreamWaitEvent(void *, void *, unsigned) { return SUCCESS; }
API cuStreamIsCapturing(void *, int *status) { return *status = 0, SUCCESS; }
API cuLaunchHostFunc(void *, void (*function)(void *), void *data) { return function(data), SUCCESS; }
API cuEventCreate(void **event, unsigned) { return *event = new double(0), SUCCESS; }
API cuEventDestroy_v2(void *event) { return delete static_cast<double *>(event), SUCCESS; }
API cuEventRecord(void *event, void *) { return *static_cast<double *>(event) = now(), SUCCESS; }
API cuEventSynchronize(void *) { return SUCCESS; }
API cuEventQuery(void *) { return SUCCESS; }
API cuEventElapsedTime(float *milliseconds, void *start, void *end) {
    return *milliseconds = float(*static_cast<double *>(end) - *static_cast<double *>(start)), SUCCESS;
}
API cuEventElapsedTime_v2(float *milliseconds, void *start, void *end) {
    return cuEventElapsedTime(milliseconds, start, end);
}

// --- memory ----------------------------------------------------------------------------------------------------

API cuMemAlloc_v2(uintptr_t *p, size_t bytes) { return bytes == 0 ? INVALID_VALUE : allocate(p, bytes); }
API cuMemFree_v2(uintptr_t p) { return release(p); }
API cuMemAllocAsync(uintptr_t *p, size_t bytes, void *) { return bytes == 0 ? (*p = 0, SUCCESS) : allocate(p, bytes); }
API cuMemFreeAsync(uintptr_t p, void *) { return release(p); }
API cuMemAllocFromPoolAsync(uintptr_t *p, size_t bytes, void *, void *stream) {
    return cuMemAllocAsync(p, bytes, stream);
}
API cuMemHostAlloc(void **p, size_t bytes, unsigned) { return *p = malloc(bytes), SUCCESS; }
API cuMemFreeHost(void *p) { return free(p), SUCCESS; }
API cuMemGetInfo_v2(size_t *left, size_t *total) { return *left = TOTAL - allocated, *total = TOTAL, SUCCESS; }
API cuMemcpyHtoD_v2(uintptr_t to, const void *from, size_t bytes) { return copy(device(to, bytes), from, bytes); }
API cuMemcpyHtoDAsync_v2(uintptr_t to, const void *from, size_t bytes, void *) {
    return cuMemcpyHtoD_v2(to, from, bytes);
}
API cuMemcpyDtoH_v2(void *to, uintptr_t from, size_t bytes) { return copy(to, device(from, bytes), bytes); }
API cuMemcpyDtoHAsync_v2(void *to, uintptr_t from, size_t bytes, void *) { return cuMemcpyDtoH_v2(to, from, bytes); }
API cuMemcpyDtoD_v2(uintptr_t to, uintptr_t from, size_t bytes) {
    return copy(device(to, bytes), device(from, bytes), bytes);
}
API cuMemcpyDtoDAsync_v2(uintptr_t to, uintptr_t from, size_t bytes, void *) {
    return cuMemcpyDtoD_v2(to, from, bytes);
}
API cuMemcpyPeerAsync(uintptr_t to, void *, uintptr_t from, void *, size_t bytes, void *) {
    return cuMemcpyDtoD_v2(to, from, bytes);
}
API cuMemsetD8_v2(uintptr_t to, unsigned char value, size_t bytes) {
    if (bytes > 0) memset(device(to, bytes), value, bytes);
    return SUCCESS;
}
API cuMemsetD8Async(uintptr_t to, unsigned char value, size_t bytes, void *) { return cuMemsetD8_v2(to, value, bytes); }
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
                   unsigned block_y, unsigned block_z, unsigned shared_bytes, void *, void **arguments, void **) {
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
    const std::lock_guard<std::mutex> guard(lock);
    cuda_host::run({function->name, function->run, arguments, grid, block, shared_bytes});
    check_guards(function->name);
    return SUCCESS;
}
