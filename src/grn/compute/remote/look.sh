# What is there: facts, one a line, `name<TAB>value`. Arguments: root, python, modules by spaces.
root=$1 python=$2 modules=$3
fact() { printf '%s\t%s\n' "$1" "$2"; }
mkdir -p "$root/runs" "$root/incoming" "$root/envs" 2>/dev/null || fact unwritable "$root"
cd "$root" 2>/dev/null || cd
fact root "$PWD"
[ -w . ] || fact unwritable "$PWD"
fact free "$(df -Pk . | awk 'NR == 2 { printf "%.0f", $4 * 1024 }')"
fact inodes "$(df -Pi . | awk 'NR == 2 { print $4 }')"
for program in sbatch squeue scancel scontrol rsync sha256sum flock; do
  command -v "$program" >/dev/null || fact lacks "$program"
done
for other in qsub:pbs bsub:lsf; do
  command -v "${other%%:*}" >/dev/null && fact scheduler "${other##*:}"
done
# A quota is its own limit beside the disk's: an asterisk marks what has been passed (quota(1)).
command -v quota >/dev/null && quota -w 2>/dev/null | awk 'NR > 2 && /\*/ { print "quota\t" $0 }'
if [ -n "$modules" ]; then
  command -v module >/dev/null || . /etc/profile >/dev/null 2>&1
  if command -v module >/dev/null; then
    for name in $modules; do
      (module load "$name") >/dev/null 2>&1 || fact nomodule "$name"
      module load "$name" >/dev/null 2>&1
    done
  else
    fact nomodule "$modules (there is no module command)"
  fi
fi
fact python "$("$python" -c 'import platform; print(platform.python_version())' 2>/dev/null)"
