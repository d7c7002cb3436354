// libnccl.so.2 for tests: processes of one machine meet in a file of shared memory that the id names. Every call, or group
// of them, takes place when its stream comes to it, and waits for the others, who must make the same call.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#define API extern "C" __attribute__((visibility("default"))) int

namespace {

enum Result { SUCCESS = 0, UNHANDLED_CUDA_ERROR = 1, SYSTEM_ERROR = 2, INVALID_ARGUMENT = 4, INVALID_USAGE = 5 };
enum Type { BYTE = 1, F32 = 7 };
enum Kind { ALL_REDUCE = 1, ALL_GATHER, BROADCAST };

constexpr int MOST = 16;
constexpr size_t ROOM = 256 << 10;  // bytes of a process that the others see at once
constexpr size_t PIECES = 1024;     // and of how many calls, or parts of them
constexpr double PATIENCE = 600;    // seconds

// A call as every process must make it.
struct Call {
    int64_t kind, type, root, count;
};

struct Meeting {
    std::atomic<int> joined, waiting, round;
    char device[MOST][64];
    size_t pieces[MOST];
    Call calls[MOST][PIECES];
    unsigned char data[MOST][ROOM];
};

// A part of a call: `bytes` bytes from `at` on, which lie at `place` of what the others see.
struct Piece {
    Call call;
    const unsigned char *from;
    unsigned char *to;
    size_t at, bytes, place;
};

struct Communicator {
    Meeting *at;
    int rank, size, calls = 0;
};

struct Id {
    char path[128];
};

std::string last_error;
thread_local int groups, group_result;
thread_local std::vector<Piece> deferred;
thread_local Communicator *deferred_to;
thread_local void *deferred_on;

int failed(Result result, const std::string &why) {
    last_error = why;
    return group_result = result;
}

// Until `done` holds; ends the process if that takes too long, since NVIDIA's would wait for ever.
template <class F>
void wait(F done) {
    const auto start = std::chrono::steady_clock::now();
    while (!done()) {
        usleep(20);
        if (std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() > PATIENCE) {
            fprintf(stderr, "NCCL on the host: the other processes did not come\n");
            abort();
        }
    }
}

void barrier(Communicator &c) {
    const int round = c.at->round.load();
    if (c.at->waiting.fetch_add(1) + 1 == c.size) {
        c.at->waiting = 0;
        c.at->round = round + 1;
    } else {
        wait([&] { return c.at->round.load() != round; });
    }
}

// A function of libcuda.so.1 beside this file: copies through it are held against what was allocated.
template <class F>
F driver(const char *name) {
    void *library = dlopen("libcuda.so.1", RTLD_LAZY);
    void *function = library == nullptr ? nullptr : dlsym(library, name);
    if (function == nullptr) {
        fprintf(stderr, "NCCL on the host: no %s\n", name);
        abort();
    }
    return reinterpret_cast<F>(function);
}
void down(void *to, const void *from, size_t bytes) {
    driver<int (*)(void *, uintptr_t, size_t)>("cuMemcpyDtoH_v2")(to, reinterpret_cast<uintptr_t>(from), bytes);
}
void up(void *to, const void *from, size_t bytes) {
    driver<int (*)(uintptr_t, const void *, size_t)>("cuMemcpyHtoD_v2")(reinterpret_cast<uintptr_t>(to), from, bytes);
}

size_t width(int64_t type) { return type == F32 ? 4 : 1; }

// CUDA_HOST_NCCL_FAILS=RANK:N fails the Nth call of a process.
bool is_to_fail(const Communicator &c) {
    const char *given = getenv("CUDA_HOST_NCCL_FAILS");
    int rank = 0, call = 0;
    return given != nullptr && sscanf(given, "%d:%d", &rank, &call) == 2 && rank == c.rank && call == c.calls;
}

// Exchanges what fits into a meeting.
void exchange(Communicator &c, const Piece *pieces, size_t n) {
    c.at->pieces[c.rank] = n;
    for (size_t i = 0; i < n; i++) {
        const Piece &p = pieces[i];
        c.at->calls[c.rank][i] = p.call;
        if (p.call.kind != BROADCAST || p.call.root == c.rank) down(c.at->data[c.rank] + p.place, p.from + p.at, p.bytes);
    }
    barrier(c);
    for (int r = 0; r < c.size; r++) {
        if (c.at->pieces[r] == n && memcmp(c.at->calls[r], c.at->calls[c.rank], n * sizeof(Call)) == 0) continue;
        fprintf(stderr, "NCCL on the host: process %d makes other calls (%zu) than process %d (%zu)\n", r,
                c.at->pieces[r], c.rank, n);
        abort();
    }
    std::vector<float> sum;
    for (size_t i = 0; i < n; i++) {
        const Piece &p = pieces[i];
        const auto seen = [&](int r) { return c.at->data[r] + p.place; };
        if (p.call.kind == BROADCAST) up(p.to + p.at, seen(p.call.root), p.bytes);
        if (p.call.kind == ALL_GATHER)
            for (int r = 0; r < c.size; r++) up(p.to + r * p.call.count * width(p.call.type) + p.at, seen(r), p.bytes);
        if (p.call.kind == ALL_REDUCE) {
            // As around a ring: another process begins at every piece.
            sum.assign(p.bytes / sizeof(float), 0);
            for (size_t k = 0; k < sum.size(); k++)
                for (int r = 0; r < c.size; r++)
                    sum[k] += reinterpret_cast<float *>(seen((r + (p.at / sizeof(float) + k) / 64) % c.size))[k];
            up(p.to + p.at, sum.data(), p.bytes);
        }
    }
    barrier(c);
}

// The calls of a group.
struct Work {
    Communicator *at;
    std::vector<Piece> pieces;

    void run() {
        for (size_t start = 0, end = 0; start < pieces.size(); start = end) {
            for (size_t held = 0; end < pieces.size() && end - start < PIECES; held += (pieces[end++].bytes + 7) / 8 * 8) {
                if (held + pieces[end].bytes > ROOM) break;
                pieces[end].place = held;
            }
            exchange(*at, &pieces[start], end - start);
        }
    }
};

// Puts the calls that were given so far on their stream.
void perform() {
    if (deferred.empty()) return;
    const auto run = [](void *data) {
        auto *work = static_cast<Work *>(data);
        work->run();
        delete work;
    };
    auto *work = new Work{deferred_to, {}};
    work->pieces.swap(deferred);
    driver<int (*)(void *, void (*)(void *), void *)>("cuLaunchHostFunc")(deferred_on, run, work);
}

int give(Communicator *c, const Call &call, const void *from, void *to, void *stream) {
    if (c == nullptr || (call.count > 0 && (from == nullptr || to == nullptr)))
        return failed(INVALID_ARGUMENT, "a null pointer");
    if (call.type != F32 && (call.type != BYTE || call.kind == ALL_REDUCE))
        return failed(INVALID_ARGUMENT, "a type that is not there on the host");
    c->calls++;
    if (is_to_fail(*c)) return failed(SYSTEM_ERROR, "CUDA_HOST_NCCL_FAILS said so");
    const size_t all = call.count * width(call.type);
    for (size_t at = 0; at < all; at += ROOM)
        deferred.push_back({call, static_cast<const unsigned char *>(from), static_cast<unsigned char *>(to), at,
                            std::min(ROOM, all - at), 0});
    deferred_to = c;
    deferred_on = stream;
    if (groups == 0) perform();
    return SUCCESS;
}

}  // namespace

API ncclGetVersion(int *version) { return *version = 22707, SUCCESS; }
extern "C" __attribute__((visibility("default"))) const char *ncclGetErrorString(int result) {
    return result == SUCCESS          ? "no error"
           : result == SYSTEM_ERROR   ? "unhandled system error"
           : result == INVALID_USAGE  ? "invalid usage"
                                      : "invalid argument";
}
extern "C" __attribute__((visibility("default"))) const char *ncclGetLastError(void *) { return last_error.c_str(); }

API ncclGetUniqueId(Id *id) {
    memset(id, 0, sizeof *id);
    strcpy(id->path, "/dev/shm/nccl-on-the-host-XXXXXX");
    const int file = mkstemp(id->path);
    if (file < 0 || ftruncate(file, sizeof(Meeting)) != 0) return failed(SYSTEM_ERROR, "no shared memory");
    return close(file), SUCCESS;
}

API ncclCommInitRank(Communicator **to, int size, Id id, int rank) {
    if (size < 1 || size > MOST || rank < 0 || rank >= size) return failed(INVALID_ARGUMENT, "rank and size");
    uintptr_t context = 0;
    driver<int (*)(uintptr_t *)>("cuCtxGetCurrent")(&context);
    if (context == 0) return failed(UNHANDLED_CUDA_ERROR, "no context is current");
    const int file = open(id.path, O_RDWR);
    if (file < 0) return failed(SYSTEM_ERROR, std::string("no meeting at ") + id.path);
    void *memory = mmap(nullptr, sizeof(Meeting), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (memory == MAP_FAILED) return failed(SYSTEM_ERROR, "no shared memory");
    auto *c = new Communicator{static_cast<Meeting *>(memory), rank, size};
    const char *visible = getenv("CUDA_VISIBLE_DEVICES");
    const std::string device = visible == nullptr ? "0" : std::string(visible).substr(0, std::string(visible).find(','));
    strncpy(c->at->device[rank], device.c_str(), sizeof c->at->device[rank] - 1);
    // The last one takes the name away, which all others have opened by then.
    if (c->at->joined.fetch_add(1) + 1 == size) unlink(id.path);
    wait([&] { return c->at->joined.load() == size; });
    for (int r = 0; r < size; r++)
        if (r != rank && device == c->at->device[r]) return failed(INVALID_USAGE, "Duplicate GPU detected");
    return *to = c, SUCCESS;
}
API ncclCommDestroy(Communicator *c) {
    driver<int (*)()>("cuCtxSynchronize")();
    barrier(*c);
    munmap(c->at, sizeof(Meeting));
    return delete c, SUCCESS;
}
API ncclCommGetAsyncError(Communicator *, int *result) { return *result = SUCCESS, SUCCESS; }

API ncclGroupStart() { return groups++ == 0 ? group_result = SUCCESS : SUCCESS; }
API ncclGroupEnd() {
    if (groups == 0) return failed(INVALID_USAGE, "no group was begun");
    if (--groups > 0) return SUCCESS;
    if (group_result != SUCCESS) deferred.clear();
    perform();
    return group_result;
}

API ncclAllReduce(const void *from, void *to, size_t count, int type, int operation, Communicator *c, void *stream) {
    if (operation != 0) return failed(INVALID_ARGUMENT, "only sums are there on the host");
    return give(c, {ALL_REDUCE, type, 0, int64_t(count)}, from, to, stream);
}
API ncclAllGather(const void *from, void *to, size_t count, int type, Communicator *c, void *stream) {
    return give(c, {ALL_GATHER, type, 0, int64_t(count)}, from, to, stream);
}
API ncclBroadcast(const void *from, void *to, size_t count, int type, int root, Communicator *c, void *stream) {
    return give(c, {BROADCAST, type, root, int64_t(count)}, from, to, stream);
}
