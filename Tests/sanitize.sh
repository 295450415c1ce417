#!/usr/bin/env bash
# The Swift tests under a sanitizer; `Tests/sanitize.sh --help` has the options.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=deploy/lib.sh
source "$repo/deploy/lib.sh"
cd "$repo"

usage() {
  cat <<'HELP'
Usage: Tests/sanitize.sh [address|thread]… [-- argument…]

Builds everything with the address sanitizer (memory errors, leaks) or the thread
sanitizer (data races), both if none is named, and runs the Swift tests; what
follows `--` goes to `swift test`. CODEX_BIN names the Codex CLI, as for `swift test`.
The address sanitizer also leaves a `bridged` behind, for the client tests:

  BRIDGED_BIN=$PWD/.build-asan/debug/bridged python -m pytest Tests/Clients
HELP
}

# Runs the tests with the sanitizer $1 ($2…: arguments for `swift test`).
run_tests() {
  say "==> $1 sanitizer"
  # XCTest is not used, and its runner leaks memory of its own.
  swift test --sanitize "$1" --scratch-path ".build-${1:0:1}san" --disable-xctest "${@:2}"
}

main() {
  local sanitizers=()
  while (($# > 0)); do
    case $1 in
      address | thread) sanitizers+=("$1") ;;
      --help | -h)
        usage
        exit 0
        ;;
      --)
        shift
        break
        ;;
      *) die "unknown argument $1 (see --help)" ;;
    esac
    shift
  done
  ((${#sanitizers[@]} > 0)) || sanitizers=(address thread)
  local sanitizer failures=()
  for sanitizer in "${sanitizers[@]}"; do
    run_tests "$sanitizer" "$@" || failures+=("$sanitizer")
  done
  ((${#failures[@]} == 0)) || die "failed: ${failures[*]}"
}

main "$@"
