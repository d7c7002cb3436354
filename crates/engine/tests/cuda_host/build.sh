#!/bin/sh
# Builds libcuda.so.1, libnvrtc.so.12, libnccl.so.2 and libcublasLt.so.12 for tests: build.sh OUT_DIR
set -eu
here=$(cd "$(dirname "$0")" && pwd)
kernels=$(cd "$here/../../src/cuda/kernels" && pwd)
out=$1
mkdir -p "$out"
temporary=$(mktemp -d "$out/build.XXXXXX")
trap 'rm -rf "$temporary"' EXIT

# Every source in a namespace, and a line for each of its kernels with the number of threads that it is bound to.
for source in "$kernels"/*.cu; do
    echo "namespace kernels_$(basename "$source" .cu) {"
    echo "#include \"$source\""
    tr -s '\n ' '  ' <"$source" | sed 's/extern "C" __global__/\n&/g' |
        sed -n 's/^extern "C" __global__ void __launch_bounds__(\([0-9A-Z_]*\)[, 0-9]*) \([a-z0-9_]*\)(.*/KERNEL(\2, \1)/p'
    echo "}"
done >"$temporary/kernels.inc"
if [ "$(grep -c '^KERNEL' "$temporary/kernels.inc")" != "$(cat "$kernels"/*.cu | grep -c '^extern "C" __global__')" ]; then
    echo 'a kernel does not begin with: extern "C" __global__ void __launch_bounds__(THREADS) name(' >&2
    exit 1
fi

# No contraction to fused multiply-adds, so that every machine computes the same; those that are asked for are one
# instruction where there is one.
fma=$(grep -qs '^flags.* fma ' /proc/cpuinfo && echo -mfma || true)
compile() {
    library=$1
    shift
    "${CXX:-g++}" -std=c++17 -O2 -g1 -fPIC -shared -fvisibility=hidden -ffp-contract=off -fno-strict-aliasing -Wall -Wextra -Wno-unknown-pragmas $fma \
        -I "$here" -I "$kernels" -I "$temporary" -Wl,-soname,"$library" -o "$temporary/$library" "$@"
    mv "$temporary/$library" "$out/$library"
}
compile libcuda.so.1 "$here/driver.cpp" "$here/block.cpp"
compile libnvrtc.so.12 "$here/nvrtc.cpp"
compile libnccl.so.2 "$here/nccl.cpp" -ldl
compile libcublasLt.so.12 -O3 "$here/cublaslt.cpp"
