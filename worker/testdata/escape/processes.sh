# It looks at what watches over it, and with "kill" as $2 ends it. $1 is the process
# number of the gate.
try() { what=$1; shift; if "$@" >/dev/null 2>&1; then echo "ESCAPED: $what"; fi; }
something() { [ -n "$(cat "$1" 2>/dev/null | tr -d '\0')" ]; }
append() { echo x >> "$1"; }
for pid in "$1" "$PPID"; do
  try "read the environment of $pid" something "/proc/$pid/environ"
  try "listed the descriptors of $pid" ls -l "/proc/$pid/fd/"
  for fd in 3 4 5 6 7 8; do
    try "opened descriptor $fd of $pid" test -r "/proc/$pid/fd/$fd"
    try "written to descriptor $fd of $pid" append "/proc/$pid/fd/$fd"
  done
  try "saw the root of $pid" ls -H "/proc/$pid/root"
  try "saw the working directory of $pid" ls "/proc/$pid/cwd/"
  try "read the memory of $pid" head -c 1 "/proc/$pid/mem"
  try "changed how $pid is killed" append "/proc/$pid/oom_score_adj"
done
[ "$2" = kill ] && for signal in TERM INT HUP STOP TSTP USR1 SEGV KILL; do
  for pid in "$1" "$PPID"; do
    kill -$signal "$pid" 2>/dev/null # the test looks whether the gate noticed
  done
done
echo tried
