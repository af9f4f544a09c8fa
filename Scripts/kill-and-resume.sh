#!/usr/bin/env bash
# Kills a shortened demo with SIGKILL at random moments, resumes it each time, and compares every
# surrogate image, the final weights and the accuracies with those of an uninterrupted run.
#
#   Scripts/kill-and-resume.sh [KILLS] [SEED]              (default: 20 kills, seed 1)
#   Scripts/kill-and-resume.sh KILLS SEED methods [PRIOR]
#
# With `methods` the run is one of all methods, much shortened, and trains no networks on their images;
# GLaD is among them where its prior is named, such as Weights/taesd3.
set -euo pipefail
cd "$(dirname "$0")/.."

kills=${1:-20}
RANDOM=${2:-1}
distill=${DISTILL:-.build/release/distill}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

settings=(
    --set finetune.minimax.steps=60 --set finetune.minimax.emaDecay=0.98
    --set finetune.checkpointEvery=3 --set sample.steps=8 --set sample.imagesPerClass=2
    --set sample.batchSize=4 --set evaluate.epochs=12 --set evaluate.evaluations=1
    --set evaluate.seeds='[0,1]'
)
if [ "${3:-}" = methods ]; then
    methods='random, k-center, herding, dit, dm, idc-1, idc'
    if [ -n "${4:-}" ]; then
        methods="$methods, glad"
        settings+=(
            --set glad.prior="$4" --set glad.iterations=6 --set glad.realBatchSize=16
            --set glad.checkpointEvery=2
        )
    fi
    settings+=(
        --set baselines="[$methods]" --set evaluate.networks='[]' --set coreset.features=pixels
        --set dm.iterations=20 --set dm.realBatchSize=16 --set dm.checkpointEvery=3
        --set idc.network=convnet-3 --set idc.factor=2 --set idc.networks=2
        --set idc.matchesPerNetwork=2 --set idc.earlyEpochs=0 --set idc.networkImages=64
        --set idc.imageLearningRate=0.005 --set idc.checkpointEvery=1
    )
fi
# Takes the place of its shell: a signal to that reaches the command itself.
start() {
    exec "$distill" run Recipes/fashion-mnist-demo.yaml --device cpu --quiet "${settings[@]}" -o "$1"
}
run() { (start "$1"); }

# sha256 of what must not depend on interruptions.
outcome() {
    (cd "$1" && find surrogate baselines -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum)
    sha256sum < "$1/checkpoints/finetuned.safetensors"
    python3 - "$1/results.json" <<'PYTHON'
import json, sys
# What was optimised is told once it is done.
for c in json.load(open(sys.argv[1]))["costs"]:
    print(c["stage"], c.get("optimizedValues"), c.get("meanChange"))
for r in json.load(open(sys.argv[1]))["results"]:
    print(r["method"], r["network"], r["last"]["values"], r["best"]["values"])
PYTHON
}

echo "an uninterrupted run ..."
start=$(date +%s%N)
run "$work/whole" > /dev/null
milliseconds=$((($(date +%s%N) - start) / 1000000))
outcome "$work/whole" > "$work/expected"

echo "$kills kills over runs of about $milliseconds ms ..."
done_kills=0
round=0
while [ "$done_kills" -lt "$kills" ]; do
    round=$((round + 1))
    folder="$work/run-$round"
    finished=0
    while [ "$finished" -eq 0 ]; do
        # In the background and without job control, so that nothing is printed about the kill.
        start "$folder" > /dev/null 2> "$work/errors" &
        process=$!
        # A moment within the run, start-up included.
        sleep "$(awk -v ms=$((RANDOM * (milliseconds + 1) / 32768)) 'BEGIN { print ms / 1000 }')"
        if [ "$done_kills" -lt "$kills" ] && kill -KILL "$process" 2> /dev/null; then
            done_kills=$((done_kills + 1))
            wait "$process" 2> /dev/null || true
            if [ "$done_kills" -eq "$kills" ]; then
                run "$folder" > /dev/null
                finished=1
            fi
        elif wait "$process"; then
            finished=1
        else
            echo "a resumed run failed:" >&2
            cat "$work/errors" >&2
            exit 1
        fi
    done
    outcome "$folder" > "$work/found"
    if ! diff "$work/expected" "$work/found"; then
        echo "run $round differs after $done_kills kills" >&2
        exit 1
    fi
    echo "run $round is the same ($done_kills kills so far)"
done
echo "all the same"
