#!/usr/bin/env python3
"""Lists the files below a folder that nobody changed for a number of days.

Usage: list-old-files.py FOLDER [DAYS]
"""

import os
import sys
import time


def old_files(folder, days):
    limit = time.time() - days * 86400
    for parent, _, names in os.walk(folder):
        for name in sorted(names):
            path = os.path.join(parent, name)
            try:
                if os.lstat(path).st_mtime < limit:
                    yield path
            except FileNotFoundError:
                continue  # removed since the folder was listed


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    days = int(sys.argv[2]) if len(sys.argv) > 2 else 30
    found = list(old_files(sys.argv[1], days))
    for path in found:
        print(path)
    print(f"{len(found)} files older than {days} days")


if __name__ == "__main__":
    main()
