# A virtual environment from a lock file, made once. Arguments: its folder, the lock file, python, modules by
# spaces, a folder of wheels or nothing.
env=$1 lock=$2 python=$3 modules=$4 wheels=$5
exec 9>"$env.lock"
flock 9
[ -e "$env/ready" ] && { echo known; exit 0; }
rm -rf "$env"
if [ -n "$modules" ]; then
  command -v module >/dev/null || . /etc/profile >/dev/null 2>&1
  for name in $modules; do module load "$name" || exit 1; done
fi
"$python" -m venv "$env" >&2 || { rm -rf "$env"; exit 1; }
options=(--quiet --disable-pip-version-check --no-input -r "$lock")
[ -z "$wheels" ] || options+=(--no-index --find-links "$wheels")
"$env/bin/python" -m pip install "${options[@]}" >&2 || { rm -rf "$env"; exit 1; }
: >"$env/ready"
echo made
