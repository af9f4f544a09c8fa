#!/usr/bin/env bash
#
# Measures a step of DM and a matching step of IDC beside plain PyTorch programs.
#
#   Benchmarks/methods.sh [--work dm,idc-1,idc-1-resnet] [--threads N] [--repetitions N]
#                         [--precision auto|bfloat16|float32] [--data FOLDER] ...
#
# Both sides must give the same losses in float32 first, on the same networks and images. Then whole
# steps, drawing and augmenting included, are measured in turns, and the medians count. Grey images
# are those of Fashion-MNIST where they are installed, colour images are random. All options: --help.
# What is compared: Documentation/costs.md.
#
# Environment: PYTHON=FILE   a Python with torch (default: that of .venv)
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly binary=.build/release/distill-bench
python=${PYTHON:-.venv/bin/python}

[ -x "$binary" ] || swift build -c release --product distill-bench
"$python" -c 'import torch' 2>/dev/null || {
    echo "bench: error: $python has no torch: run \`make setup\`, or set PYTHON." >&2
    exit 1
}
exec "$python" Benchmarks/methods.py "$binary" "$@"
