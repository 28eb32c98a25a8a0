# How large runs are, with all they hold: `run<TAB>bytes`, one a line. Arguments: root, then runs.
cd "$1/runs" || exit 74
shift
for run in "$@"; do
  printf '%s\t%s\n' "$run" "$(du -s -B1 -- "$run" | cut -f 1)"
done
