# It raises its own limits, lowers those of others, and leaves a core dump.
import ctypes
import os
import resource
import signal
import sys

for name in ("CORE", "NPROC", "FSIZE", "NOFILE", "DATA"):
    which = getattr(resource, "RLIMIT_" + name)
    soft, hard = resource.getrlimit(which)
    if hard == resource.RLIM_INFINITY:
        print("ESCAPED: %s has no limit" % name)
        continue
    try:
        resource.setrlimit(which, (soft, hard + 1))
        print("ESCAPED: %s raised" % name)
    except (ValueError, OSError):
        pass
for pid in [os.getppid()] + [int(a) for a in sys.argv[1:]]:
    try:
        resource.prlimit(pid, resource.RLIMIT_CPU, (1, 1))
        print("ESCAPED: the limits of process %d set" % pid)
    except (ProcessLookupError, PermissionError, OSError):
        pass
os.chdir(os.environ["HOME"])
child = os.fork()
if child == 0:
    signal.signal(signal.SIGSEGV, signal.SIG_DFL)
    os.kill(os.getpid(), signal.SIGSEGV)
_, status = os.waitpid(child, 0)
if os.WCOREDUMP(status) or any(n.startswith("core") for n in os.listdir(".")):
    print("ESCAPED: a core dump")
print("tried")
