# It leaves something behind in every way that there is. $1 is how long that sleeps, by
# which the test knows it.
trap '' TERM HUP INT QUIT
sleep "$1" &
setsid sleep "$1" </dev/null >/dev/null 2>&1 &
nohup sleep "$1" >/dev/null 2>&1 &
(setsid bash -c 'sleep "$0" & exec sleep "$0"' "$1" &)
setsid bash -c 'trap "" TERM; while :; do sleep "$0"; done' "$1" &
setsid bash -c 'for i in {1..50}; do setsid sleep "$0" & sleep 0.05; done' "$1" &
setsid bash -c 'kill -STOP $$; sleep "$0"' "$1" &
python3 - "$1" <<'PY' &
import os, sys
for _ in range(3):
    if os.fork():
        os._exit(0)
    os.setsid()
os.execvp("sleep", ["sleep", sys.argv[1]])
PY
command -v at >/dev/null && echo "sleep $1" | at now 2>/dev/null
command -v systemd-run >/dev/null && systemd-run --user sleep "$1" 2>/dev/null
command -v crontab >/dev/null && echo "* * * * * sleep $1" | crontab - 2>/dev/null
sleep 0.2
echo tried
