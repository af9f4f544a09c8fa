#!/usr/bin/env bash
#
# Makes this checkout ready to build: checks the tools, installs what is missing, and points the
# link `.libtorch` at a libtorch. Safe to run again, and quick when nothing is to do.
#
#   Scripts/setup.sh [--keep]
#
#   --keep          stay with the libtorch that an earlier set-up took from LIBTORCH
#                   (so do the other targets of the Makefile; `make setup` decides anew)
#
# Environment:
#   LIBTORCH=DIR    use this libtorch, a folder with include/ and lib/; no .venv is made
#   PIP_ARGS=...    more arguments for `pip install`, such as an index with CPU-only builds
#   PYTHON=FILE     the Python that makes .venv (default: the first of python3, python3.14, ...)
set -euo pipefail

readonly TORCH_VERSION=2.13.0 # the one place that pins it
readonly TORCH_OLDEST=2.11 TORCH_NEWEST=2.15 # what the sources compile against
readonly SWIFT_OLDEST=6.2 PYTHON_OLDEST=3.10
readonly BUILD_MEGABYTES=2000 # a release build with its tests, with room to spare

cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf 'setup: %s\n' "$*" >&2; }
die() {
    printf 'setup: error: %s\n' "$*" >&2
    exit 1
}

# Whether version $1 is at least version $2; both are MAJOR.MINOR with anything after it.
at_least() {
    local -a have want
    IFS=. read -r -a have <<<"$1"
    IFS=. read -r -a want <<<"$2"
    ((have[0] > want[0] || (have[0] == want[0] && have[1] >= want[1])))
}

# Stops unless $1 megabytes are free in the checkout; $2 says what for.
need_disk() {
    local free
    free=$(df -Pk . | awk 'NR == 2 { print int($4 / 1024) }')
    ((free >= $1)) || die "$2 needs about $1 MB of free disk, and $PWD has $free MB." \
        "Free some space or move the checkout."
}

# shellcheck source=Scripts/setup-packages.sh
. Scripts/setup-packages.sh

# --- Swift ---------------------------------------------------------------------------------------

check_swift() {
    local how='Install it from https://www.swift.org/install (Linux: swiftly; macOS: Xcode 26).'
    command -v swift >/dev/null || die "Swift $SWIFT_OLDEST or later is needed, and there is no" \
        "\`swift\` on the PATH. $how"
    swift_version=$(swift --version 2>/dev/null |
        sed -n 's/.*Swift version \([0-9]*\.[0-9][0-9.]*\).*/\1/p' | head -n 1)
    [ -n "$swift_version" ] || die "\`swift --version\` does not tell its version: the Swift" \
        "installation at $(command -v swift) does not work. $how"
    at_least "$swift_version" "$SWIFT_OLDEST" || die "Swift $SWIFT_OLDEST or later is needed, and" \
        "$(command -v swift) is $swift_version. $how"
}

# --- libtorch ------------------------------------------------------------------------------------

# Sets `python` to a Python that can make a virtual environment.
find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 python3.10}; do
        if "$candidate" - "$PYTHON_OLDEST" 2>/dev/null <<'PYTHON'; then
import sys, venv, ensurepip
sys.exit(sys.version_info[:2] < tuple(map(int, sys.argv[1].split("."))))
PYTHON
            python=$candidate
            return
        fi
    done
    return 1
}

# Prints the version of the libtorch in folder $1, from its headers.
torch_version() {
    local header
    for header in headeronly/version.h version.h csrc/api/include/torch/version.h; do
        header=$1/include/torch/$header
        if grep -qs 'define TORCH_VERSION_MAJOR' "$header"; then
            awk '/define TORCH_VERSION_(MAJOR|MINOR|PATCH) / { v = v s $3; s = "." } END { print v }' \
                "$header"
            return
        fi
    done
}

# Stops unless the sources compile against the libtorch in folder $1.
check_libtorch() {
    local library version
    local remedy="Unset LIBTORCH and run \`make setup\` for torch $TORCH_VERSION in .venv, or set it"
    remedy+=" to what \`python3 -c 'import os, torch; print(os.path.dirname(torch.__file__))'\` prints."
    library=$1/lib/libc10.so
    if [ "$(uname)" = Darwin ]; then library=$1/lib/libc10.dylib; fi
    if [ ! -e "$1/include/ATen/ATen.h" ] || [ ! -e "$library" ]; then
        die "there is no libtorch in $1: it has no include/ATen/ATen.h or no ${library#"$1"/}. $remedy"
    fi
    version=$(torch_version "$1")
    if ! at_least "${version:-0.0}" $TORCH_OLDEST || ! at_least $TORCH_NEWEST "$version"; then
        die "the libtorch in $1 is ${version:-of an unknown version}, and this project compiles" \
            "against $TORCH_OLDEST to $TORCH_NEWEST. $remedy"
    fi
    # std::string is a name of its own in the new ABI of libstdc++: look for it in a function that
    # every libtorch exports.
    if [ "$(uname)" = Linux ] &&
        ! LC_ALL=C grep -q 'torchCheckFailEPKcS2_jRKNSt7__cxx11' "$library"; then
        die "the libtorch in $1 was built with the old C++ ABI (_GLIBCXX_USE_CXX11_ABI=0) and does" \
            "not link with what the compilers here make. Every build of torch on PyPI since 2.7 has" \
            "the new one. $remedy"
    fi
}

# Says what pip is going to download and checks that it fits.
announce_download() {
    local megabytes=2800 unpacked=4900 build='the CUDA build, the default on Linux'
    local folder wheel tag settings
    settings="${PIP_ARGS:-} $(.venv/bin/python -m pip config list 2>/dev/null)"
    tag=$(.venv/bin/python -c 'import sys; print("cp%d%d" % sys.version_info[:2])')
    if [ "$(uname)" = Darwin ]; then
        megabytes=150 unpacked=700 build='the build for macOS'
    fi
    case $settings in
        *whl/cpu*) megabytes=220 unpacked=1000 build='a CPU-only build' ;;
        *)
            # A wheel in a local folder of pip's `find-links` comes first.
            for folder in ${PIP_FIND_LINKS:-} $(.venv/bin/python -m pip config get global.find-links 2>/dev/null); do
                for wheel in "$folder/torch-$TORCH_VERSION"*"-$tag-"*.whl; do
                    if [ -e "$wheel" ]; then
                        megabytes=$(($(wc -c <"$wheel") / 1000000 + 30)) build="from $wheel"
                        unpacked=$((5 * megabytes))
                    fi
                done
            done
            ;;
    esac
    say "torch $TORCH_VERSION and what it needs: about $megabytes MB to download, $unpacked MB" \
        "unpacked ($build)"
    if ((megabytes > 1000)); then
        say "a CPU-only build is about 220 MB: interrupt this and set" \
            "PIP_ARGS='--index-url https://download.pytorch.org/whl/cpu'"
    fi
    need_disk $((megabytes + unpacked)) "torch"
}

# Makes `.venv` hold the pinned torch, and sets `libtorch` to its folder.
install_torch() {
    local stamp=.venv/.setup-complete recorded=''
    local -a arguments=()
    if [ -x .venv/bin/python ]; then
        recorded=$(cat $stamp 2>/dev/null || true)
        for libtorch in .venv/lib/python3*/site-packages/torch; do :; done
        if [ "${recorded%% *}" = "torch==$TORCH_VERSION" ] &&
            [ "$(torch_version "$libtorch")" = "$TORCH_VERSION" ] &&
            [ "${PIP_ARGS:-${recorded#* }}" = "${recorded#* }" ]; then
            return 0
        fi
    fi

    rm -f $stamp
    if [ -n "$recorded" ] && [ "${PIP_ARGS:-${recorded#* }}" != "${recorded#* }" ]; then
        say "PIP_ARGS changed: making .venv anew"
        rm -rf .venv
    fi
    if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
        find_python || die "Python $PYTHON_OLDEST or later with its module venv is needed to install" \
            "torch. Set PYTHON to one, or LIBTORCH to a libtorch."
        say "making .venv with $("$python" --version)"
        "$python" -m venv --clear .venv
    fi
    if ! .venv/bin/python -c 'import torch, numpy' 2>/dev/null; then announce_download; fi
    IFS=' ' read -r -a arguments <<<"${PIP_ARGS:-}"
    .venv/bin/python -m pip install --disable-pip-version-check "torch==$TORCH_VERSION" numpy \
        ${arguments[@]+"${arguments[@]}"} >&2 ||
        die "pip could not install torch $TORCH_VERSION for $(.venv/bin/python --version); its messages" \
            "are above. Another Python is chosen with PYTHON, another index or a folder of wheels" \
            "with PIP_ARGS, a libtorch that is there already with LIBTORCH."
    for libtorch in .venv/lib/python3*/site-packages/torch; do :; done
    check_libtorch "$libtorch"
    [ "$(torch_version "$libtorch")" = "$TORCH_VERSION" ] || die "pip says that torch $TORCH_VERSION" \
        "is in .venv, but its headers are those of another version. Delete .venv and run this again."
    printf 'torch==%s %s\n' "$TORCH_VERSION" "${PIP_ARGS:-}" >$stamp
}

# --- All of it -----------------------------------------------------------------------------------

keep=false
case ${1:-} in
    --keep) keep=true ;;
    -h | --help)
        sed -n '3,/^set /{/^set /d;s/^# \{0,1\}//p;}' "${BASH_SOURCE[0]}"
        exit
        ;;
    '') ;;
    *) die "unknown argument $1; see Scripts/setup.sh --help." ;;
esac

if [ -e .libtorch ] && [ ! -L .libtorch ]; then
    die ".libtorch is to be a link, and something else is in its place: move it away."
fi
libtorch=${LIBTORCH:-}
if [ -z "$libtorch" ] && $keep && [ -L .libtorch ]; then
    case $(readlink .libtorch) in
        .venv/*) ;;
        *) libtorch=$(readlink .libtorch) ;;
    esac
fi

check_swift
install_packages

# What was compiled in another place refers to that place, and does not compile any more.
if [ "$(cat .build/.checkout 2>/dev/null || pwd -P)" != "$(pwd -P)" ]; then
    say "this checkout was moved: removing .build"
    rm -rf .build
fi
if [ ! -e .build/.checkout ]; then mkdir -p .build && pwd -P >.build/.checkout; fi
if [ ! -e .build/release ]; then need_disk $BUILD_MEGABYTES "the build"; fi
if [ -n "$libtorch" ]; then
    check_libtorch "$libtorch"
    libtorch=$(cd "$libtorch" && pwd -P)
    libtorch=${libtorch#"$(pwd -P)/"}
else
    install_torch
fi
if [ "$(readlink .libtorch || true)" != "$libtorch" ]; then ln -sfn "$libtorch" .libtorch; fi

kind='CPU build'
if [ -e .libtorch/lib/libtorch_cuda.so ]; then kind='CUDA build'; fi
say "ready: Swift $swift_version, libtorch $(torch_version .libtorch) ($kind) in $libtorch"
