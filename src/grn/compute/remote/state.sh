# What the files of runs say, then what the queue says. Arguments: root, then runs (all without any).
root=$1
shift
cd "$root/runs" 2>/dev/null || exit 0
[ $# -gt 0 ] || set -- *
told() { cat "$1" 2>/dev/null || echo -; }
for run in "$@"; do
  [ -e "$run/manifest.json" ] || continue
  cancelled=-
  [ -e "$run/cancelled" ] && cancelled=cancelled
  for task in "$run"/tasks/*/; do
    task=${task%/}
    printf 'task\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$run" "$(told "$run/job_id")" "${task##*/}" \
      "$(told "$task/exit_code")" "$(told "$task/restarts")" "$cancelled" \
      "$(stat -c %s "$task/log" 2>/dev/null || echo 0)"
  done
done
if ! timeout 60 squeue -h -r -t all -u "$(id -un)" -o 'queue|%F|%K|%T|%r|%S' 2>/dev/null; then
  printf 'silent\n'
fi
