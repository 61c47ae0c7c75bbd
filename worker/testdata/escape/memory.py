# It takes memory: the argument is the number of MiB that it must not get.
import sys

limit = int(sys.argv[1])
kept = []
try:
    while len(kept) < limit:
        kept.append(bytearray(b"x" * (1 << 20)))
    print("ESCAPED: %d MiB" % len(kept))
except MemoryError:
    kept = []
print("tried")
