# It changes the machine: what everybody runs, and what the kernel is told.
try() { what=$1; shift; if "$@" 2>/dev/null; then echo "ESCAPED: $what"; fi; }
append() { echo x >> "$1"; }
for dir in / /usr/bin /usr/local/bin /etc /etc/cron.d /lib /opt /var /var/spool/cron /boot /srv; do
  try "a file in $dir" append "$dir/writ-escape-test"
done
try "overwritten a program" append /usr/bin/env
try "overwritten /etc/passwd" append /etc/passwd
try "set the program for core dumps" append /proc/sys/kernel/core_pattern
try "set a kernel parameter" append /proc/sys/kernel/hostname
try "made a device" mknod "$TMPDIR/null" c 1 3
echo tried
