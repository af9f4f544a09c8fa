#!/usr/bin/env bash
#
# Measures the fine-tuning of Minimax Diffusion beside a PyTorch program as one writes it.
#
#   Benchmarks/finetune.sh [--model S/2|B/2|L/2|XL/2] [--precision auto|bfloat16|float32]
#                          [--device cpu|cuda|cuda:N] ...
#
# Weights are random. Both sides must give the same losses in float32 first; then whole updates,
# sampling, encoding and peak memory are measured in turns, and the medians count. All options:
# --help. What is compared: Documentation/costs.md.
#
# Environment: PYTHON=FILE   a Python with torch and diffusers (default: that of .venv)
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly binary=.build/release/distill-bench
python=${PYTHON:-.venv/bin/python}

[ -x "$binary" ] || swift build -c release --product distill-bench
"$python" -c 'import diffusers, torch' 2>/dev/null || {
    echo "bench: error: $python lacks torch or diffusers. Make a virtual environment with both" \
        "(pip install torch diffusers) and set PYTHON to its python." >&2
    exit 1
}
exec "$python" Benchmarks/finetune.py "$binary" "$@"
