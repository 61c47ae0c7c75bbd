# It looks for open files that are not its own: the control socket, the ledger.
import os

for fd in sorted(int(n) for n in os.listdir("/proc/self/fd")):
    try:
        path = os.readlink("/proc/self/fd/%d" % fd)
    except FileNotFoundError:
        continue  # the folder that was listed
    if fd > 3 or fd == 3 and not path.startswith("/memfd:"):
        print("ESCAPED: descriptor %d is %s" % (fd, path))
print("tried")
