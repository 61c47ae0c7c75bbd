"""A stand-in for the part of a Linux hybrid worker that verifies and runs a
runbook: only its order of steps, written for the tests of writ gpg-shim.

usage: standin.py FOLDER NAME VERSION KEYRING[,KEYRING...] < DEFINITION
"""

import os
import subprocess
import sys


def main():
    folder, name, version, keyrings = sys.argv[1:]
    os.umask(0o077)
    script = os.path.join(folder, name + version + ".sh")
    definition = sys.stdin.buffer.read().replace(b"\r\n", b"\n")
    with open(script, "wb") as out:  # where it will run, before anybody looked at it
        out.write(definition)
    signed = script + ".d"
    for keyring in keyrings.split(","):
        gpg = subprocess.run(
            ["gpg", "--batch", "--yes", "--decrypt", "--no-default-keyring",
             "--keyring", keyring.strip(), "--output", signed, script],
            stderr=subprocess.PIPE, check=False)
        if gpg.returncode == 0:
            break
        sys.stderr.write("trace 10019: " + gpg.stderr.decode("utf-8", "replace"))
    else:
        sys.exit("The runbook signature is invalid.")
    os.remove(script)
    os.rename(signed, script)
    sys.exit(subprocess.run(["bash", script], check=False).returncode)


main()
