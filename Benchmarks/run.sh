#!/usr/bin/env bash
#
# Measures training and sampling of a DiT beside the same model in eager PyTorch.
#
#   Benchmarks/run.sh [--model small|dit-s-2|dit-b-2] [--batch N] [--threads N]
#                     [--precision auto|bfloat16|float32] [--repetitions N] [--steps N]
#                     [--sampling-steps N]
#
# Both sides use the same libtorch, threads, batch, precision and inputs. They are compared in
# float32 first, warmed up, and measured in turns; the medians count. Without --precision both
# compute in bfloat16 where the processor multiplies it, else in float32. The status is 1 if ours is
# slower by the clock, or if the two do not compute the same.
#
# The other comparisons have scripts of their own:
#
#   Benchmarks/methods.sh       a step of DM and a match of IDC
#   Benchmarks/evaluation.sh    the training of an evaluation; installs torchvision in .venv
#   Benchmarks/finetune.sh      the fine-tuning of Minimax Diffusion; needs diffusers
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
exec "$python" Benchmarks/dit_pytorch.py "$binary" "$@"
