# It changes what is mounted, or makes a namespace in which it may. $1 is a folder.
try() { what=$1; shift; if "$@" >/dev/null 2>&1; then echo "ESCAPED: $what"; fi; }
try "mounted a file system" mount -t tmpfs none "${1:-/tmp}"
try "mounted one below its home" mount -t tmpfs none "$HOME"
try "bound a folder" mount --bind /etc "$HOME"
try "made it writable" mount -o remount,rw,bind /usr
try "unmounted its script" umount -l "$(dirname "$0")"
try "unmounted /proc" umount -l /proc
try "a user namespace" unshare -Ur true
try "a user and mount namespace" unshare -Urm true
try "one in a child" bash -c 'unshare -U true'
try "a network namespace" unshare -Urn true
try "bubblewrap" bwrap --ro-bind / / --dev /dev true
try "another root" chroot / true
try "the namespaces of the first process" nsenter -t 1 -m -p true
echo tried
