# A log from a byte on, until its task has ended. Arguments: folder of the run, task, offset.
# It ends by itself when nobody listens: the pause is a read from the listener, whose end is noticed.
# Exit code 0 only when all was said.
run=$1 here=$1/tasks/$2 offset=$3
beats=0 every=10
while :; do
  over=
  [ -e "$run/cancelled" ] && every=2
  [ -e "$here/exit_code" ] && over=yes
  if [ -z "$over" ] && [ $((beats % every)) = $((every - 1)) ]; then
    state=$(timeout 60 squeue -h -r -t all -j "$(cat "$run/job_id")" -o '%K %T' 2>&1 \
      | grep -e "^$2 " -e '^N/A ' -e 'Invalid job id')
    case $state in
      *Invalid* | *COMPLETED* | *FAILED* | *CANCELLED* | *TIMEOUT* | *DEADLINE* | *OUT_OF_MEMORY*)
        # Its last words may still be on their way.
        [ -n "$gone" ] && over=yes
        gone=yes every=2
        ;;
      *) gone='' every=10 ;;
    esac
  fi
  size=$(stat -c %s "$here/log" 2>/dev/null || echo 0)
  if [ "$size" -gt "$offset" ]; then
    tail -c "+$((offset + 1))" "$here/log" | head -c "$((size - offset))" || exit 3
    offset=$size
  fi
  [ -z "$over" ] || exit 0
  beats=$((beats + 1))
  read -r -t 0.5 _
  [ $? -gt 128 ] || exit 4
done
