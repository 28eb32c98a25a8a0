# Tasks of a run that has ended, once more. Arguments: root, run, name in the queue, tasks of the run, those that
# are meant, by commas. Their logs and results stay and are gone on with. Prints `queued ID` or `known ID`.
root=$1 run=$2 name=$3 tasks=$4 again=$5
cd "$root" || exit 74
exec 9>"incoming/$run.lock"
flock 9
# A connection that broke here before may have left a job without its note.
job=$(squeue -h -n "$name" -o %F 2>/dev/null | head -n 1)
word=known
if [ -z "$job" ]; then
  word=queued
  for task in ${again//,/ }; do
    # Before it is queued: a task that finds its exit code takes itself for one that has ended.
    [ ! -e "runs/$run/tasks/$task/exit_code" ] \
      || mv "runs/$run/tasks/$task/exit_code" "runs/$run/tasks/$task/exit_code.before" || exit 74
  done
  [ ! -e "runs/$run/cancelled" ] || mv "runs/$run/cancelled" "runs/$run/cancelled.before"
  options=()
  [ "$tasks" = 1 ] || options=("--array=$again")
  if ! job=$(sbatch --parsable "${options[@]}" "runs/$run/job.sh"); then
    for old in "runs/$run"/cancelled.before "runs/$run"/tasks/*/exit_code.before; do
      [ ! -e "$old" ] || mv "$old" "${old%.before}"
    done
    exit 70
  fi
fi
job=${job%%;*}
printf '%s\n' "$job" >"runs/$run/job_id.part" && mv "runs/$run/job_id.part" "runs/$run/job_id" || exit 74
rm -f "runs/$run/cancelled.before" "runs/$run"/tasks/*/exit_code.before
echo "$word $job"
