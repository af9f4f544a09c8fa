#!/usr/bin/env bash
#
# Checks what a compiler does not: format, scripts, sizes. Needs no set-up but Swift.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly LARGEST_MEBIBYTES=8
failed=()

# Runs one check and remembers its name if it fails.
check() {
    local name=$1
    shift
    if "$@"; then echo "lint: $name: good"; else failed+=("$name"); fi
}

# `find`, for folders of which some may not exist.
files_in() { find "$@" 2>/dev/null || true; }

scripts_are_sound() {
    files_in .ci Scripts Benchmarks Tests -type f \( -name '*.sh' -o -path .ci/run \) -print0 |
        xargs -0 shellcheck --external-sources --
}

# Compiles to nowhere, so that no __pycache__ is left behind.
python_compiles() {
    files_in Benchmarks Scripts Tests -type f -name '*.py' -print0 | xargs -0 python3 -c '
import sys
for path in sys.argv[1:]:
    with open(path, "rb") as file:
        compile(file.read(), path, "exec", dont_inherit=True)
'
}

# Every byte of a repository's history is cloned for ever.
files_are_small() {
    local large
    # In a condition no error ends a function by itself.
    large=$(git ls-files -z | xargs -0 -I{} find {} -maxdepth 0 -type f -size +"$LARGEST_MEBIBYTES"M) ||
        return 1
    [ -z "$large" ] && return
    echo "lint: tracked files above $LARGEST_MEBIBYTES MiB:" "$large" >&2
    return 1
}

check "swift format" swift format lint --strict --recursive Package.swift Sources Tests Benchmarks
if command -v shellcheck >/dev/null; then
    check "shell scripts" scripts_are_sound
else
    echo "lint: shell scripts: not checked, there is no shellcheck"
fi
if command -v python3 >/dev/null; then check "Python scripts" python_compiles; fi
check "file sizes" files_are_small

if ((${#failed[@]} > 0)); then
    printf 'lint: failed: %s\n' "${failed[@]}" >&2
    exit 1
fi
