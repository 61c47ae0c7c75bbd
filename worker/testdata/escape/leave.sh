# It leaves something where the next run could find it.
for dir in "$HOME" "$TMPDIR" /tmp /dev/shm /var/tmp .; do
  echo secret > "$dir/left-$1" 2>/dev/null
done
echo tried
