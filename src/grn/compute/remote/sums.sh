# The list of results that a task wrote. Argument: its path.
[ -f "$1" ] && cat "$1"
