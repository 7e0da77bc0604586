#!/usr/bin/env bash
# The paper's downstream recipes on a GPU, some updates of each, in one go of under eight minutes on an H100 or H200.
#
#   bash benchmarks/gpu_evaluate.sh OUT
#
# Each task leaves its folder (metrics.jsonl has images a second) and a log in OUT. Where rmae is not installed, put the
# folder src on PYTHONPATH. PYTHON names another interpreter. A task that fails does not keep the next from running.
set -uo pipefail
out=$(realpath -m "${1:?name a folder for the results}")
cd "$(dirname "$0")/.."
mkdir -p "$out"
python=${PYTHON:-python3}
data=$(mktemp -d)
trap 'rm -rf "$data"' EXIT

step() {  # NAME SECONDS COMMAND...: run a step, at most so long, with its log
    local name=$1 seconds=$2
    shift 2
    local start=$SECONDS
    timeout -k 10 "$seconds" "$@" >"$out/$name.log" 2>&1
    echo "$name: exit $? after $((SECONDS - start)) s"
}
rmae=("$python" -m rmae)
paper=(--size paper --accelerator gpu --log-every 5)

step scenes 60 "${rmae[@]}" scenes "$data/scenes" --img-size 512 --num-train 64 --num-val 8
step classes 30 "${rmae[@]}" scenes "$data/classes" --layout imagenet --img-size 224 --num-train 512 --num-val 64
step finetune 110 "${rmae[@]}" evaluate finetune scratch --data "$data/classes" --out "$out/finetune" "${paper[@]}" \
    --batch-size 256 --epochs None --updates 30
step knn 60 "${rmae[@]}" evaluate knn scratch --data "$data/classes" --out "$out/knn" --size paper --accelerator gpu
step segment 110 "${rmae[@]}" evaluate segment scratch --data "$data/scenes" --out "$out/segment" "${paper[@]}" --updates 30
step detect 60 "${rmae[@]}" evaluate detect scratch --data "$data/scenes" --out "$out/detect" "${paper[@]}" \
    --batch-size 8 --epochs None --updates 20 --checkpoint-every 10
step detect_resumed 40 "${rmae[@]}" evaluate detect scratch --data "$data/scenes" --out "$out/detect" --resume \
    --size paper --epochs None --updates 30
