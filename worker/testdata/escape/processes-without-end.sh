# A fork bomb. Its children sleep for $1 seconds, by which the test knows them.
echo tried
bomb() { bomb "$1" | bomb "$1" & sleep "$1"; }
bomb "$1"
