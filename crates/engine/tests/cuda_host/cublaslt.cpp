// libcublasLt.so.12 for tests: products of column-major f32 or bf16 matrices, summed in f32, with the epilogues that
// stand below.
#include <dlfcn.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <vector>

#define API extern "C" __attribute__((visibility("default"))) int

namespace {

enum Status { SUCCESS = 0, INVALID_VALUE = 7, NOT_SUPPORTED = 15 };
enum Type { F32 = 0, BF16 = 14 };
enum LayoutAttribute { TYPE = 0, ORDER = 1, ROWS = 2, COLS = 3, LD = 4, BATCH_COUNT = 5, BATCH_STRIDE = 6 };
enum DescAttribute {
    TRANSA = 3,
    TRANSB = 4,
    TRANSC = 5,
    EPILOGUE = 7,
    BIAS_POINTER = 8,
    BIAS_BATCH_STRIDE = 10,
    AUX_POINTER = 11,
    AUX_LD = 12,
    BIAS_TYPE = 26
};
enum Epilogue { DEFAULT = 1, RELU = 2, BIAS = 4, GELU = 32, AUX = 128 };

// Attributes as they were set, each in 8 bytes.
struct Attributes {
    std::map<int, int64_t> values;
    Status set(int attribute, const void *from, size_t bytes) {
        if (bytes > 8) return INVALID_VALUE;
        int64_t value = 0;
        memcpy(&value, from, bytes);
        values[attribute] = bytes == 4 ? int32_t(value) : value;
        return SUCCESS;
    }
    Status get(int attribute, void *to, size_t bytes, size_t *written) const {
        const int64_t value = at(attribute, 0);
        if (bytes > 8) return INVALID_VALUE;
        memcpy(to, &value, bytes);
        if (written != nullptr) *written = bytes;
        return SUCCESS;
    }
    int64_t at(int attribute, int64_t otherwise) const {
        const auto found = values.find(attribute);
        return found == values.end() ? otherwise : found->second;
    }
};

float read(const void *p, int type, int64_t i) {
    if (type == F32) return static_cast<const float *>(p)[i];
    const uint32_t bits = uint32_t(static_cast<const uint16_t *>(p)[i]) << 16;
    float x;
    memcpy(&x, &bits, 4);
    return x;
}

void write(void *p, int type, int64_t i, float x) {
    if (type == F32) {
        static_cast<float *>(p)[i] = x;
        return;
    }
    uint32_t bits;
    memcpy(&bits, &x, 4);
    static_cast<uint16_t *>(p)[i] = std::isnan(x) ? bits >> 16 | 0x40 : (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

// A matrix of one batch as `op(X)[rows, cols]`, row by row if `by_rows`, else column by column.
std::vector<float> widened(const Attributes &layout, const void *data, bool transposed, int64_t batch, int64_t rows,
                           int64_t cols, bool by_rows) {
    const int64_t ld = layout.at(LD, 0), start = batch * layout.at(BATCH_STRIDE, 0);
    const int type = int(layout.at(TYPE, F32));
    const bool row_major = layout.at(ORDER, 0) == 1;
    std::vector<float> out(rows * cols);
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < cols; c++) {
            const int64_t i = transposed ? c : r, j = transposed ? r : c;
            out[by_rows ? r * cols + c : c * rows + r] = read(data, type,
                                                              start + (row_major ? i * ld + j : j * ld + i));
        }
    return out;
}

[[noreturn]] void fail(const char *what) {
    fprintf(stderr, "cuBLASLt on the host: %s\n", what);
    abort();
}

float gelu(float x) { return 0.5f * x * (1.0f + std::tanh(0.7978845608f * (x + 0.044715f * x * x * x))); }

}  // namespace

extern "C" __attribute__((visibility("default"))) size_t cublasLtGetVersion() { return 120900; }
API cublasLtCreate(void **handle) { return *handle = new char, SUCCESS; }
API cublasLtDestroy(void *handle) { return delete static_cast<char *>(handle), SUCCESS; }

API cublasLtMatrixLayoutCreate(Attributes **layout, int type, uint64_t rows, uint64_t cols, int64_t ld) {
    *layout = new Attributes{{{TYPE, type}, {ROWS, int64_t(rows)}, {COLS, int64_t(cols)}, {LD, ld}, {BATCH_COUNT, 1}}};
    return SUCCESS;
}
API cublasLtMatrixLayoutDestroy(Attributes *layout) { return delete layout, SUCCESS; }
API cublasLtMatrixLayoutSetAttribute(Attributes *layout, int attribute, const void *from, size_t bytes) {
    return layout->set(attribute, from, bytes);
}
API cublasLtMatrixLayoutGetAttribute(Attributes *layout, int attribute, void *to, size_t bytes, size_t *written) {
    return layout->get(attribute, to, bytes, written);
}
API cublasLtMatmulDescCreate(Attributes **desc, int, int) { return *desc = new Attributes, SUCCESS; }
API cublasLtMatmulDescDestroy(Attributes *desc) { return delete desc, SUCCESS; }
API cublasLtMatmulDescSetAttribute(Attributes *desc, int attribute, const void *from, size_t bytes) {
    return desc->set(attribute, from, bytes);
}
API cublasLtMatmulDescGetAttribute(Attributes *desc, int attribute, void *to, size_t bytes, size_t *written) {
    return desc->get(attribute, to, bytes, written);
}
API cublasLtMatmulPreferenceCreate(Attributes **preference) { return *preference = new Attributes, SUCCESS; }
API cublasLtMatmulPreferenceDestroy(Attributes *preference) { return delete preference, SUCCESS; }
API cublasLtMatmulPreferenceSetAttribute(Attributes *preference, int attribute, const void *from, size_t bytes) {
    return preference->set(attribute, from, bytes);
}

// cublasLtMatmulHeuristicResult_t
struct Heuristic {
    uint64_t algorithm[8];
    size_t workspace;
    int state;
    float waves;
    int reserved[4];
};
API cublasLtMatmulAlgoGetHeuristic(void *, Attributes *, Attributes *, Attributes *, Attributes *, Attributes *,
                                   Attributes *, int wanted, Heuristic *to, int *count) {
    *count = wanted > 0;
    if (wanted > 0) *to = Heuristic{{1}, 0, SUCCESS, 1.0f, {}};
    return SUCCESS;
}

namespace {

// A product as it was asked for.
struct Work {
    Attributes desc, a_layout, b_layout, c_layout, d_layout;
    float scale, keep;
    const void *a, *b, *c;
    void *d;

    void run() const;
};

// Puts work on a stream of libcuda.so.1, which the program has loaded.
int put(void *stream, Work *work) {
    using LaunchHostFunction = int (*)(void *, void (*)(void *), void *);
    static const auto launch = [] {
        void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_NOLOAD);
        if (driver == nullptr) fail("the driver is not there");
        return reinterpret_cast<LaunchHostFunction>(dlsym(driver, "cuLaunchHostFunc"));
    }();
    const auto run = [](void *data) {
        const auto *work = static_cast<Work *>(data);
        work->run();
        delete work;
    };
    return launch(stream, run, work);
}

}  // namespace

API cublasLtMatmul(void *, Attributes *desc, const void *alpha, const void *a, Attributes *a_layout, const void *b,
                   Attributes *b_layout, const void *beta, const void *c, Attributes *c_layout, void *d,
                   Attributes *d_layout, const void *, void *, size_t, void *stream) {
    const bool ta = desc->at(TRANSA, 0) != 0, tb = desc->at(TRANSB, 0) != 0;
    const int64_t m = d_layout->at(ROWS, 0), n = d_layout->at(COLS, 0), k = a_layout->at(ta ? ROWS : COLS, 0);
    if (a_layout->at(ta ? COLS : ROWS, 0) != m || b_layout->at(tb ? ROWS : COLS, 0) != n ||
        b_layout->at(tb ? COLS : ROWS, 0) != k)
        return INVALID_VALUE;
    if (c_layout->at(ROWS, 0) != m || c_layout->at(COLS, 0) != n || desc->at(TRANSC, 0) != 0) return INVALID_VALUE;
    for (const Attributes *layout : {a_layout, b_layout, c_layout, d_layout}) {
        const int64_t least = layout->at(layout->at(ORDER, 0) == 1 ? COLS : ROWS, 0);
        if (m == 0 || n == 0 || k == 0 || layout->at(LD, 0) < least) return INVALID_VALUE;
        if (layout->at(TYPE, F32) != F32 && layout->at(TYPE, F32) != BF16) return NOT_SUPPORTED;
    }
    const int epilogue = int(desc->at(EPILOGUE, DEFAULT));
    if (epilogue != DEFAULT && (epilogue & ~(RELU | BIAS | GELU | AUX) || (epilogue & AUX && !(epilogue & GELU))))
        fail("an epilogue that it does not know");
    const float scale = *static_cast<const float *>(alpha), keep = *static_cast<const float *>(beta);
    return put(stream, new Work{*desc, *a_layout, *b_layout, *c_layout, *d_layout, scale, keep, a, b, c, d});
}

void Work::run() const {
    const bool ta = desc.at(TRANSA, 0) != 0, tb = desc.at(TRANSB, 0) != 0;
    const int64_t m = d_layout.at(ROWS, 0), n = d_layout.at(COLS, 0), k = a_layout.at(ta ? ROWS : COLS, 0);
    const int epilogue = int(desc.at(EPILOGUE, DEFAULT));
    for (int64_t batch = 0; batch < d_layout.at(BATCH_COUNT, 1); batch++) {
        const std::vector<float> left = widened(a_layout, a, ta, batch, m, k, false);
        const std::vector<float> right = widened(b_layout, b, tb, batch, k, n, false);
        const std::vector<float> before = keep == 0.0f ? std::vector<float>()
                                                       : widened(c_layout, c, false, batch, m, n, false);
        std::vector<float> sums(m);
        for (int64_t j = 0; j < n; j++) {
            std::fill(sums.begin(), sums.end(), 0.0f);
            for (int64_t p = 0; p < k; p++) {
                const float factor = right[j * k + p], *column = &left[p * m];
                for (int64_t i = 0; i < m; i++) sums[i] += factor * column[i];
            }
            for (int64_t i = 0; i < m; i++) {
                float x = scale * sums[i] + (keep == 0.0f ? 0.0f : keep * before[j * m + i]);
                if (epilogue & BIAS) {
                    const void *bias = reinterpret_cast<const void *>(desc.at(BIAS_POINTER, 0));
                    x += read(bias, int(desc.at(BIAS_TYPE, d_layout.at(TYPE, F32))),
                              batch * desc.at(BIAS_BATCH_STRIDE, 0) + i);
                }
                if (epilogue & AUX)
                    write(reinterpret_cast<void *>(desc.at(AUX_POINTER, 0)), int(d_layout.at(TYPE, F32)),
                          j * desc.at(AUX_LD, m) + i, x);
                if (epilogue & RELU) x = x > 0.0f ? x : 0.0f;
                if (epilogue & GELU) x = gelu(x);
                const int64_t ld = d_layout.at(LD, 0), start = batch * d_layout.at(BATCH_STRIDE, 0);
                write(d, int(d_layout.at(TYPE, F32)), start + (d_layout.at(ORDER, 0) == 1 ? i * ld + j : j * ld + i),
                      x);
            }
        }
    }
}
