# System calls that look into other processes or ask the kernel for what it keeps from
# jobs. The arguments are process numbers, or "parent".
import ctypes
import os
import platform
import sys

libc = ctypes.CDLL(None, use_errno=True)
arm = platform.machine() == "aarch64"


def call(what, amd64, arm64, *args):
    args = [ctypes.c_long(a) if isinstance(a, int) else a for a in args]
    if libc.syscall(arm64 if arm else amd64, *args) != -1:
        print("ESCAPED: " + what)


buf = ctypes.create_string_buffer(8)
child = os.fork()
if child == 0:
    import signal

    signal.pause()
    os._exit(0)
for pid in [child] + [os.getppid() if a == "parent" else int(a) for a in sys.argv[1:]]:
    who = "process %d" % pid
    iov = (ctypes.c_void_p * 2)(ctypes.addressof(buf), 8)
    call("read the memory of " + who, 310, 270, pid, iov, 1, iov, 1, 0)
    fd = libc.syscall(434, pid, 0)  # pidfd_open
    if fd >= 0:
        call("took a descriptor of " + who, 438, 438, fd, 0, 0)
    call("traced " + who, 101, 117, 16, pid, 0, 0)  # PTRACE_ATTACH
call("a key ring", 250, 219, 0, -3, 1)  # KEYCTL_GET_KEYRING_ID, the session's, made
call("a program in the kernel", 321, 280, 0, ctypes.create_string_buffer(128), 128)
call("a ring", 425, 425, 8, ctypes.create_string_buffer(120))
call("a namespace", 272, 97, 0x10000000)  # unshare, CLONE_NEWUSER
call("a counter", 298, 241, ctypes.create_string_buffer(b"\x01\0\0\0\x70\0\0\0", 112), 0, -1, -1, 0)
call("a handler of page faults", 323, 282, 1)
sys.stdout.flush()
traced = os.fork()
if traced == 0:
    call("traced by its parent", 101, 117, 0, 0, 0, 0)  # PTRACE_TRACEME
    sys.stdout.flush()
    os._exit(0)
os.waitpid(traced, 0)
os.kill(child, 9)
print("tried")
