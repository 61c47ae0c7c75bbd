# It does not want to end. $1 is how long what it starts sleeps.
trap '' TERM HUP INT QUIT USR1 USR2 ALRM
setsid bash -c 'trap "" TERM HUP INT; while :; do sleep "$0"; done' "$1" &
echo tried
while :; do sleep "$1"; done
