# It fills what it can write to: $1 is the number of MiB that it must not get.
for dir in "$HOME" "${TMPDIR:-/tmp}" /dev/shm; do
  for i in 1 2 3 4 5 6 7 8; do head -c 1M /dev/zero > "$dir/fill-$i" 2>/dev/null; done
  size=$(du -sm "$dir" 2>/dev/null | cut -f1)
  if [ "${size:-0}" -ge "$1" ]; then echo "ESCAPED: $size MiB in $dir"; fi
  rm -f "$dir"/fill-*
done
(ulimit -f unlimited 2>/dev/null; head -c "$((2 * $1))M" /dev/zero > "$HOME/large") 2>/dev/null
size=$(du -m "$HOME/large" 2>/dev/null | cut -f1)
if [ "${size:-0}" -gt "$1" ]; then echo "ESCAPED: a file of $size MiB"; fi
i=0
while [ $i -lt 70000 ] && : > "$TMPDIR/f-$i"; do i=$((i + 1000)); done 2>/dev/null
echo tried
