# It looks for what another run has left.
for dir in "$HOME" "$TMPDIR" /tmp /dev/shm /var/tmp .; do
  if [ -e "$dir/left-$1" ]; then echo "ESCAPED: found it in $dir"; fi
done
echo tried
