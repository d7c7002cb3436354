// The kernels of attention.cu on tensor cores: inputs, results and their gradients are bf16, and the factors of all
// products are rounded to it. For the arguments see "attention" in common.cuh.
//
// A kernel for every width, since one for all would need the registers of the widest. Grid as there; 128 threads.
// Dynamic shared memory, W being 32, 64 or 128, not below the width: attention_bf16_W 384 · (W + 8) bytes,
// attention_backward_queries_bf16_W 512 · (W + 8) and with the gradient at a bias 16640 more,
// attention_backward_keys_bf16_W 4 · (64 + Q) · (W + 8) + 16 · Q with Q = 64, or 32 for W = 128.
#include "common.cuh"

constexpr int BLOCK = 128;
// Rows of a tile that are a warp's: those of one mma.
constexpr int WARP_ROWS = 16;

// A tile in shared memory has rows of W bf16 values and 8 more, so that the 8 rows of a matrix lie in different banks.
template <int W>
__device__ __forceinline__ constexpr int stride_of() {
    return W + 8;
}

// Loads R rows of `width` elements, `stride` apart, zero beyond `count` rows and `width` columns.
template <int W, int R>
__device__ __forceinline__ void load_tile(bf16 *tile, const bf16 *from, int stride, int count, int width) {
    const bool whole = width % 8 == 0 && stride % 8 == 0 && aligned(from);
    for (int at = threadIdx.x; at < R * W / 8; at += BLOCK) {
        const int row = at / (W / 8), column = at % (W / 8) * 8;
        uint4 v = make_uint4(0, 0, 0, 0);
        if (row < count && column < width)
            v = load_bits8(from + static_cast<long long>(row) * stride, column, width, whole);
        *reinterpret_cast<uint4 *>(tile + row * stride_of<W>() + column) = v;
    }
}

// A thread holds of 16 × 8 results those of the rows lane / 4 and lane / 4 + 8 and the columns lane % 4 · 2 and the
// next: element 2·i + e is in row lane / 4 + 8·i, column lane % 4 · 2 + e.
template <int N>
using Results = float[N / 8][4];

template <int N>
__device__ __forceinline__ void clear(Results<N> &x) {
#pragma unroll
    for (int n = 0; n < N / 8; n++)
#pragma unroll
        for (int i = 0; i < 4; i++) x[n][i] = 0.0f;
}

// to[two matrices of 16 × 8] += left · right, right being two fragments.
__device__ __forceinline__ void multiply_pair(float (&first)[4], float (&second)[4], const unsigned (&left)[4],
                                              const unsigned (&right)[4]) {
    const unsigned a[2] = {right[0], right[1]}, b[2] = {right[2], right[3]};
    mma_m16n8k16(first, left, a);
    mma_m16n8k16(second, left, b);
}

// out[16, N] = A · Bᵀ, A being 16 rows of one tile and B N rows of another.
template <int W, int N>
__device__ __forceinline__ void multiply_transposed(Results<N> &out, const bf16 *a, const bf16 *b) {
    const int lane = threadIdx.x % WARP;
    clear<N>(out);
#pragma unroll
    for (int k = 0; k < W; k += 16) {
        unsigned left[4], right[4];
        load_matrices<false>(left, a + lane % 16 * stride_of<W>() + k + lane / 16 * 8);
#pragma unroll
        for (int n = 0; n < N; n += 16) {
            load_matrices<false>(right, b + (n + lane / 16 * 8 + lane % 8) * stride_of<W>() + k + lane / 8 % 2 * 8);
            multiply_pair(out[n / 8], out[n / 8 + 1], left, right);
        }
    }
}

// out[16, W] += P[16, N] · B[N, W], P being results, which are rounded, and B a tile.
template <int W, int N>
__device__ __forceinline__ void add_product(Results<W> &out, const Results<N> &p, const bf16 *b) {
    const int lane = threadIdx.x % WARP;
#pragma unroll
    for (int k = 0; k < N; k += 16) {
        const float (&x)[4] = p[k / 8], (&y)[4] = p[k / 8 + 1];
        const unsigned left[4] = {to_bf16_pair(x[0], x[1]), to_bf16_pair(x[2], x[3]), to_bf16_pair(y[0], y[1]),
                                  to_bf16_pair(y[2], y[3])};
        unsigned right[4];
#pragma unroll
        for (int n = 0; n < W; n += 16) {
            load_matrices<true>(right, b + (k + lane % 16) * stride_of<W>() + n + lane / 16 * 8);
            multiply_pair(out[n / 8], out[n / 8 + 1], left, right);
        }
    }
}

// Writes the warp's 16 rows of results, `count` of them, to rows of `width` elements, `stride` apart.
template <int W>
__device__ __forceinline__ void put_rows(bf16 *to, int stride, int count, int width, const Results<W> &from) {
    const int lane = threadIdx.x % WARP;
    const bool pairs = width % 2 == 0 && stride % 2 == 0 && (reinterpret_cast<unsigned long long>(to) & 3) == 0;
#pragma unroll
    for (int i = 0; i < 2; i++) {
        const int row = lane / 4 + 8 * i;
        if (row >= count) continue;
        bf16 *at = to + static_cast<long long>(row) * stride;
#pragma unroll
        for (int n = 0; n < W / 8; n++) {
            const int column = 8 * n + lane % 4 * 2;
            const unsigned pair = to_bf16_pair(from[n][2 * i], from[n][2 * i + 1]);
            if (pairs && column < width) {
                *reinterpret_cast<unsigned *>(at + column) = pair;
            } else {
                if (column < width) at[column] = static_cast<bf16>(pair);
                if (column + 1 < width) at[column + 1] = static_cast<bf16>(pair >> 16);
            }
        }
    }
}

// Over the four lanes that hold a row.
__device__ __forceinline__ float row_sum(float x) {
    x += __shfl_xor_sync(ALL_LANES, x, 1);
    return x + __shfl_xor_sync(ALL_LANES, x, 2);
}
__device__ __forceinline__ float row_max(float x) {
    x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, 1));
    return fmaxf(x, __shfl_xor_sync(ALL_LANES, x, 2));
}

template <int W>
__device__ __forceinline__ void forward(const Head &head, bf16 *out, float *log_sums, const bf16 *q, const bf16 *k,
                                        const bf16 *v, int heads, int width, int q_stride, int k_stride,
                                        int o_stride) {
    bf16 *queries = reinterpret_cast<bf16 *>(dynamic_shared),
                   *keys = queries + TILE * stride_of<W>(), *values = keys + TILE * stride_of<W>();
    const int start = blockIdx.x * TILE, count = min(TILE, head.queries - start), lane = threadIdx.x % WARP,
              own = threadIdx.x / WARP * WARP_ROWS;
    load_tile<W, TILE>(queries, q + static_cast<long long>(start) * q_stride, q_stride, count, width);
    float top[2] = {-infinity(), -infinity()}, sum[2] = {0.0f, 0.0f};
    Results<W> result;
    clear<W>(result);
    const int last = head.last(start + count);
    for (int at = head.first(start); at < last; at += TILE) {
        __syncthreads();
        load_tile<W, TILE>(keys, k + static_cast<long long>(at) * k_stride, k_stride, last - at, width);
        load_tile<W, TILE>(values, v + static_cast<long long>(at) * k_stride, k_stride, last - at, width);
        __syncthreads();
        Results<TILE> s;
        multiply_transposed<W, TILE>(s, queries + own * stride_of<W>(), keys);
        // Most tiles are seen whole.
        const bool whole = head.window < 0 && !head.causal && head.bias == nullptr && at + TILE <= head.keys;
#pragma unroll
        for (int i = 0; i < 2; i++) {
            const int query = start + own + lane / 4 + 8 * i;
            float highest = top[i];
#pragma unroll
            for (int n = 0; n < TILE / 8; n++)
#pragma unroll
                for (int e = 0; e < 2; e++) {
                    float &x = s[n][2 * i + e];
                    const int key = at + 8 * n + lane % 4 * 2 + e;
                    x = whole || head.sees(query, key) ? head.score(x, query, key) : -infinity();
                    highest = fmaxf(highest, x);
                }
            highest = row_max(highest);
            // A row that has seen nothing yet has exponentials of −∞ − 0.
            const float shift = highest == -infinity() ? 0.0f : highest, shrunk = __expf(top[i] - shift);
            const Key row_key = head.row_key(query);
            float part = 0.0f;
#pragma unroll
            for (int n = 0; n < TILE / 8; n++) {
                float &x = s[n][2 * i], &y = s[n][2 * i + 1];
                x = __expf(x - shift);
                y = __expf(y - shift);
                part += x + y;
                // The tile begins where the mask does, so that two columns are a pair of it.
                const float2 kept = head.kept_pair(row_key, at - head.first(start) + 8 * n + lane % 4 * 2);
                x *= kept.x;
                y *= kept.y;
            }
            sum[i] = sum[i] * shrunk + row_sum(part);
            top[i] = highest;
#pragma unroll
            for (int n = 0; n < W / 8; n++) {
                result[n][2 * i] *= shrunk;
                result[n][2 * i + 1] *= shrunk;
            }
        }
        add_product<W, TILE>(result, s, values);
    }
#pragma unroll
    for (int i = 0; i < 2; i++) {
        const int query = start + own + lane / 4 + 8 * i;
        const float inverse = 1.0f / sum[i];
#pragma unroll
        for (int n = 0; n < W / 8; n++) {
            result[n][2 * i] *= inverse;
            result[n][2 * i + 1] *= inverse;
        }
        if (query < head.queries && lane % 4 == 0)
            log_sums[static_cast<long long>(query) * heads] = top[i] + __logf(sum[i]);
    }
    put_rows<W>(out + static_cast<long long>(start + own) * o_stride, o_stride, count - own, width, result);
}

template <int W>
__device__ __forceinline__ void backward_queries(const Head &head, float *d_bias, bf16 *dq, const bf16 *q,
                                                 const bf16 *k, const bf16 *v, const bf16 *dout,
                                                 const float *log_sums, const float *delta, int heads, int width,
                                                 int q_stride, int k_stride, int o_stride) {
    bf16 *queries = reinterpret_cast<bf16 *>(dynamic_shared),
                   *slopes = queries + TILE * stride_of<W>(), *keys = slopes + TILE * stride_of<W>();
    bf16 *values = keys + TILE * stride_of<W>();
    // Used for the gradient at a bias alone.
    float *scores = reinterpret_cast<float *>(values + TILE * stride_of<W>());
    const int start = blockIdx.x * TILE, count = min(TILE, head.queries - start), lane = threadIdx.x % WARP,
              own = threadIdx.x / WARP * WARP_ROWS;
    load_tile<W, TILE>(queries, q + static_cast<long long>(start) * q_stride, q_stride, count, width);
    load_tile<W, TILE>(slopes, dout + static_cast<long long>(start) * o_stride, o_stride, count, width);
    float log_sum[2], inner[2];
#pragma unroll
    for (int i = 0; i < 2; i++) {
        const int query = start + own + lane / 4 + 8 * i;
        log_sum[i] = query < head.queries ? log_sums[static_cast<long long>(query) * heads] : 0.0f;
        inner[i] = query < head.queries ? delta[static_cast<long long>(query) * heads] : 0.0f;
    }
    Results<W> result;
    clear<W>(result);
    const int last = head.last(start + count);
    for (int at = head.first(start); at < last; at += TILE) {
        __syncthreads();
        load_tile<W, TILE>(keys, k + static_cast<long long>(at) * k_stride, k_stride, last - at, width);
        load_tile<W, TILE>(values, v + static_cast<long long>(at) * k_stride, k_stride, last - at, width);
        __syncthreads();
        Results<TILE> p, d;
        multiply_transposed<W, TILE>(p, queries + own * stride_of<W>(), keys);
        multiply_transposed<W, TILE>(d, slopes + own * stride_of<W>(), values);
#pragma unroll
        for (int i = 0; i < 2; i++) {
            const int query = start + own + lane / 4 + 8 * i;
            const Key row_key = head.row_key(query);
#pragma unroll
            for (int n = 0; n < TILE / 8; n++) {
                const int key = at + 8 * n + lane % 4 * 2;
                // As in the forward pass, two columns are a pair of the mask.
                const float2 kept = head.kept_pair(row_key, key - head.first(start));
                head.replay(p[n][2 * i], d[n][2 * i], query, key, kept.x, log_sum[i], inner[i]);
                head.replay(p[n][2 * i + 1], d[n][2 * i + 1], query, key + 1, kept.y, log_sum[i], inner[i]);
            }
        }
        add_product<W, TILE>(result, d, keys);
        if (d_bias != nullptr) {
#pragma unroll
            for (int n = 0; n < TILE / 8; n++)
#pragma unroll
                for (int i = 0; i < 4; i++)
                    scores[(own + lane / 4 + i / 2 * 8) * (TILE + 1) + 8 * n + lane % 4 * 2 + i % 2] = d[n][i];
            add_diagonals(head, d_bias, scores, TILE + 1, start, at);
        }
    }
    put_rows<W>(dq + static_cast<long long>(start + own) * q_stride, q_stride, count - own, width, result);
}

// Q queries at a time: with wide heads the gradients at keys and values leave room for no more.
template <int W, int Q>
__device__ __forceinline__ void backward_keys(const Head &head, bf16 *dk, bf16 *dv, const bf16 *q, const bf16 *k,
                                              const bf16 *v, const bf16 *dout, const float *log_sums,
                                              const float *delta, int heads, int width, int q_stride, int k_stride,
                                              int o_stride) {
    bf16 *keys = reinterpret_cast<bf16 *>(dynamic_shared), *values = keys + TILE * stride_of<W>(),
                   *queries = values + TILE * stride_of<W>();
    bf16 *slopes = queries + Q * stride_of<W>();
    float *sums = reinterpret_cast<float *>(slopes + Q * stride_of<W>()), *inner = sums + Q;
    Key *row_keys = reinterpret_cast<Key *>(inner + Q);
    const int start = blockIdx.x * TILE, count = min(TILE, head.keys - start), lane = threadIdx.x % WARP,
              own = threadIdx.x / WARP * WARP_ROWS;
    load_tile<W, TILE>(keys, k + static_cast<long long>(start) * k_stride, k_stride, count, width);
    load_tile<W, TILE>(values, v + static_cast<long long>(start) * k_stride, k_stride, count, width);
    Results<W> at_keys, at_values;
    clear<W>(at_keys);
    clear<W>(at_values);
    const int last = head.last_query(start + count);
    for (int at = head.first_query(start); at < last; at += Q) {
        __syncthreads();
        load_tile<W, Q>(queries, q + static_cast<long long>(at) * q_stride, q_stride, last - at, width);
        load_tile<W, Q>(slopes, dout + static_cast<long long>(at) * o_stride, o_stride, last - at, width);
        if (threadIdx.x < Q && static_cast<int>(threadIdx.x) < last - at) {
            sums[threadIdx.x] = log_sums[static_cast<long long>(at + threadIdx.x) * heads];
            inner[threadIdx.x] = delta[static_cast<long long>(at + threadIdx.x) * heads];
            row_keys[threadIdx.x] = head.row_key(at + threadIdx.x);
        }
        __syncthreads();
        // Transposed: rows are keys.
        Results<Q> p, d;
        multiply_transposed<W, Q>(p, keys + own * stride_of<W>(), queries);
        multiply_transposed<W, Q>(d, values + own * stride_of<W>(), slopes);
#pragma unroll
        for (int n = 0; n < Q / 8; n++)
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const int column = 8 * n + lane % 4 * 2 + i % 2,
                          query = at + column < last ? at + column : head.queries;
                const int key = start + own + lane / 4 + i / 2 * 8;
                head.replay(p[n][i], d[n][i], query, key, head.kept(row_keys[column], query, key), sums[column],
                            inner[column]);
            }
        add_product<W, Q>(at_values, p, slopes);
        add_product<W, Q>(at_keys, d, queries);
    }
    put_rows<W>(dk + static_cast<long long>(start + own) * k_stride, k_stride, count - own, width, at_keys);
    put_rows<W>(dv + static_cast<long long>(start + own) * k_stride, k_stride, count - own, width, at_values);
}

// Heads of up to 32 elements: as attention, attention_backward_queries and attention_backward_keys.
extern "C" __global__ void __launch_bounds__(BLOCK)
    attention_bf16_32(bf16 *out, float *log_sums, const bf16 *q, const bf16 *k, const bf16 *v, HEADS) {
    FOR_HEADS(if (static_cast<int>(blockIdx.x) * TILE >= head.queries) continue;
              forward<32>(head, out + result, log_sums + row, q + query, k + at_key, v + at_key, heads, width, q_stride,
                          k_stride, o_stride))
}

extern "C" __global__ void __launch_bounds__(BLOCK)
    attention_backward_queries_bf16_32(bf16 *dq, const bf16 *q, const bf16 *k, const bf16 *v, const bf16 *dout,
                                       const float *log_sums, const float *delta, HEADS, float *d_bias) {
    FOR_HEADS(if (static_cast<int>(blockIdx.x) * TILE >= head.queries) continue; backward_queries<32>(
                  head, bias_part(d_bias, s, heads, centre), dq + query, q + query, k + at_key, v + at_key,
                  dout + result, log_sums + row, delta + row, heads, width, q_stride, k_stride, o_stride))
}

extern "C" __global__ void __launch_bounds__(BLOCK)
    attention_backward_keys_bf16_32(bf16 *dk, bf16 *dv, const bf16 *q, const bf16 *k, const bf16 *v,
                                    const bf16 *dout, const float *log_sums, const float *delta, HEADS) {
    FOR_HEADS(if (static_cast<int>(blockIdx.x) * TILE >= head.keys) continue;
              backward_keys<32, 64>(head, dk + at_key, dv + at_key, q + query, k + at_key, v + at_key, dout + result,
                                    log_sums + row, delta + row, heads, width, q_stride, k_stride, o_stride))
}

// Heads of up to 64 elements: as attention, attention_backward_queries and attention_backward_keys.
extern "C" __global__ void __launch_bounds__(BLOCK)
    attention_bf16_64(bf16 *out, float *log_sums, const bf16 *q, const bf16 *k, const bf16 *v, HEADS) {
    FOR_HEADS(if (static_cast<int>(blockIdx.x) * TILE >= head.queries) continue;
              forward<64>(head, out + result, log_sums + row, q + query, k + at_key, v + at_key, heads, width, q_stride,
                          k_stride, o_stride))
}

extern "C" __global__ void __launch_bounds__(BLOCK)
    attention_backward_queries_bf16_64(bf16 *dq, const bf16 *q, const bf16 *k, const bf16 *v, const bf16 *dout,
                                       const float *log_sums, const float *delta, HEADS, float *d_bias) {
    FOR_HEADS(if (static_cast<int>(blockIdx.x) * TILE >= head.queries) continue; backward_queries<64>(
                  head, bias_part(d_bias, s, heads, centre), dq + query, q + query, k + at_key, v + at_key,
                  dout + result, log_sums + row, delta + row, heads, width, q_stride, k_stride, o_stride))
}

extern "C" __global__ void __launch_bounds__(BLOCK)
    attention_backward_keys_bf16_64(bf16 *dk, bf16 *dv, const bf16 *q, const bf16 *k, const bf16 *v,
                                    const bf16 *dout, const float *log_sums, const float *delta, HEADS) {
    FOR_HEADS(if (static_cast<int>(blockIdx.x) * TILE >= head.keys) continue;
              backward_keys<64, 64>(head, dk + at_key, dv + at_key, q + query, k + at_key, v + at_key, dout + result,
                                    log_sums + row, delta + row, heads, width, q_stride, k_stride, o_stride))
}

// Heads of up to 128 elements: as attention, attention_backward_queries and attention_backward_keys.
extern "C" __global__ void __launch_bounds__(BLOCK)
    attention_bf16_128(bf16 *out, float *log_sums, const bf16 *q, const bf16 *k, const bf16 *v, HEADS) {
    FOR_HEADS(if (static_cast<int>(blockIdx.x) * TILE >= head.queries) continue;
              forward<128>(head, out + result, log_sums + row, q + query, k + at_key, v + at_key, heads, width,
                           q_stride, k_stride, o_stride))
}

extern "C" __global__ void __launch_bounds__(BLOCK)
    attention_backward_queries_bf16_128(bf16 *dq, const bf16 *q, const bf16 *k, const bf16 *v, const bf16 *dout,
                                        const float *log_sums, const float *delta, HEADS, float *d_bias) {
    FOR_HEADS(if (static_cast<int>(blockIdx.x) * TILE >= head.queries) continue; backward_queries<128>(
                  head, bias_part(d_bias, s, heads, centre), dq + query, q + query, k + at_key, v + at_key,
                  dout + result, log_sums + row, delta + row, heads, width, q_stride, k_stride, o_stride))
}

extern "C" __global__ void __launch_bounds__(BLOCK)
    attention_backward_keys_bf16_128(bf16 *dk, bf16 *dv, const bf16 *q, const bf16 *k, const bf16 *v,
                                     const bf16 *dout, const float *log_sums, const float *delta, HEADS) {
    FOR_HEADS(if (static_cast<int>(blockIdx.x) * TILE >= head.keys) continue;
              backward_keys<128, 32>(head, dk + at_key, dv + at_key, q + query, k + at_key, v + at_key, dout + result,
                                     log_sums + row, delta + row, heads, width, q_stride, k_stride, o_stride))
}
