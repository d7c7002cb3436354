// Multi-head attention of packed sequences in f32, forward and backward, in tiles of 64 queries and 64 keys: no matrix
// of all pairs exists. For the arguments see "attention" in common.cuh.
//
// Grid (⌈longest / 64⌉, heads, sequences) with the longest number of queries (of keys for attention_backward_keys); 256
// threads; dynamic shared memory of 64 · (4 · (W + 4) + 68) floats, forward 64 · (3 · (W + 4) + 68), W being 32, 64 or
// 128, not below the width.
#include "common.cuh"

// Each thread has 4 × 4 of a tile's scores: rows 4·(thread / 16) + i, columns thread % 16 + 16·j.
constexpr int PER_ROW = 16;
constexpr int EACH = 4;
// Floats from one row of a tile's scores to the next.
constexpr int SCORES = TILE + 4;

// A tile in shared memory: rows of W elements, padded so that neither rows nor columns share banks.
template <int W>
__device__ __forceinline__ constexpr int tile_floats() {
    return TILE * (W + 4);
}

// Loads rows of `width` elements, `stride` apart, zero beyond `count` rows and `width` columns.
template <int W>
__device__ __forceinline__ void load_tile(float *tile, const float *from, int stride, int count, int width) {
    const bool whole = width % 4 == 0 && stride % 4 == 0 && aligned(from);
    for (int at = threadIdx.x; at < TILE * W / 4; at += THREADS) {
        const int row = at / (W / 4), column = at % (W / 4) * 4;
        float4 v = make_float4(0.0f, 0.0f, 0.0f, 0.0f);
        if (row < count && column < width) v = load4(from + static_cast<long long>(row) * stride, column, width, whole);
        *reinterpret_cast<float4 *>(tile + row * (W + 4) + column) = v;
    }
}

// The thread's elements of A · Bᵀ.
template <int W>
__device__ __forceinline__ void multiply_transposed(float (&out)[EACH][EACH], const float *a, const float *b) {
    const int row = threadIdx.x / PER_ROW * EACH, column = threadIdx.x % PER_ROW;
#pragma unroll
    for (int i = 0; i < EACH; i++)
#pragma unroll
        for (int j = 0; j < EACH; j++) out[i][j] = 0.0f;
#pragma unroll 2
    for (int d = 0; d < W; d += 4) {
        float4 x[EACH], y[EACH];
#pragma unroll
        for (int i = 0; i < EACH; i++) {
            x[i] = *reinterpret_cast<const float4 *>(a + (row + i) * (W + 4) + d);
            y[i] = *reinterpret_cast<const float4 *>(b + (column + PER_ROW * i) * (W + 4) + d);
        }
#pragma unroll
        for (int i = 0; i < EACH; i++)
#pragma unroll
            for (int j = 0; j < EACH; j++) {
                out[i][j] = fmaf(x[i].x, y[j].x, out[i][j]);
                out[i][j] = fmaf(x[i].y, y[j].y, out[i][j]);
                out[i][j] = fmaf(x[i].z, y[j].z, out[i][j]);
                out[i][j] = fmaf(x[i].w, y[j].w, out[i][j]);
            }
    }
}

// out += scores · B for the thread's rows and the columns thread % 16 + 16·j; the 16 threads of a row have written its
// scores.
template <int W>
__device__ __forceinline__ void add_product(float (&out)[EACH][W / PER_ROW], const float *scores, const float *b) {
    const int row = threadIdx.x / PER_ROW * EACH, column = threadIdx.x % PER_ROW;
#pragma unroll 4
    for (int k = 0; k < TILE; k++) {
        float x[EACH];
#pragma unroll
        for (int i = 0; i < EACH; i++) x[i] = scores[(row + i) * SCORES + k];
#pragma unroll
        for (int j = 0; j < W / PER_ROW; j++) {
            const float y = b[k * (W + 4) + column + PER_ROW * j];
#pragma unroll
            for (int i = 0; i < EACH; i++) out[i][j] = fmaf(x[i], y, out[i][j]);
        }
    }
}

// Writes the thread's elements of scores; the warp has them after __syncwarp.
__device__ __forceinline__ void put_scores(float *scores, const float (&from)[EACH][EACH]) {
    const int row = threadIdx.x / PER_ROW * EACH, column = threadIdx.x % PER_ROW;
#pragma unroll
    for (int i = 0; i < EACH; i++)
#pragma unroll
        for (int j = 0; j < EACH; j++) scores[(row + i) * SCORES + column + PER_ROW * j] = from[i][j];
}

// Writes the thread's elements of `count` rows of `width` elements, `stride` apart.
template <int W>
__device__ __forceinline__ void put_rows(float *to, int stride, int count, int width,
                                         const float (&from)[EACH][W / PER_ROW]) {
    const int row = threadIdx.x / PER_ROW * EACH, column = threadIdx.x % PER_ROW;
#pragma unroll
    for (int i = 0; i < EACH; i++)
        if (row + i < count)
#pragma unroll
            for (int j = 0; j < W / PER_ROW; j++)
                if (column + PER_ROW * j < width)
                    to[static_cast<long long>(row + i) * stride + column + PER_ROW * j] = from[i][j];
}

template <int N>
__device__ __forceinline__ void clear(float (&x)[EACH][N]) {
#pragma unroll
    for (int i = 0; i < EACH; i++)
#pragma unroll
        for (int j = 0; j < N; j++) x[i][j] = 0.0f;
}

// Over the 16 threads of a row.
__device__ __forceinline__ float row_sum(float x) {
    for (int lanes = PER_ROW / 2; lanes > 0; lanes /= 2) x += __shfl_xor_sync(ALL_LANES, x, lanes);
    return x;
}
__device__ __forceinline__ float row_max(float x) {
    for (int lanes = PER_ROW / 2; lanes > 0; lanes /= 2) x = fmaxf(x, __shfl_xor_sync(ALL_LANES, x, lanes));
    return x;
}

template <int W>
__device__ __forceinline__ void forward(const Head &head, float *out, float *log_sums, const float *q, const float *k,
                                        const float *v, int heads, int width, int q_stride, int k_stride,
                                        int o_stride) {
    float *queries = reinterpret_cast<float *>(dynamic_shared), *keys = queries + tile_floats<W>(),
          *values = keys + tile_floats<W>();
    float *scores = values + tile_floats<W>();
    const int start = blockIdx.x * TILE, count = min(TILE, head.queries - start),
              row = start + threadIdx.x / PER_ROW * EACH, column = threadIdx.x % PER_ROW;
    load_tile<W>(queries, q + static_cast<long long>(start) * q_stride, q_stride, count, width);
    float top[EACH], sum[EACH], result[EACH][W / PER_ROW];
    for (int i = 0; i < EACH; i++) top[i] = -infinity(), sum[i] = 0.0f;
    clear(result);
    const int last = head.last(start + count);
    for (int at = head.first(start); at < last; at += TILE) {
        __syncthreads();
        load_tile<W>(keys, k + static_cast<long long>(at) * k_stride, k_stride, last - at, width);
        load_tile<W>(values, v + static_cast<long long>(at) * k_stride, k_stride, last - at, width);
        __syncthreads();
        float s[EACH][EACH];
        multiply_transposed<W>(s, queries, keys);
#pragma unroll
        for (int i = 0; i < EACH; i++) {
            float highest = top[i];
#pragma unroll
            for (int j = 0; j < EACH; j++) {
                const int key = at + column + PER_ROW * j;
                s[i][j] = head.sees(row + i, key) ? head.score(s[i][j], row + i, key) : -infinity();
                highest = fmaxf(highest, s[i][j]);
            }
            highest = row_max(highest);
            // A row that has seen nothing yet has exponentials of −∞ − 0.
            const float shift = highest == -infinity() ? 0.0f : highest, shrunk = __expf(top[i] - shift);
            const Key row_key = head.row_key(row + i);
            float part = 0.0f;
#pragma unroll
            for (int j = 0; j < EACH; j++) {
                s[i][j] = __expf(s[i][j] - shift);
                part += s[i][j];
                s[i][j] *= head.kept(row_key, row + i, at + column + PER_ROW * j);
            }
            sum[i] = sum[i] * shrunk + row_sum(part);
            top[i] = highest;
#pragma unroll
            for (int j = 0; j < W / PER_ROW; j++) result[i][j] *= shrunk;
        }
        put_scores(scores, s);
        __syncwarp();
        add_product<W>(result, scores, values);
    }
    for (int i = 0; i < EACH; i++) {
        const float inverse = 1.0f / sum[i];
#pragma unroll
        for (int j = 0; j < W / PER_ROW; j++) result[i][j] *= inverse;
        if (row + i < head.queries && column == 0)
            log_sums[static_cast<long long>(row + i) * heads] = top[i] + __logf(sum[i]);
    }
    put_rows<W>(out + static_cast<long long>(start) * o_stride, o_stride, count, width, result);
}

template <int W>
__device__ __forceinline__ void backward_queries(const Head &head, float *d_bias, float *dq, const float *q,
                                                 const float *k, const float *v, const float *dout,
                                                 const float *log_sums, const float *delta, int heads, int width,
                                                 int q_stride, int k_stride, int o_stride) {
    float *queries = reinterpret_cast<float *>(dynamic_shared), *slopes = queries + tile_floats<W>(),
          *keys = slopes + tile_floats<W>();
    float *values = keys + tile_floats<W>(), *scores = values + tile_floats<W>();
    const int start = blockIdx.x * TILE, count = min(TILE, head.queries - start),
              row = start + threadIdx.x / PER_ROW * EACH, column = threadIdx.x % PER_ROW;
    load_tile<W>(queries, q + static_cast<long long>(start) * q_stride, q_stride, count, width);
    load_tile<W>(slopes, dout + static_cast<long long>(start) * o_stride, o_stride, count, width);
    float log_sum[EACH], inner[EACH], result[EACH][W / PER_ROW];
    for (int i = 0; i < EACH; i++) {
        log_sum[i] = row + i < head.queries ? log_sums[static_cast<long long>(row + i) * heads] : 0.0f;
        inner[i] = row + i < head.queries ? delta[static_cast<long long>(row + i) * heads] : 0.0f;
    }
    clear(result);
    const int last = head.last(start + count);
    for (int at = head.first(start); at < last; at += TILE) {
        __syncthreads();
        load_tile<W>(keys, k + static_cast<long long>(at) * k_stride, k_stride, last - at, width);
        load_tile<W>(values, v + static_cast<long long>(at) * k_stride, k_stride, last - at, width);
        __syncthreads();
        float p[EACH][EACH], d[EACH][EACH];
        multiply_transposed<W>(p, queries, keys);
        multiply_transposed<W>(d, slopes, values);
#pragma unroll
        for (int i = 0; i < EACH; i++) {
            const Key row_key = head.row_key(row + i);
#pragma unroll
            for (int j = 0; j < EACH; j++) {
                const int key = at + column + PER_ROW * j;
                head.replay(p[i][j], d[i][j], row + i, key, head.kept(row_key, row + i, key), log_sum[i], inner[i]);
            }
        }
        put_scores(scores, d);
        __syncwarp();
        add_product<W>(result, scores, keys);
        if (d_bias != nullptr) add_diagonals(head, d_bias, scores, SCORES, start, at);
    }
    put_rows<W>(dq + static_cast<long long>(start) * q_stride, q_stride, count, width, result);
}

template <int W>
__device__ __forceinline__ void backward_keys(const Head &head, float *dk, float *dv, const float *q, const float *k,
                                              const float *v, const float *dout, const float *log_sums,
                                              const float *delta, int heads, int width, int q_stride, int k_stride,
                                              int o_stride) {
    float *queries = reinterpret_cast<float *>(dynamic_shared), *slopes = queries + tile_floats<W>(),
          *keys = slopes + tile_floats<W>();
    float *values = keys + tile_floats<W>(), *scores = values + tile_floats<W>();
    const int start = blockIdx.x * TILE, count = min(TILE, head.keys - start),
              row = start + threadIdx.x / PER_ROW * EACH, column = threadIdx.x % PER_ROW;
    load_tile<W>(keys, k + static_cast<long long>(start) * k_stride, k_stride, count, width);
    load_tile<W>(values, v + static_cast<long long>(start) * k_stride, k_stride, count, width);
    float at_keys[EACH][W / PER_ROW], at_values[EACH][W / PER_ROW];
    clear(at_keys);
    clear(at_values);
    const int last = head.last_query(start + count);
    for (int at = head.first_query(start); at < last; at += TILE) {
        __syncthreads();
        load_tile<W>(queries, q + static_cast<long long>(at) * q_stride, q_stride, last - at, width);
        load_tile<W>(slopes, dout + static_cast<long long>(at) * o_stride, o_stride, last - at, width);
        __syncthreads();
        // Transposed: rows are keys.
        float p[EACH][EACH], d[EACH][EACH];
        multiply_transposed<W>(p, keys, queries);
        multiply_transposed<W>(d, values, slopes);
#pragma unroll
        for (int j = 0; j < EACH; j++) {
            const int query = at + column + PER_ROW * j;
            const bool present = query < last;
            const Key row_key = head.row_key(query);
            const float log_sum = present ? log_sums[static_cast<long long>(query) * heads] : 0.0f;
            const float inner = present ? delta[static_cast<long long>(query) * heads] : 0.0f;
#pragma unroll
            for (int i = 0; i < EACH; i++)
                head.replay(p[i][j], d[i][j], present ? query : head.queries, row + i,
                            head.kept(row_key, query, row + i), log_sum, inner);
        }
        put_scores(scores, p);
        __syncwarp();
        add_product<W>(at_values, scores, slopes);
        __syncwarp();
        put_scores(scores, d);
        __syncwarp();
        add_product<W>(at_keys, scores, queries);
    }
    put_rows<W>(dk + static_cast<long long>(start) * k_stride, k_stride, count, width, at_keys);
    put_rows<W>(dv + static_cast<long long>(start) * k_stride, k_stride, count, width, at_values);
}

// Runs the statements with W the least of 32, 64 and 128 that is not below the width.
#define FOR_WIDTH(...)         \
    if (width <= 32) {         \
        constexpr int W = 32;  \
        __VA_ARGS__;           \
    } else if (width <= 64) {  \
        constexpr int W = 64;  \
        __VA_ARGS__;           \
    } else {                   \
        constexpr int W = 128; \
        __VA_ARGS__;           \
    }

// out = softmax(scale·QKᵀ + bias)·V of every head, log_sums[query tokens, heads] the logarithms of the normalisers.
extern "C" __global__ void __launch_bounds__(THREADS)
    attention(float *out, float *log_sums, const float *q, const float *k, const float *v, HEADS) {
    FOR_HEADS(if (static_cast<int>(blockIdx.x) * TILE >= head.queries) continue;
              FOR_WIDTH(forward<W>(head, out + result, log_sums + row, q + query, k + at_key, v + at_key, heads, width,
                                   q_stride, k_stride, o_stride)))
}

// delta[tokens, heads] = ⟨out, dout⟩ of every head of every row of heads · width elements. A warp a row: ⌈tokens / 8⌉
// blocks give each one; no shared memory.
extern "C" __global__ void __launch_bounds__(THREADS)
    attention_delta(float *delta, const void *out, const void *dout, int narrow, int tokens, int heads, int width) {
    const int lane = threadIdx.x % WARP, each = width / 8, hidden = heads * width;
    // Lanes that are neighbours share a head of whole vectors.
    const bool whole = width % 8 == 0 && (each & (each - 1)) == 0 && aligned(out) && aligned(dout);
    with_type(narrow, [&](auto type) {
        using T = decltype(type);
        each_row(tokens, [&](long long row) {
            const T *a = static_cast<const T *>(out) + row * hidden, *b = static_cast<const T *>(dout) + row * hidden;
            float *to = delta + row * heads;
            for (int start = 0; whole && start < heads * each; start += WARP) {
                const int at = start + lane;
                float sum = at < heads * each ? sum8(times8(load8(a + 8 * at), load8(b + 8 * at))) : 0.0f;
                for (int lanes = each / 2; lanes > 0; lanes /= 2) sum += __shfl_xor_sync(ALL_LANES, sum, lanes);
                if (at < heads * each && at % each == 0) to[at / each] = sum;
            }
            for (int head = 0; !whole && head < heads; head++) {
                float sum = 0.0f;
                for (int i = head * width + lane; i < (head + 1) * width; i += WARP)
                    sum += value_of(a[i]) * value_of(b[i]);
                sum = warp_sum(sum);
                if (lane == 0) to[head] = sum;
            }
        });
    });
}

// Gradient dq of attention, laid out as q. Unless null, d_bias[sequences, heads, gridDim.x, 2·centre + 1], zero before,
// gets the parts of the gradient at the bias.
extern "C" __global__ void __launch_bounds__(THREADS)
    attention_backward_queries(float *dq, const float *q, const float *k, const float *v, const float *dout,
                               const float *log_sums, const float *delta, HEADS, float *d_bias) {
    FOR_HEADS(if (static_cast<int>(blockIdx.x) * TILE >= head.queries) continue; FOR_WIDTH(backward_queries<W>(
        head, bias_part(d_bias, s, heads, centre), dq + query, q + query, k + at_key, v + at_key, dout + result,
        log_sums + row, delta + row, heads, width, q_stride, k_stride, o_stride)))
}

// Gradients dk and dv of attention, laid out as k and v.
extern "C" __global__ void __launch_bounds__(THREADS)
    attention_backward_keys(float *dk, float *dv, const float *q, const float *k, const float *v, const float *dout,
                            const float *log_sums, const float *delta, HEADS) {
    FOR_HEADS(if (static_cast<int>(blockIdx.x) * TILE >= head.keys) continue; FOR_WIDTH(
                  backward_keys<W>(head, dk + at_key, dv + at_key, q + query, k + at_key, v + at_key, dout + result,
                                   log_sums + row, delta + row, heads, width, q_stride, k_stride, o_stride)))
}
