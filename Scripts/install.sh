#!/usr/bin/env bash
#
# Installs the built command so that it runs without this checkout:
#
#   PREFIX/bin/distill
#   PREFIX/lib/distill/torch    libtorch: a copy of the one in .venv, a link to any other
#   PREFIX/lib/distill/swift    the Swift runtime, where the system has none
#   PREFIX/share/distill        recipes, resources, licences
#
# The binary looks for its libraries in ../lib/distill from where it lies (see Package.swift), so
# PREFIX may move as a whole. DESTDIR is put before PREFIX, for those who make packages.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly binary=.build/release/distill
prefix=${DESTDIR:-}${1:?usage: Scripts/install.sh PREFIX}
readonly library=$prefix/lib/distill share=$prefix/share/distill

die() {
    printf 'install: error: %s\n' "$*" >&2
    exit 1
}

[ -x $binary ] || die "$binary is missing: run \`make build\` first."
for folder in "$prefix/bin" "$prefix/lib" "$prefix/share"; do
    if ! mkdir -p "$folder" 2>/dev/null || [ ! -w "$folder" ]; then
        die "$folder is not writable. Choose another place, such as" \
            "\`make install PREFIX=\$HOME/.local\`, or become root."
    fi
done

# Copies the shared libraries of folder $1 that a C++ program needs into folder $2.
copy_libraries() {
    mkdir -p "$2"
    find -L "$1" -maxdepth 1 -type f \( -name '*.so' -o -name '*.so.*' -o -name '*.dylib' \) \
        ! -name 'libtorch_python*' ! -name 'libshm.*' ! -name 'lib*_test.*' \
        ! -name 'libbackend_with_compiler.*' ! -name 'libaoti_custom_ops.*' \
        -exec cp {} "$2" \;
}

torch=$(cd .libtorch && pwd -P) || die "the link .libtorch leads nowhere: run \`make setup\` first."

rm -rf "$library" "$share"
mkdir -p "$library" "$share/licences"

packages=$(dirname "$torch")
case $torch in
    "$(pwd -P)"/*)
        echo "install: copying libtorch out of .venv"
        copy_libraries "$torch/lib" "$library/torch/lib"
        # Libraries that libtorch finds beside itself: its own, and those of a CUDA build.
        for folder in "$packages"/torch.libs "$packages"/nvidia/*/lib; do
            if [ -d "$folder" ]; then copy_libraries "$folder" "$library${folder#"$packages"}"; fi
        done
        for folder in "$packages"/torch-*.dist-info/licenses; do
            if [ -d "$folder" ]; then cp -R "$folder" "$share/licences/torch"; fi
        done
        ;;
    *)
        echo "install: linking to the libtorch in $torch, which has to stay there"
        ln -s "$torch" "$library/torch"
        ;;
esac

if command -v ldd >/dev/null; then
    mkdir -p "$library/swift"
    ldd $binary | awk '$3 ~ /\/lib\/swift\// { print $3 }' | while read -r runtime; do
        cp "$runtime" "$library/swift"
    done
fi

cp LICENSE Documentation/licences.md "$share/licences"
for checkout in .build/checkouts/*/; do
    name=$(basename "$checkout")
    mkdir -p "$share/licences/$name"
    find "$checkout" -maxdepth 1 \( -name 'LICENSE*' -o -name 'NOTICE*' \) \
        -exec cp {} "$share/licences/$name" \;
done
for folder in Recipes Grids Resources; do
    if [ -d $folder ]; then cp -R $folder "$share"; fi
done
# What `distill doctor` and the provenance of runs say.
git rev-parse HEAD >"$share/Resources/installed-commit.txt" 2>/dev/null || true

rm -f "$prefix/bin/distill"
cp $binary "$prefix/bin/distill"
if command -v ldd >/dev/null && ldd "$prefix/bin/distill" | grep 'not found' >&2; then
    die "the installed command does not find the libraries above."
fi
echo "install: $prefix/bin/distill is ready ($(du -shc "$library" "$share" "$prefix/bin/distill" | awk 'END { print $1 }'));" \
    "to remove it, delete that, $library and $share"
