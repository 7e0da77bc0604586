#!/bin/bash
# Pre-train on several machines under Slurm, and go on by itself whenever the job is pre-empted or its time is over.
#
#   sbatch examples/slurm.sh DATA OUT [PRESET] [flags of rmae pretrain]
#
# DATA and OUT are folders that all machines see under the same path.
#SBATCH --job-name=rmae
#SBATCH --nodes=2
#SBATCH --ntasks-per-node=8        # one process for each GPU
#SBATCH --gpus-per-node=8          # and not --gpus-per-task: each process must see all GPUs of its machine
#SBATCH --cpus-per-task=12         # workers that read images
#SBATCH --time=24:00:00
#SBATCH --signal=TERM@120          # two minutes to save; all processes must reach a log step in that time
#SBATCH --requeue
#SBATCH --open-mode=append

set -u
data=$1
out=$2
shift 2

resume=()
if [ -e "$out/config.json" ]; then
    resume=(--resume)
fi

export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK  # since Slurm 22.05 srun does not take it from sbatch

# Code 3 is no failure: the first process to end with it must not have Slurm end the others, which then end with another.
# They notice by themselves when one fails; --wait is for those that cannot, and leaves time for the report.
srun --kill-on-bad-exit=0 --wait=600 --distribution=block \
    rmae pretrain "$@" --data "$data" --out "$out" ${resume[@]+"${resume[@]}"}
code=$?

# 3: stopped by a signal, with its state saved.
if [ "$code" -eq 3 ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
