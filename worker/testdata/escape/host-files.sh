# $1 is a file that the gate relies on, $2 the ledger or a key, which only the gate's
# user may read; $3 is a folder of another run.
try() { what=$1; shift; if "$@" >/dev/null 2>&1; then echo "ESCAPED: $what"; fi; }
append() { echo x >> "$1"; }
try "written to $1" append "$1"
try "put a file beside it" append "$(dirname "$1")/mine"
try "moved its folder" mv "$(dirname "$1")" "$(dirname "$1").moved"
try "read $2" cat "$2"
try "written to $2" append "$2"
try "looked into $3" ls "$3"
try "put a file into $3" append "$3/mine"
echo tried
