# It calls services of the host: an abstract socket (D-Bus has one), and one with a path
# (Docker has one). The arguments are their names, the first without its NUL.
import socket
import sys

for name in ("\0" + sys.argv[1], sys.argv[2]):
    s = socket.socket(socket.AF_UNIX)
    try:
        s.connect(name)
        print("ESCAPED: connected to %r" % name)
    except OSError:
        pass
for path in ("/run/docker.sock", "/var/run/docker.sock", "/run/dbus/system_bus_socket", "/run/systemd/private", "/run/containerd/containerd.sock"):
    s = socket.socket(socket.AF_UNIX)
    try:
        s.connect(path)
        print("ESCAPED: connected to " + path)
    except OSError:
        pass
print("tried")
