# It stands for what watches over a job: it holds a file open and starts $1, which gets
# its process number. The process of the test would not do: others of its tests write to
# the files that it holds open.
exec 3>"$HOME/held"
bash "$1" $$
:
