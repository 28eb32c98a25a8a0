# Ends a run. Arguments: folder of the run.
cd "$1" || exit 74
: >cancelled
[ -s job_id ] || exit 0
scancel "$(cat job_id)"
