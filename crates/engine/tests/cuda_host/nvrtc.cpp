// libnvrtc.so.12 for tests: takes every program and gives its source back as PTX; libcuda.so.1 beside it has the
// kernels compiled.
#include <cstring>
#include <string>

#define API extern "C" __attribute__((visibility("default"))) int

namespace {
struct Program {
    std::string source;
};
}  // namespace

// No version of NVRTC: what stands in a cache under this one is never taken for a real result.
API nvrtcVersion(int *major, int *minor) { return *major = 0, *minor = 0, 0; }
API nvrtcCreateProgram(Program **program, const char *source, const char *, int headers, const char *const *sources,
                       const char *const *) {
    *program = new Program{source};
    for (int i = 0; i < headers; i++) (*program)->source += sources[i];
    return 0;
}
API nvrtcDestroyProgram(Program **program) { return delete *program, 0; }
API nvrtcCompileProgram(Program *, int, const char *const *) { return 0; }
API nvrtcGetPTXSize(Program *program, size_t *bytes) { return *bytes = program->source.size() + 1, 0; }
API nvrtcGetPTX(Program *program, char *to) {
    return memcpy(to, program->source.c_str(), program->source.size() + 1), 0;
}
API nvrtcGetCUBINSize(Program *program, size_t *bytes) { return nvrtcGetPTXSize(program, bytes); }
API nvrtcGetCUBIN(Program *program, char *to) { return nvrtcGetPTX(program, to); }
API nvrtcGetProgramLogSize(Program *, size_t *bytes) { return *bytes = 1, 0; }
API nvrtcGetProgramLog(Program *, char *to) { return *to = 0, 0; }
extern "C" __attribute__((visibility("default"))) const char *nvrtcGetErrorString(int) { return "no error"; }
