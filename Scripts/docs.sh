#!/usr/bin/env bash
#
# Writes the reference of the library's modules, one site for all of them, into .build/docs.
# Warnings, such as a link to a symbol that does not exist, are errors.
# In doc comments a symbol of another module is linked with its module: ``Torch/Tensor``.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly catalog=Documentation/Reference.docc graphs=.build/docs-graphs output=.build/docs

command -v docc >/dev/null || {
    echo "docs: error: there is no \`docc\` on the PATH; it comes with the toolchains of swift.org." >&2
    exit 1
}

# The C modules have no Swift symbols, and the extraction fails for them (it hands them the C++
# standard): what counts is that the library's modules are there.
rm -rf .build/*/symbolgraph $graphs $output
log=$(swift package -c release dump-symbol-graph --skip-synthesized-members 2>&1) || true
dumped=$(sed -n 's/^Files written to //p' <<<"$log")

# The modules of the library: every folder of Swift sources but the command's.
mkdir -p $graphs
for module in $(find Sources -name '*.swift' | cut -d / -f 2 | sort -u); do
    if [ "$module" = distill ]; then continue; fi
    if [ ! -e "$dumped/$module.symbols.json" ]; then
        printf '%s\n' "$log" "docs: error: no symbols of $module; see above." >&2
        exit 1
    fi
    find "$dumped" \( -name "$module.symbols.json" -o -name "$module@*.symbols.json" \) \
        -exec cp {} $graphs \;
    if ! grep -q "\`\`$module\`\`" $catalog/*.md; then
        echo "docs: error: $catalog names no module $module: add it with one sentence." >&2
        exit 1
    fi
done

docc convert $catalog --additional-symbol-graph-dir $graphs --output-dir $output \
    --fallback-display-name DatasetDistillation --fallback-bundle-identifier DatasetDistillation \
    --warnings-as-errors
echo "docs: $output is written; read it with"
echo "    python3 -m http.server --directory $output 8000" \
    "# then http://localhost:8000/documentation/datasetdistillation"
