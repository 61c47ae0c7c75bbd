#!/usr/bin/env bash
# The hook of pre-commit: are the runbooks that are committed signed? It is called
# with arguments of "writ sign --check", then "--", then files. A file that holds a
# signature stands for the runbook beside it; without one it is none of this hook's.
set -euo pipefail
writ=${WRIT:-writ}
if ! command -v "$writ" >/dev/null; then
  echo "writ is not installed: put it on PATH, or its path into WRIT" >&2
  exit 1
fi
args=()
while [ $# -gt 0 ] && [ "$1" != -- ]; do
  args+=("$1")
  shift
done
if [ $# -eq 0 ]; then
  echo 'the args of this hook must end with "--": what follows are files, whatever their names' >&2
  exit 2
fi
shift
files=()
for file in "$@"; do
  case $file in
    *.asc) file=${file%.asc} ;;
    *.sig) file=${file%.sig} ;;
    *.sigstore.json) file=${file%.sigstore.json} ;;
  esac
  if [ -e "$file" ]; then files+=("./$file"); fi
done
if [ ${#files[@]} -eq 0 ]; then
  exit 0
fi
if [ ${#args[@]} -eq 0 ]; then
  echo 'the args of this hook must say whom to trust: [--trust, trust, --]' >&2
  exit 2
fi
exec "$writ" sign --check "${args[@]}" -- "${files[@]}"
