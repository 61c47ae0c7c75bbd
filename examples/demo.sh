#!/bin/sh
# The first minute with writ, for real: sign, verify, a run that is allowed, one
# that is denied, a changed file that is refused. Needs writ on the PATH and the
# usual tools; cleans up, and fails if any step ends otherwise than it should.
set -eu

work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
cd "$work"

# step CODE COMMAND... shows a command, runs it, and wants this exit code.
step() {
  want="$1"
  shift
  printf '\n$'
  for word in "$@"; do
    case "$word" in
    *[!A-Za-z0-9./_-]*) printf " '%s'" "$word" ;;
    *) printf ' %s' "$word" ;;
    esac
  done
  echo
  code=0
  "$@" || code=$?
  if [ "$code" -ne "$want" ]; then
    echo "demo: exit code $code, want $want" >&2
    exit 1
  fi
  [ "$code" -eq 0 ] || echo "(exit code $code, as it should be)"
}

say() { printf '\n# %s\n' "$*"; }

say "1. Test keys, a trust store, a policy and four runbooks."
step 0 writ init demo
cd demo

say "2. Nothing is signed yet."
step 1 writ audit --trust trust runbooks

say "3. Sign: PowerShell in place, the others as clear-signed text."
step 0 writ sign --key keys/codesign.key.pem --cert keys/codesign.pem runbooks
step 0 writ sign --key keys/openpgp.key.asc runbooks/disk-report.sh runbooks/list-old-files.py

say "4. Verify against the trust store."
step 0 writ verify --trust trust runbooks

say "5. A run that is allowed: signed by who may sign, asked for by who may ask, on a worker of the group."
step 0 writ run --trust trust --policy policy --ledger ledger.jsonl --worker-group demo-workers runbooks/disk-report.sh.asc -- /

say "6. One that is denied: the worker is in no group. That is the rule of policy/worker-group.rego."
step 126 writ run --trust trust --policy policy --ledger ledger.jsonl runbooks/disk-report.sh.asc -- /

say "7. One that is denied: the argument is not what the rule allows."
step 126 writ run --trust trust --policy policy --ledger ledger.jsonl --worker-group demo-workers runbooks/disk-report.sh.asc -- '/; reboot'

say "8. One byte of a signed file is changed: it is refused, and it does not run."
sed 's/used > limit/used < limit/' runbooks/disk-report.sh.asc > changed
mv changed runbooks/disk-report.sh.asc
step 1 writ verify --trust trust runbooks/disk-report.sh.asc
step 126 writ run --trust trust --policy policy --ledger ledger.jsonl --worker-group demo-workers runbooks/disk-report.sh.asc -- /

say "9. What is wrong, and what would repair it."
step 1 writ inspect --trust trust runbooks/disk-report.sh.asc

say "10. All of it is in the ledger, and the ledger shows every edit."
step 0 writ ledger show ledger.jsonl
step 0 writ ledger verify ledger.jsonl
sed '1s/"allow":true/"allow":false/' ledger.jsonl > edited.jsonl
step 1 writ ledger verify edited.jsonl

say "That was it. Make such a folder for yourself with: writ init DIR"
