# It changes the script that is being run: by its name, by the descriptor that bash
# reads it from, by another file in its place.
try() { what=$1; shift; if "$@" 2>/dev/null; then echo "ESCAPED: $what"; fi; }
append() { echo '# changed' >> "$1"; }
try "written to $0" append "$0"
try "made it writable" chmod 0777 "$0"
try "moved away" mv "$0" "$0.moved"
try "removed" rm -f "$0"
try "cut off" python3 -c 'import os, sys; os.truncate(sys.argv[1], 0)' "$0"
for fd in /proc/$$/fd/*; do
  case $(readlink "$fd") in
  *own-script* | */memfd:*) try "written through $fd" append "$fd" ;;
  esac
done
try "mounted over" mount --bind /etc/hostname "$0"
echo tried
