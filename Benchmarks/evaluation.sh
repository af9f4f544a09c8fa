#!/usr/bin/env bash
#
# Measures the training of an evaluation beside the plain PyTorch loop that users run today.
#
#   Benchmarks/evaluation.sh [--networks convnet-3,convnet-6,resnet-ap-10,resnet-18]
#                            [--threads N] [--repetitions N] [--data FOLDER] ...
#   Benchmarks/evaluation.sh --accuracy [--epochs N] [--seeds N] ...
#
# Both sides train the same networks on the same files under the published protocol, in turns, and
# the medians count. Their networks must agree on the test images. Images are random ones unless
# --data names a folder of class folders. An epoch of the residual networks takes many seconds on a
# small processor: measure networks one by one there. With --accuracy no time is measured: ConvNet-3 is
# trained with several seeds on either side, and must be equally good. All options: --help.
#
# Environment: PYTHON=FILE    a Python with torch and torchvision (default: that of .venv, into
#                             which Benchmarks/requirements.txt is installed; PIP_ARGS as in setup)
#              DISTILL=FILE   the command that is measured (default: that of the release build)
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
binary=${DISTILL:-.build/release/distill}
python=${PYTHON:-.venv/bin/python}

[ -n "${DISTILL:-}" ] || [ -x "$binary" ] || swift build -c release --product distill
has_packages() {
    "$python" -c '
import importlib.util, sys
sys.exit(not all(map(importlib.util.find_spec, ("torch", "torchvision", "PIL", "safetensors"))))
' 2>/dev/null
}
if ! has_packages && [ -z "${PYTHON:-}" ] && [ -x "$python" ]; then
    IFS=' ' read -r -a arguments <<<"${PIP_ARGS:-}"
    "$python" -m pip install --disable-pip-version-check --quiet \
        -r Benchmarks/requirements.txt ${arguments[@]+"${arguments[@]}"} >&2 || true
fi
has_packages || {
    echo "bench: error: $python lacks torch, torchvision, pillow or safetensors. Make a virtual" \
        "environment with them (pip install torch -r Benchmarks/requirements.txt) and set PYTHON" \
        "to its python." >&2
    exit 1
}
if [ "${1:-}" = --accuracy ]; then
    shift
    exec "$python" Benchmarks/evaluation_accuracy.py "$binary" "$@"
fi
exec "$python" Benchmarks/evaluation.py "$binary" "$@"
