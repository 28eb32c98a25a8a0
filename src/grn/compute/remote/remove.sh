# Removes the folders of runs. Arguments: root, then runs. Each leaves the list of runs at once, or not at all.
cd "$1" || exit 74
shift
for run in "$@"; do
  exec 9>"incoming/$run.lock"
  flock 9
  rm -rf "incoming/$run" "incoming/.gone-$run" || exit 74
  mv "runs/$run" "incoming/.gone-$run" && rm -rf "incoming/.gone-$run" || exit 74
done
