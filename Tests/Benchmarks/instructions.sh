#!/usr/bin/env bash
# Counts the instructions of the release build per token and per request, under
# callgrind: the difference of a long and a short run, so that the start cancels
# out. A count does not depend on what else the machine does. Compares with
# instructions.txt and fails beyond ±10 %; `--update` writes that file anew.
# Takes about a minute besides the build.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../.." && pwd)
# shellcheck source=deploy/lib.sh
source "$repo/deploy/lib.sh"
cd "$repo"
# shellcheck source=Tests/Benchmarks/build.sh
source "$here/build.sh"

main() {
  if (($# > 1)) || [[ ${1---update} != --update ]]; then
    die 'usage: Tests/Benchmarks/instructions.sh [--update]'
  fi
  local packages=()
  mapfile -t packages < <(missing_packages '')
  command -v gcc >/dev/null || packages+=(gcc libc6-dev)
  command -v python3 >/dev/null || packages+=(python3)
  command -v valgrind >/dev/null || packages+=(valgrind)
  install_packages "${packages[@]}"
  build_benchmarks
  python3 "$here/instructions.py" "$@"
}

main "$@"
