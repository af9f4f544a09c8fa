# shellcheck shell=bash
#
# The part of setup.sh about packages of the system: compiler, image libraries, gnuplot, data.
# It probes for the parts themselves, so that it does not matter where they came from, and turns to
# the package manager only for what is missing. Uses what setup.sh defines before.

: "${keep:=false}" "${libtorch:=}" "${PYTHON_OLDEST:?}"
readonly DATASET=/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz

# The C++ compiler that Swift uses, or another one.
find_compiler() {
    local candidate
    for candidate in "$(dirname "$(command -v swift)")/clang++" clang++ c++ g++; do
        command -v "$candidate" && return
    done
    return 1
}

compiles() {
    printf '#include <%s>\n' "$@" | "$compiler" -std=c++20 -x c++ -fsyntax-only - 2>/dev/null
}

# Whether header $1 is there: asks the compiler, or looks where one would if there is none.
has_header() {
    if [ -n "$compiler" ]; then
        compiles cstdio "$1"
    else
        [ -e "/usr/include/$1" ] || [ -e "/usr/local/include/$1" ]
    fi
}

# Names what is missing: in `required` what a build needs, in `optional` what only some commands do.
find_missing() {
    required='' optional=''
    compiler=$(find_compiler) || compiler=''
    if [ -z "$compiler" ] || ! compiles cstdio span jpeglib.h png.h zlib.h; then
        if [ -z "$compiler" ] || ! compiles cstdio span; then required=' compiler' compiler=''; fi
        has_header jpeglib.h || required+=' jpeg'
        has_header png.h || required+=' png'
        has_header zlib.h || required+=' zlib'
    fi
    command -v git >/dev/null || required+=' git'
    if [ -z "$libtorch" ] && [ ! -x .venv/bin/python ] && ! find_python; then required+=' python'; fi
    command -v gnuplot >/dev/null || optional+=' gnuplot'
    command -v curl >/dev/null || optional+=' curl'
    [ -e "$DATASET" ] || optional+=' dataset'
}

# The names that the system's package manager has for the parts in "$@".
package_names() {
    local part name
    for part in "$@"; do
        case $manager-$part in
            apt-get-compiler) name=g++ ;;
            apt-get-jpeg) name=libjpeg-dev ;;
            apt-get-png) name=libpng-dev ;;
            apt-get-zlib) name=zlib1g-dev ;;
            apt-get-python) name=python3-venv ;;
            apt-get-gnuplot) name=gnuplot-nox ;;
            apt-get-dataset) name=dataset-fashion-mnist ;;
            dnf-compiler) name=gcc-c++ ;;
            dnf-jpeg) name=libjpeg-turbo-devel ;;
            dnf-png) name=libpng-devel ;;
            dnf-zlib) name=zlib-devel ;;
            brew-jpeg) name=jpeg-turbo ;;
            brew-png) name=libpng ;;
            brew-compiler | brew-zlib) continue ;; # Xcode's
            *-python) name=python3 ;;
            *-dataset) continue ;; # only Debian packs it
            *) name=$part ;;
        esac
        printf '%s ' "$name"
    done
}

# Installs the Debian packages for the parts in "$@"; fails if that cannot be done here.
apt_install() {
    local -a packages
    local -a as_root=(env)
    [ "$manager" = apt-get ] || return 1
    if [ "$(id -u)" != 0 ]; then
        if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then return 1; fi
        as_root=(sudo -n env)
    fi
    as_root+=(DEBIAN_FRONTEND=noninteractive apt-get -qq -o Dpkg::Use-Pty=0)
    IFS=' ' read -r -a packages <<<"$(package_names "$@")"
    say "installing Debian packages: ${packages[*]}"
    "${as_root[@]}" update >&2 &&
        "${as_root[@]}" install -y --no-install-recommends "${packages[@]}" >&2
}

# shellcheck disable=SC2086 # the lists of parts are split on purpose
install_packages() {
    local packages command failed=.build/packages-not-installed
    find_missing
    [ -n "$required$optional" ] || return 0

    manager=other
    for command in brew apt-get dnf; do
        if command -v "$command" >/dev/null; then manager=$command && break; fi
    done
    case $required in *python*)
        [ -z "${PYTHON:-}" ] ||
            die "PYTHON=$PYTHON is no Python $PYTHON_OLDEST or later with the modules venv and ensurepip."
        ;;
    esac
    if [ -n "$required" ] && apt_install $required; then find_missing; fi
    # What the build does without is tried once, and again by `make setup`.
    if [ -z "$required" ] && [ -n "$optional" ] &&
        { ! $keep || [ "$optional" != "$(cat $failed 2>/dev/null)" ]; }; then
        if apt_install $optional; then
            rm -f $failed
        else
            mkdir -p .build && printf '%s\n' "$optional" >$failed
        fi
        find_missing
    fi

    local install="sudo $manager install"
    case $manager in
        brew) install='brew install' ;;
        other) install='install' ;;
    esac
    if [ -n "$required" ]; then
        packages=$(package_names $required $optional)
        case $manager$required in
            brew*compiler*) install="xcode-select --install; $install" ;;
        esac
        required=${required/python/Python $PYTHON_OLDEST or later with venv}
        die "to build, this is missing:$required. Please run" \
            "\`$install ${packages% }\` and then this again."
    fi
    case $optional in *gnuplot*)
        say "warning: gnuplot is missing, and the report's curves need it" \
            "(\`$install $(package_names gnuplot | tr -d ' ')\`)."
        ;;
    esac
    case $optional in *curl*) say "warning: curl is missing, and \`distill fetch\` needs it." ;; esac
    case $optional in *dataset*)
        say "warning: Fashion-MNIST is not in $(dirname $DATASET): \`make demo\` needs Debian's" \
            "package dataset-fashion-mnist, or the path of your copy (see \`make help\`)."
        ;;
    esac
}
