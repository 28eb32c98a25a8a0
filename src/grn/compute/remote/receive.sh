# A folder for what is about to be sent. Argument: its path.
mkdir -p "$1"
