#!/usr/bin/env bash
# Everything that waits for a GPU, in one go of under eight minutes on an H100 or H200 with 16 cores.
#
#   bash benchmarks/gpu.sh OUT
#
# Writes JSON, a profile and a log of each step to OUT, which then go to benchmarks/. Where rmae is not installed, put
# the folder src on PYTHONPATH. PYTHON names another interpreter. A step that fails does not keep the next from running.
set -uo pipefail
out=$(realpath -m "${1:?name a folder for the results}")
cd "$(dirname "$0")/.."
mkdir -p "$out"
python=${PYTHON:-python3}
packed=$(mktemp -d)
trap 'rm -rf "$packed"' EXIT

step() {  # NAME SECONDS COMMAND...: run a step, at most so long, with its log
    local name=$1 seconds=$2
    shift 2
    local start=$SECONDS
    timeout -k 10 "$seconds" "$@" >"$out/$name.log" 2>&1
    echo "$name: exit $? after $((SECONDS - start)) s"
}
rmae=("$python" -m rmae)
big=(--accelerator gpu --precision bf16 --data "$packed/photographs")

step pack 30 "$python" -c "import rmae; rmae.pack(None, '$packed/photographs', regions=rmae.Felzenszwalb())"
step tests 60 "$python" -m pytest -q -m gpu -p no:cacheprovider tests/training/test_gpu.py tests/bench
step data 50 "${rmae[@]}" benchmark data "$packed/photographs" --batch-size 64 --repeats 3 --seconds 0.5 \
    --num-workers 1 4 16 --json "$out/data_gpu_machine.json"
step train_vit_b 200 "${rmae[@]}" benchmark train rmae-coco-vit-b-fh "${big[@]}" --batch-size 1024 --compile both \
    --repeats 3 --seconds 3 --json "$out/train_vit_b.json" --profile "$out/train_vit_b_profile.txt"
step train_vit_l 130 "${rmae[@]}" benchmark train rmae-coco-vit-l-fh "${big[@]}" --batch-size 384 --compile on \
    --repeats 3 --seconds 3 --json "$out/train_vit_l.json" --profile "$out/train_vit_l_profile.txt"
