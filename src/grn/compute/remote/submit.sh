# What was sent becomes a run, once. Arguments: root, run, name in the queue, number of tasks.
# Prints `known ID` or `queued ID`; exit codes: 65 something arrived damaged, 70 the scheduler refused.
root=$1 run=$2 name=$3 tasks=$4
cd "$root" || exit 74
exec 9>"incoming/$run.lock"
flock 9
[ -s "runs/$run/job_id" ] && { echo "known $(cat "runs/$run/job_id")"; exit 0; }
if [ ! -d "runs/$run" ]; then
  # Without a file there is nothing to check, which sha256sum would complain about.
  [ ! -s "incoming/$run/files.sha256" ] \
    || (cd "incoming/$run/work" && sha256sum --quiet -c ../files.sha256 >&2) || exit 65
  for ((task = 0; task < tasks; task++)); do mkdir -p "incoming/$run/tasks/$task/out" || exit 74; done
  mv "incoming/$run" "runs/$run" || exit 74
fi
# A connection that broke here before may have left a job without its note.
job=$(squeue -h -n "$name" -o %F 2>/dev/null | head -n 1)
if [ -z "$job" ]; then
  if ! job=$(sbatch --parsable "runs/$run/job.sh"); then
    mv "runs/$run" "incoming/$run"
    exit 70
  fi
fi
job=${job%%;*}
printf '%s\n' "$job" >"runs/$run/job_id.part" && mv "runs/$run/job_id.part" "runs/$run/job_id" || exit 74
echo "queued $job"
