// What all kernels share.
//
// Matrices are row-major f32 unless said otherwise; those given as void are bf16 if `narrow`, else f32. A block has a whole number of
// warps. No sum depends on the order in which blocks or threads run: the same inputs give the same bits. Tests compile
// the sources for the CPU (tests/cuda_host); only where a machine instruction stands does CUDA_HOST make a difference.
#pragma once

#ifndef CUDA_HOST
// Shared memory whose size the launch gives.
extern __shared__ __align__(16) unsigned char dynamic_shared[];

// mma.sync m16n8k16: d[16, 8] += a[16, 16] · b[16, 8] of bf16, fragments as the PTX manual lays them out.
__device__ __forceinline__ void mma_m16n8k16(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};\n"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// ldmatrix of four 8 × 8 matrices of bf16 in shared memory: lane 8m + r gives the address of row r of matrix m.
template <bool TRANSPOSED>
__device__ __forceinline__ void load_matrices(unsigned (&to)[4], const void *row) {
    const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(row));
    if (TRANSPOSED)
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];\n"
                     : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                     : "r"(address)
                     : "memory");
    else
        asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];\n"
                     : "=r"(to[0]), "=r"(to[1]), "=r"(to[2]), "=r"(to[3])
                     : "r"(address)
                     : "memory");
}
#endif

constexpr unsigned ALL_LANES = 0xffffffffu;
constexpr int WARP = 32;
// Threads of a block of most kernels.
constexpr int THREADS = 256;
// Rows that a block of THREADS threads takes where each warp has one.
[[maybe_unused]] constexpr int ROWS = THREADS / WARP;

__device__ __forceinline__ float infinity() { return __int_as_float(0x7f800000); }

// --- bf16 ------------------------------------------------------------------------------------------------------

// Its bits.
typedef unsigned short bf16;

// The bf16 nearest to x, ties to even; NaN stays NaN.
__device__ __forceinline__ bf16 to_bf16(float x) {
    const unsigned bits = __float_as_uint(x);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<bf16>(bits >> 16 | 0x40u);
    return static_cast<bf16>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

__device__ __forceinline__ float from_bf16(bf16 bits) { return __uint_as_float(static_cast<unsigned>(bits) << 16); }

// Two of them in the order of their addresses.
__device__ __forceinline__ unsigned to_bf16_pair(float first, float second) {
#ifndef CUDA_HOST
    unsigned pair;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(second), "f"(first));
    return pair;
#else
    return static_cast<unsigned>(to_bf16(first)) | static_cast<unsigned>(to_bf16(second)) << 16;
#endif
}
__device__ __forceinline__ float2 from_bf16_pair(unsigned pair) {
    return make_float2(__uint_as_float(pair << 16), __uint_as_float(pair & 0xffff0000u));
}

__device__ __forceinline__ float value_of(float x) { return x; }
__device__ __forceinline__ float value_of(bf16 x) { return from_bf16(x); }

// Calls f with a value of the type of elements.
template <class F>
__device__ __forceinline__ void with_type(int narrow, F f) {
    if (narrow)
        f(static_cast<bf16>(0));
    else
        f(0.0f);
}

// --- vectors of four and eight ---------------------------------------------------------------------------------

__device__ __forceinline__ bool aligned(const void *p) { return (reinterpret_cast<unsigned long long>(p) & 15) == 0; }

// Elements i to i + 3 of n, zero beyond; `whole` if all addresses p + i with i divisible by 4 are aligned.
__device__ __forceinline__ float4 load4(const float *p, long long i, long long n, bool whole) {
    if (whole && i + 4 <= n) return *reinterpret_cast<const float4 *>(p + i);
    float4 v = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
    if (i < n) v.x = p[i];
    if (i + 1 < n) v.y = p[i + 1];
    if (i + 2 < n) v.z = p[i + 2];
    if (i + 3 < n) v.w = p[i + 3];
    return v;
}

__device__ __forceinline__ void store4(float *p, long long i, long long n, bool whole, float4 v) {
    if (whole && i + 4 <= n) {
        *reinterpret_cast<float4 *>(p + i) = v;
        return;
    }
    if (i < n) p[i] = v.x;
    if (i + 1 < n) p[i + 1] = v.y;
    if (i + 2 < n) p[i + 2] = v.z;
    if (i + 3 < n) p[i + 3] = v.w;
}

// Eight elements: what a thread moves at once of bf16.
struct float8 {
    float4 low, high;
};

// The bits of elements i to i + 7 of n, zero beyond; `whole` if all addresses p + i with i divisible by 8 are aligned.
__device__ __forceinline__ uint4 load_bits8(const bf16 *p, long long i, long long n, bool whole) {
    if (whole && i + 8 <= n) return *reinterpret_cast<const uint4 *>(p + i);
    const auto pair = [=](long long i) {
        return (i < n ? static_cast<unsigned>(p[i]) : 0u) | (i + 1 < n ? static_cast<unsigned>(p[i + 1]) << 16 : 0u);
    };
    return make_uint4(pair(i), pair(i + 2), pair(i + 4), pair(i + 6));
}

__device__ __forceinline__ float8 from_bits8(uint4 bits) {
    const float2 a = from_bf16_pair(bits.x), b = from_bf16_pair(bits.y), c = from_bf16_pair(bits.z),
                 d = from_bf16_pair(bits.w);
    return {make_float4(a.x, a.y, b.x, b.y), make_float4(c.x, c.y, d.x, d.y)};
}
__device__ __forceinline__ uint4 to_bits8(float8 v) {
    return make_uint4(to_bf16_pair(v.low.x, v.low.y), to_bf16_pair(v.low.z, v.low.w),
                      to_bf16_pair(v.high.x, v.high.y), to_bf16_pair(v.high.z, v.high.w));
}

// Eight elements at an aligned address.
__device__ __forceinline__ float8 load8(const bf16 *p) { return from_bits8(*reinterpret_cast<const uint4 *>(p)); }
__device__ __forceinline__ float8 load8(const float *p) {
    return {*reinterpret_cast<const float4 *>(p), *reinterpret_cast<const float4 *>(p + 4)};
}
__device__ __forceinline__ void store8(bf16 *p, float8 v) { *reinterpret_cast<uint4 *>(p) = to_bits8(v); }
__device__ __forceinline__ void store8(float *p, float8 v) {
    *reinterpret_cast<float4 *>(p) = v.low;
    *reinterpret_cast<float4 *>(p + 4) = v.high;
}

// Elements i to i + 7 of n, as load_bits8.
__device__ __forceinline__ float8 load8(const bf16 *p, long long i, long long n, bool whole) {
    return from_bits8(load_bits8(p, i, n, whole));
}
__device__ __forceinline__ float8 load8(const float *p, long long i, long long n, bool whole) {
    return {load4(p, i, n, whole), load4(p, i + 4, n, whole)};
}

__device__ __forceinline__ void store8(bf16 *p, long long i, long long n, bool whole, float8 v) {
    if (whole && i + 8 <= n) {
        store8(p + i, v);
        return;
    }
    const uint4 bits = to_bits8(v);
    const unsigned pairs[4] = {bits.x, bits.y, bits.z, bits.w};
#pragma unroll
    for (int j = 0; j < 8; j++)
        if (i + j < n) p[i + j] = static_cast<bf16>(pairs[j / 2] >> (j % 2 * 16));
}
__device__ __forceinline__ void store8(float *p, long long i, long long n, bool whole, float8 v) {
    store4(p, i, n, whole, v.low);
    store4(p, i + 4, n, whole, v.high);
}

template <class F>
__device__ __forceinline__ float4 map4(float4 a, F f) {
    return make_float4(f(a.x), f(a.y), f(a.z), f(a.w));
}
template <class F>
__device__ __forceinline__ float4 map4(float4 a, float4 b, F f) {
    return make_float4(f(a.x, b.x), f(a.y, b.y), f(a.z, b.z), f(a.w, b.w));
}
template <class F>
__device__ __forceinline__ float8 map8(float8 a, F f) {
    return {map4(a.low, f), map4(a.high, f)};
}
template <class F>
__device__ __forceinline__ float8 map8(float8 a, float8 b, F f) {
    return {map4(a.low, b.low, f), map4(a.high, b.high, f)};
}

__device__ __forceinline__ float sum4(float4 v) { return (v.x + v.y) + (v.z + v.w); }
__device__ __forceinline__ float sum8(float8 v) { return sum4(v.low) + sum4(v.high); }

__device__ __forceinline__ float4 add4(float4 a, float4 b) {
    return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
}
__device__ __forceinline__ float8 add8(float8 a, float8 b) { return {add4(a.low, b.low), add4(a.high, b.high)}; }

__device__ __forceinline__ float4 times4(float4 a, float4 b) {
    return make_float4(a.x * b.x, a.y * b.y, a.z * b.z, a.w * b.w);
}
__device__ __forceinline__ float8 times8(float8 a, float8 b) {
    return {times4(a.low, b.low), times4(a.high, b.high)};
}

// Calls f(i) for the i divisible by 4 below n that are this thread's, in a grid of any number of blocks.
template <class F>
__device__ __forceinline__ void each4(long long n, F f) {
    const long long step = 4ll * blockDim.x * gridDim.x;
    for (long long i = 4ll * (static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x); i < n; i += step) f(i);
}
// The same for those divisible by 8.
template <class F>
__device__ __forceinline__ void each8(long long n, F f) {
    const long long step = 8ll * blockDim.x * gridDim.x;
    for (long long i = 8ll * (static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x); i < n; i += step) f(i);
}

// Calls f(row) for every row of t that is the warp's, in a grid of any number of blocks of THREADS.
template <class F>
__device__ __forceinline__ void each_row(int t, F f) {
    for (long long row = static_cast<long long>(blockIdx.x) * ROWS + threadIdx.x / WARP; row < t;
         row += static_cast<long long>(gridDim.x) * ROWS)
        f(row);
}

// Calls f(column) for the multiples of 4 below n that are the lane's.
template <class F>
__device__ __forceinline__ void each_column4(int n, F f) {
    for (int column = 4 * (threadIdx.x % WARP); column < n; column += 4 * WARP) f(column);
}
// The same for multiples of 8.
template <class F>
__device__ __forceinline__ void each_column8(int n, F f) {
    for (int column = 8 * (threadIdx.x % WARP); column < n; column += 8 * WARP) f(column);
}

// --- sums ------------------------------------------------------------------------------------------------------

// Every lane gets the same bits, since both partners of an exchange add the same two numbers.
template <class T>
__device__ __forceinline__ T warp_sum(T x) {
    for (int lanes = WARP / 2; lanes > 0; lanes /= 2) x += __shfl_xor_sync(ALL_LANES, x, lanes);
    return x;
}

__device__ __forceinline__ float warp_max(float x) {
    for (int lanes = WARP / 2; lanes > 0; lanes /= 2) x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, lanes));
    return x;
}

// Sum over a one-dimensional block, in every thread; `scratch` has room for 32.
template <class T>
__device__ __forceinline__ T block_sum(T x, T *scratch) {
    x = warp_sum(x);
    __syncthreads();
    if (threadIdx.x % WARP == 0) scratch[threadIdx.x / WARP] = x;
    __syncthreads();
    return warp_sum(threadIdx.x % WARP < blockDim.x / WARP ? scratch[threadIdx.x % WARP] : T(0));
}

__device__ __forceinline__ float block_max(float x, float *scratch) {
    x = warp_max(x);
    __syncthreads();
    if (threadIdx.x % WARP == 0) scratch[threadIdx.x / WARP] = x;
    __syncthreads();
    return warp_max(scratch[threadIdx.x % WARP < blockDim.x / WARP ? threadIdx.x % WARP : 0]);
}

// In row 0 of a block of (WARP, ROWS) threads: the sum of x over threadIdx.y. `sums` may be used again at once.
template <class T>
__device__ __forceinline__ T column_total(T (*sums)[WARP], T x) {
    sums[threadIdx.y][threadIdx.x] = x;
    __syncthreads();
    T total = T(0);
    if (threadIdx.y == 0)
        for (int i = 0; i < ROWS; i++) total += sums[i][threadIdx.x];
    __syncthreads();
    return total;
}

// --- randomness, as in src/random.rs ---------------------------------------------------------------------------

typedef unsigned long long Key;

__device__ __forceinline__ Key mix(Key z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

__device__ __forceinline__ Key derive(Key key, Key stream) { return mix(key ^ mix(stream + 0x9e3779b97f4a7c15ull)); }

__device__ __forceinline__ Key random_bits(Key key, Key counter) { return mix(key + counter * 0x9e3779b97f4a7c15ull); }

// What dropout multiplies columns 2·pair and 2·pair + 1 of the row with this key by; `threshold` is rate · 2³².
__device__ __forceinline__ float2 dropout_pair(Key row_key, Key pair, Key threshold, float keep) {
    const Key bits = random_bits(row_key, pair);
    return make_float2((bits & 0xffffffffull) < threshold ? 0.0f : keep, bits >> 32 < threshold ? 0.0f : keep);
}

// --- attention -------------------------------------------------------------------------------------------------
//
// Sequence s has the rows q_offsets[s] to q_offsets[s + 1] of queries and k_offsets[s] to k_offsets[s + 1] of keys and
// values; rows are q_stride and k_stride elements apart, those of results o_stride, and head h begins h · width
// elements into a row. A query sees keys at most `window` away (all if negative) and, if `causal`, none after it.
// Unless `rows` is null, probabilities have dropout under the key of sequence s and head h, derive(derive(key,
// rows[s]), h); a row's mask counts from the first key that any query of its group of 64 sees, as on the CPU. Unless
// null, bias[heads, 2·centre + 1] has what is added to scaled scores by the distance from query to key, −centre first.
// Widths up to 128.

// Queries and keys of a tile.
constexpr int TILE = 64;

// Everything a block must know about its head of its sequence.
struct Head {
    int queries, keys, window, causal;
    float scale;
    bool dropped;
    Key dropout_key, threshold;
    float keep;
    // What is added to a scaled score, by centre + key − query; null for nothing.
    const float *bias;
    int centre;

    // The keys that the queries start to end − 1 see: from first(start) to last(end) − 1.
    __device__ __forceinline__ int first(int start) const { return window < 0 ? 0 : max(start - window, 0); }
    __device__ __forceinline__ int last(int end) const {
        const int seen = window < 0 ? keys : min(end + window, keys);
        return causal ? min(seen, end) : seen;
    }
    // The queries that see one of the keys start to end − 1: from first_query(start) to last_query(end) − 1.
    __device__ __forceinline__ int first_query(int start) const { return causal ? start : first(start); }
    __device__ __forceinline__ int last_query(int end) const {
        return window < 0 ? queries : min(end + window, queries);
    }
    __device__ __forceinline__ bool sees(int query, int key) const {
        return query < queries && key < keys && (window < 0 || abs(key - query) <= window) && !(causal && key > query);
    }
    // The key of a query's mask.
    __device__ __forceinline__ Key row_key(int query) const { return dropped ? derive(dropout_key, query) : 0; }
    // What dropout multiplies the probability of this pair by, given the key of the query's mask.
    __device__ __forceinline__ float kept(Key row_key, int query, int key) const {
        if (!dropped) return 1.0f;
        const int column = key - first(query / TILE * TILE);
        const float2 pair = dropout_pair(row_key, column / 2, threshold, keep);
        return column % 2 == 0 ? pair.x : pair.y;
    }
    // That of this key and the next, given the column of the first, an even one.
    __device__ __forceinline__ float2 kept_pair(Key row_key, int column) const {
        return dropped ? dropout_pair(row_key, column / 2, threshold, keep) : make_float2(1.0f, 1.0f);
    }
    // The score of a pair from its product.
    __device__ __forceinline__ float score(float product, int query, int key) const {
        return bias != nullptr ? fmaf(product, scale, bias[centre + key - query]) : product * scale;
    }
    // Turns products p = q·k and d = dout·v into the probability, times dropout's factor `kept`, and the slope at the
    // product.
    __device__ __forceinline__ void replay(float &p, float &d, int query, int key, float kept, float log_sum,
                                           float delta) const {
        if (!sees(query, key)) {
            p = d = 0.0f;
            return;
        }
        const float probability = __expf(score(p, query, key) - log_sum);
        p = probability * kept;
        d = scale * probability * (d * kept - delta);
    }
};

// What every kernel of attention is given after its matrices.
#define HEADS                                                                                                      \
    const int *q_offsets, const int *k_offsets, int sequences, int heads, int width, int q_stride, int k_stride,   \
        int o_stride, int window, int causal, float scale, const unsigned long long *rows, Key key, Key threshold, \
        float keep, const float *bias, int centre

// Runs the statements for every sequence of the block, with its Head `head` and the first elements of the head's
// queries, keys, results and rows' statistics at query, at_key, result and row.
#define FOR_HEADS(...)                                                                                      \
    for (int s = blockIdx.z; s < sequences; s += gridDim.z) {                                               \
        const int h = blockIdx.y;                                                                           \
        const Head head = {q_offsets[s + 1] - q_offsets[s],                                                 \
                           k_offsets[s + 1] - k_offsets[s],                                                 \
                           window,                                                                          \
                           causal,                                                                          \
                           scale,                                                                           \
                           rows != nullptr,                                                                 \
                           rows != nullptr ? derive(derive(key, rows[s]), h) : 0,                           \
                           threshold,                                                                       \
                           keep,                                                                            \
                           bias != nullptr ? bias + static_cast<long long>(h) * (2 * centre + 1) : nullptr, \
                           centre};                                                                         \
        const long long first_query = q_offsets[s], query = first_query * q_stride + h * width,             \
                        at_key = static_cast<long long>(k_offsets[s]) * k_stride + h * width,               \
                        result = first_query * o_stride + h * width, row = first_query * heads + h;         \
        __VA_ARGS__;                                                                                        \
        __syncthreads();                                                                                    \
    }

// The block's part of d_bias[sequences, heads, gridDim.x, 2·centre + 1], or null.
__device__ __forceinline__ float *bias_part(float *d_bias, int sequence, int heads, int centre) {
    if (d_bias == nullptr) return nullptr;
    return d_bias +
           ((static_cast<long long>(sequence) * heads + blockIdx.y) * gridDim.x + blockIdx.x) * (2 * centre + 1);
}

// Adds to `d_bias` the sums along the diagonals of a tile of slopes at scores, 64 rows of `stride`, which begins at
// this query and key. The whole block calls it; it owns d_bias.
__device__ __forceinline__ void add_diagonals(const Head &head, float *d_bias, const float *slopes, int stride,
                                              int query, int key) {
    __syncthreads();
    for (int diagonal = static_cast<int>(threadIdx.x) - (TILE - 1); diagonal < TILE; diagonal += blockDim.x) {
        float sum = 0.0f;
        bool any = false;
        for (int i = max(0, -diagonal); i < min(TILE, TILE - diagonal); i++)
            if (head.sees(query + i, key + i + diagonal)) {
                sum += slopes[i * stride + i + diagonal];
                any = true;
            }
        if (any) d_bias[head.centre + key - query + diagonal] += sum / head.scale;
    }
    __syncthreads();
}

// --- activations -----------------------------------------------------------------------------------------------

// Φ(x), the lower tail of the standard normal distribution.
__device__ __forceinline__ float normal_cumulative(float x) { return 0.5f * erfcf(-0.70710678f * x); }

__device__ __forceinline__ float gelu_value(float x) { return x * normal_cumulative(x); }

__device__ __forceinline__ float gelu_slope(float x) {
    return normal_cumulative(x) + x * 0.39894228f * __expf(-0.5f * x * x);
}

__device__ __forceinline__ float gelu_tanh_value(float x) {
    const float t = tanhf(0.7978846f * x * (1.0f + 0.044715f * x * x));
    return x * (0.5f + 0.5f * t);
}

__device__ __forceinline__ float gelu_tanh_slope(float x) {
    const float t = tanhf(0.7978846f * x * (1.0f + 0.044715f * x * x));
    const float du = 0.7978846f * (1.0f + 3.0f * 0.044715f * x * x);
    return 0.5f + 0.5f * t + 0.5f * x * (1.0f - t * t) * du;
}
