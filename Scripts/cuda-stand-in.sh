#!/usr/bin/env bash
#
# Runs a program with the CUDA build of libtorch on a machine without a GPU. Devices, memory, copies
# and streams are libtorch's own; kernels do nothing, so results mean nothing.
#
#   Scripts/cuda-stand-in.sh                  the tests that need a device but no arithmetic
#   Scripts/cuda-stand-in.sh COMMAND ...      a command, such as
#                                             .build/release/distill run RECIPE.yaml --device cuda
#
# The first time it installs the CUDA build of torch, 3 GB to download, in .venv-cuda. What the
# stand-in offers, and the variables CUDA_STAND_IN_*: Scripts/cuda-stand-in.c. Linux on x86-64.
#
# Environment:
#   PIP_ARGS=...             more arguments for `pip install`
#   STAND_IN_PYTHON=FILE     the Python that makes .venv-cuda (default: python3)
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly root
readonly place=$root/.venv-cuda
torch_version=$(sed -n 's/^readonly TORCH_VERSION=\([0-9.]*\).*/\1/p' "$root/Scripts/setup.sh")

die() {
    printf 'cuda-stand-in: error: %s\n' "$*" >&2
    exit 1
}

install() {
    local -a arguments=()
    IFS=' ' read -r -a arguments <<<"${PIP_ARGS:-}"
    "${STAND_IN_PYTHON:-python3}" -m venv --clear "$place"
    "$place/bin/python" -m pip install --disable-pip-version-check "torch==$torch_version" \
        ${arguments[@]+"${arguments[@]}"} >&2
    packages=$(echo "$place"/lib/python3*/site-packages)
    [ -e "$packages/torch/lib/libtorch_cuda.so" ] || die "pip installed a build without CUDA. Where" \
        "its configuration prefers one, PIP_CONFIG_FILE=/dev/null PIP_FIND_LINKS= ignores that."
    # The headers of the runtime include some of the compiler's.
    "$place/bin/python" -m pip install --disable-pip-version-check --no-deps \
        "nvidia-cuda-crt==$("$place/bin/python" -c '
from importlib.metadata import version
print(".".join(version("nvidia-cuda-runtime").split(".")[:2]))').*" \
        ${arguments[@]+"${arguments[@]}"} >&2
    printf '%s\n' "$torch_version" >"$place/.complete"
}

[ "$(uname -sm)" = 'Linux x86_64' ] || die "the stand-in is for Linux on x86-64."
case $root in *[[:space:]:]*) die "LD_PRELOAD takes no path with spaces or colons: $root" ;; esac
[ "$(cat "$place/.complete" 2>/dev/null)" = "$torch_version" ] || install
packages=$(echo "$place"/lib/python3*/site-packages)
library=$place/libcuda.so.1
if [ "$root/Scripts/cuda-stand-in.c" -nt "$library" ]; then
    "${CC:-cc}" -shared -fPIC -O1 -Wall -Wextra -Wl,-soname,libcuda.so.1 \
        -I "$packages/nvidia/cu13/include" "$root/Scripts/cuda-stand-in.c" -o "$library" -ldl -lpthread
fi

if (($# == 0)); then
    cd "$root"
    swift build -c release --build-tests
fi
export CUDA_STAND_IN=1 LD_PRELOAD=$library LD_LIBRARY_PATH=$packages/torch/lib:$place
if (($# > 0)); then exec "$@"; fi
export CUDA_STAND_IN_DEVICES=2
exec swift test -c release --skip-build --disable-xctest --filter 'CUDA'
