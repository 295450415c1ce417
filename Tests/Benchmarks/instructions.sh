#!/usr/bin/env bash
# Counts the instructions of the release build per token and per request, under
# callgrind: the difference of a long and a short run, so that the start cancels
# out. A count does not depend on what else the machine does. Compares with
# instructions.txt and fails beyond ±10 %; `--update` writes that file anew.
# Takes about a minute besides the build.
set -euo pipefail

# shellcheck source=Tests/Benchmarks/build.sh
source "$(dirname "${BASH_SOURCE[0]}")/build.sh"

main() {
  if (($# > 1)) || [[ ${1---update} != --update ]]; then
    die 'usage: Tests/Benchmarks/instructions.sh [--update]'
  fi
  local packages=()
  command -v valgrind >/dev/null || packages+=(valgrind)
  install_build_packages '' "${packages[@]}"
  build_benchmarks
  python3 "$here/instructions.py" "$@"
}

main "$@"
