# It types into the terminal that it was started from.
import fcntl
import termios

for what, call in (("TIOCSTI", termios.TIOCSTI), ("TIOCLINUX", 0x541C)):
    try:
        fcntl.ioctl(0, call, b"\n" if call == termios.TIOCSTI else b"\x03")
        print("ESCAPED: " + what)
    except OSError as e:
        print("errno %d" % e.errno)
print("tried")
