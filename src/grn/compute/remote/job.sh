# The body of every job, below its directives and variables (see grn.compute.script):
#   GRN_DIR       folder of the run        GRN_COMMAND   what to run, a line of bash
#   GRN_PATH      in front of PATH         GRN_MODULES   modules to load, by spaces
#   GRN_RESUMES   how often it may be queued again
# Files that say how it went: tasks/K/exit_code is written last and is the truth. A task of exit code 75 has
# saved a checkpoint and wants to go on: it is queued again and finds its folder as it left it.

task=${SLURM_ARRAY_TASK_ID:-0}
here=$GRN_DIR/tasks/$task
restarts=${SLURM_RESTART_COUNT:-0}
export GRN_TASK=$task GRN_TASKS GRN_RESTARTS=$restarts GRN_OUT=$here/out

[ -e "$here/exit_code" ] && exit 0   # queued again after it had ended
[ -e "$GRN_DIR/cancelled" ] && exit 0
mkdir -p "$GRN_OUT" || exit 74
# A connection that broke while the job was queued has left it without its note.
[ -s "$GRN_DIR/job_id" ] || printf '%s\n' "${SLURM_ARRAY_JOB_ID:-$SLURM_JOB_ID}" >"$GRN_DIR/job_id"
# Room for the last words, given back when the disk is full by then.
[ -e "$here/reserve" ] || head -c 65536 /dev/zero >"$here/reserve"
exec >>"$here/log" 2>&1 </dev/null
printf '%s\n' "$restarts" >"$here/restarts"

end() {
  local code=$1
  rm -f "$here/reserve" "$here/results.part"
  if ! (
    set -o pipefail
    cd "$GRN_OUT" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 -r sha256sum -bz -- >"$here/results.part"
  ); then
    echo "grn: the results could not be listed: is the disk full?"
    rm -f "$here/results.part"
    [ "$code" = 0 ] && code=74
  else
    mv -f "$here/results.part" "$here/results.sha256"
  fi
  printf '%s\n' "$code" >"$here/exit_code.part" && sync "$here/exit_code.part"
  mv -f "$here/exit_code.part" "$here/exit_code"
  exit 0
}

if [ -n "$GRN_MODULES" ]; then
  command -v module >/dev/null || . /etc/profile >/dev/null 2>&1
  for name in $GRN_MODULES; do
    module load "$name" || { echo "grn: no module $name on $(hostname)"; end 69; }
  done
fi
[ -z "$GRN_PATH" ] || PATH=$GRN_PATH:$PATH
# With these a shell takes itself for one that sshd began, and reads ~/.bashrc (bash(1)), which may set PATH anew.
unset SSH_CLIENT SSH2_CLIENT SSH_CONNECTION
cd "$GRN_DIR/work" || end 74

# A group of its own, so that the signal before the end reaches every process of the command and not only the
# first. The shell around it stays to see how it ends; it cannot ignore the signal, which those below would inherit.
set -m
bash -c 'trap : USR1; eval "$GRN_COMMAND"' &
child=$!
set +m
trap 'signalled=yes; kill -USR1 -- "-$child" 2>/dev/null' USR1
trap 'kill -TERM -- "-$child" 2>/dev/null; exit 143' TERM
code=127 signalled=yes
while [ -n "$signalled" ]; do
  # A signal ends `wait` with a code of its own. Whether the command is still there does not tell the two apart:
  # bash may have buried it meanwhile. So it is asked again, and 127 says that it was answered before.
  signalled=
  wait "$child"
  got=$?
  [ "$got" = 127 ] || code=$got
done

if [ "$code" = 75 ]; then
  if [ "$restarts" -ge "$GRN_RESUMES" ]; then
    echo "grn: queued again $restarts times already, and no more are allowed"
    end 75
  fi
  # Nothing may come after a requeue: the next attempt can begin before this script has ended.
  scontrol requeue "$SLURM_JOB_ID" && exit 0
  echo "grn: the scheduler does not queue it again"
  end 75
fi
end "$code"
