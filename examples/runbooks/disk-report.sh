#!/bin/bash
# Says how full the file system of one folder is; exits 1 above the limit.
# Usage: disk-report.sh [FOLDER [PERCENT]]
set -euo pipefail

folder="${1:-/}"
limit="${2:-101}"

used="$(df -P -- "$folder" | awk 'NR == 2 { sub("%", "", $5); print $5 }')"
echo "$folder is $used % full"
if (( used > limit )); then
  echo "that is more than $limit %" >&2
  exit 1
fi
