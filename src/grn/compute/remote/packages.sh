# Versions in an environment, one a line, `name<TAB>version`. Arguments: its folder, modules by spaces, names.
env=$1 modules=$2
shift 2
if [ -n "$modules" ]; then
  command -v module >/dev/null || . /etc/profile >/dev/null 2>&1
  for name in $modules; do module load "$name" >/dev/null 2>&1; done
fi
"$env/bin/python" - "$@" <<'PYTHON'
import platform, sys
from importlib import metadata

print("python", platform.python_version(), sep="\t")
for name in sys.argv[1:]:
    try:
        print(name, metadata.version(name), sep="\t")
    except metadata.PackageNotFoundError:
        pass
PYTHON
