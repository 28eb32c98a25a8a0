# When a job would start, seconds since 1970, by the queue's own estimate; and now. The script comes as $1.
date +%s
said=$(printf '%s' "$1" | sbatch --test-only 2>&1) || { printf '%s\n' "$said" >&2; exit 70; }
when=$(printf '%s\n' "$said" | sed -n 's/.* to start at \([0-9T:-]*\).*/\1/p' | head -n 1)
[ -n "$when" ] && date -d "$when" +%s
