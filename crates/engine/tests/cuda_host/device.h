// The part of CUDA C++ that the kernels use, for a host compiler.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>

#include "block.h"

#define CUDA_HOST 1
#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(n) __attribute__((aligned(n)))
#define __restrict__ __restrict
// Kernels' own variables alone, not those of templates or inline functions: all lie in one section, which is poisoned
// before every block.
#define __shared__ static __attribute__((section("cuda_shared")))

#define threadIdx (::cuda_host::thread_index)
#define blockIdx (::cuda_host::block_index)
#define blockDim (::cuda_host::block_size)
#define gridDim (::cuda_host::grid_size)
#define dynamic_shared (::cuda_host::dynamic_shared_memory)

struct alignas(16) float4 {
    float x, y, z, w;
};
struct alignas(8) float2 {
    float x, y;
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
struct alignas(8) uint2 {
    unsigned x, y;
};
struct alignas(16) int4 {
    int x, y, z, w;
};
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline float2 make_float2(float x, float y) { return {x, y}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

inline int min(int a, int b) { return a < b ? a : b; }
inline int max(int a, int b) { return a > b ? a : b; }
inline unsigned min(unsigned a, unsigned b) { return a < b ? a : b; }
inline unsigned max(unsigned a, unsigned b) { return a > b ? a : b; }
inline long long min(long long a, long long b) { return a < b ? a : b; }
inline long long max(long long a, long long b) { return a > b ? a : b; }

inline float rsqrtf(float x) { return 1.0f / sqrtf(x); }
inline float __expf(float x) { return expf(x); }
inline float __logf(float x) { return logf(x); }
inline float __fdividef(float x, float y) { return x / y; }
inline unsigned __float_as_uint(float x) {
    unsigned bits;
    memcpy(&bits, &x, 4);
    return bits;
}
inline float __uint_as_float(unsigned bits) {
    float x;
    memcpy(&x, &bits, 4);
    return x;
}
inline int __float_as_int(float x) { return int(__float_as_uint(x)); }
inline float __int_as_float(int bits) { return __uint_as_float(unsigned(bits)); }
template <class T>
inline T __ldg(const T *p) {
    return *p;
}
inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __ffs(unsigned x) { return __builtin_ffs(int(x)); }
inline int __clz(unsigned x) { return x == 0 ? 32 : __builtin_clz(x); }
inline unsigned __umulhi(unsigned a, unsigned b) { return unsigned(uint64_t(a) * b >> 32); }

#define __syncthreads() ::cuda_host::barrier(__LINE__)
inline void __syncwarp(unsigned mask = ~0u, int line = __builtin_LINE()) {
    ::cuda_host::exchange(mask, nullptr, 0, line);
}

namespace cuda_host {
// What lane `from` shows; the thread's own value if there is none.
template <class T>
T shuffle(unsigned mask, T value, unsigned from, int line) {
    static_assert(sizeof(T) <= SLOT, "a value of a shuffle");
    const unsigned char *all = exchange(mask, &value, sizeof(T), line);
    if (from > 31 || !(mask >> from & 1)) fail("line %d: a shuffle reads lane %u, outside its mask", line, from);
    memcpy(&value, all + SLOT * from, sizeof(T));
    return value;
}
}  // namespace cuda_host

template <class T>
T __shfl_sync(unsigned mask, T value, int from, int width = 32, int line = __builtin_LINE()) {
    const unsigned lane = ::cuda_host::lane();
    return ::cuda_host::shuffle(mask, value, (lane & ~unsigned(width - 1)) | (unsigned(from) & unsigned(width - 1)),
                                line);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32, int line = __builtin_LINE()) {
    const unsigned lane = ::cuda_host::lane(), from = lane ^ unsigned(lanes);
    return ::cuda_host::shuffle(mask, value, from / unsigned(width) > lane / unsigned(width) ? lane : from, line);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned lanes, int width = 32, int line = __builtin_LINE()) {
    const unsigned lane = ::cuda_host::lane();
    return ::cuda_host::shuffle(mask, value, lane % unsigned(width) + lanes < unsigned(width) ? lane + lanes : lane,
                                line);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned lanes, int width = 32, int line = __builtin_LINE()) {
    const unsigned lane = ::cuda_host::lane();
    return ::cuda_host::shuffle(mask, value, lane % unsigned(width) >= lanes ? lane - lanes : lane, line);
}
inline unsigned __ballot_sync(unsigned mask, int predicate, int line = __builtin_LINE()) {
    const unsigned char *all = ::cuda_host::exchange(mask, &predicate, sizeof predicate, line);
    unsigned bits = 0;
    for (unsigned l = 0; l < 32; l++) {
        if (!(mask >> l & 1)) continue;
        int shown;
        memcpy(&shown, all + ::cuda_host::SLOT * l, sizeof shown);
        bits |= unsigned(shown != 0) << l;
    }
    return bits;
}

// mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32: d += a · b, fragments as the PTX manual lays them out.
inline void mma_m16n8k16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], int line = __builtin_LINE()) {
    unsigned shown[6] = {a[0], a[1], a[2], a[3], b[0], b[1]};
    const unsigned char *all = ::cuda_host::exchange(~0u, shown, sizeof shown, line);
    const auto half_of = [&](unsigned lane, unsigned word, unsigned half) {
        unsigned bits;
        memcpy(&bits, all + ::cuda_host::SLOT * lane + 4 * word, 4);
        return __uint_as_float(half == 0 ? bits << 16 : bits & 0xffff0000u);
    };
    const unsigned lane = ::cuda_host::lane();
    for (unsigned i = 0; i < 4; i++) {
        const unsigned row = lane / 4 + 8 * (i / 2), col = lane % 4 * 2 + i % 2;
        for (unsigned k = 0; k < 16; k++) {
            const unsigned in_group = k % 8 / 2, half = k % 2;
            const float x = half_of(row % 8 * 4 + in_group, row / 8 + 2 * (k / 8), half);
            const float y = half_of(col * 4 + in_group, 4 + k / 8, half);
            d[i] += x * y;
        }
    }
}

// ldmatrix.sync.aligned.m8n8.x4(.trans).shared.b16: four 8 × 8 matrices of 16 bits, lane 8m + r giving the address of
// row r of matrix m.
template <bool TRANSPOSED>
inline void load_matrices(unsigned (&to)[4], const void *row, int line = __builtin_LINE()) {
    if (reinterpret_cast<uintptr_t>(row) % 16 != 0)
        ::cuda_host::fail("line %d: a row of a matrix is not aligned to 16 bytes", line);
    const unsigned char *all = ::cuda_host::exchange(~0u, &row, sizeof row, line);
    const unsigned lane = ::cuda_host::lane();
    for (unsigned m = 0; m < 4; m++) {
        unsigned short halves[2];
        for (unsigned i = 0; i < 2; i++) {
            const unsigned r = TRANSPOSED ? lane % 4 * 2 + i : lane / 4, c = TRANSPOSED ? lane / 4 : lane % 4 * 2 + i;
            const unsigned short *from;
            memcpy(&from, all + ::cuda_host::SLOT * (8 * m + r), sizeof from);
            halves[i] = from[c];
        }
        to[m] = halves[0] | unsigned(halves[1]) << 16;
    }
    // The rows may be overwritten only after every lane has read them.
    __syncwarp(~0u, line);
}

// cp.async of 16 bytes; `bytes` of them are read (0 or 16), the rest is zero. Copies take place at once, so a missing
// wait does not show.
inline void copy_async16(void *to, const void *from, int bytes) {
    memset(to, 0, 16);
    memcpy(to, from, bytes);
}
inline void copy_async_commit() {}
template <int LEFT>
inline void copy_async_wait() {}
