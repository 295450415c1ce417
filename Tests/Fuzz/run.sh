#!/usr/bin/env bash
# Coverage-guided fuzzing of what reads input from outside; `Tests/Fuzz/run.sh --help` has the options.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
# shellcheck source=deploy/lib.sh
source "$repo/deploy/lib.sh"
cd "$repo"

readonly scratch=$repo/.build-fuzz
readonly program=$scratch/fuzz
readonly all_targets=(http websocket rpc chat threads journal text)
# Longer inputs are slow and say little that short ones do not; limits have tests of their own.
readonly max_bytes=600

runs=1000000 minimizes=false targets=()

usage() {
  cat <<'HELP'
Usage: Tests/Fuzz/run.sh [--runs N] [--minimize] [target…]

Builds the fuzzer (libFuzzer and the address sanitizer, optimised) and gives each
target N inputs, starting from Tests/Fuzz/Corpus: http, websocket, rpc, chat,
threads, journal, text.
An input that breaks something is kept in Tests/Fuzz/Regressions, where the
ordinary tests read it too.

  --runs N     inputs for each target (1000000)
  --minimize   afterwards, reduce the corpus to few inputs with the same coverage
  --help       this text

Inputs that reach new code gather in .build-fuzz/corpus and serve the next run.
HELP
}

# The library is linked object by object, since SwiftPM would make it a program with a `main` of its own.
build_fuzzer() {
  local flags=("-sanitize=fuzzer,address" -enable-testing) modules=() headers=() objects=() module
  # Testable, so that the properties see what is internal, and optimised all the same.
  swift build -c release --target Bridge --scratch-path "$scratch" "${flags[@]/#/-Xswiftc=}"
  for module in "$scratch"/release/Modules/*.swiftmodule; do
    modules+=("$scratch/release/$(basename "$module" .swiftmodule).build")
  done
  for module in Sources/*/module.modulemap; do headers+=(-I "$(dirname "$module")"); done
  mapfile -d '' objects < <(find "${modules[@]}" -name '*.o' -print0)
  swiftc -O -swift-version 6 -parse-as-library -module-name Fuzz "${flags[@]}" \
    -I "$scratch/release/Modules" "${headers[@]}" \
    Tests/Fuzz/Driver.swift Tests/BridgeTests/Fuzzing/*.swift \
    Tests/BridgeTests/{ParsedRequest,SeededGenerator}.swift \
    "${objects[@]}" -o "$program"
}

# Runs the fuzzer on the target $1 ($2…: its arguments).
run_fuzzer() {
  # Backtraces of a Swift program that traps under libFuzzer never end.
  FUZZ_TARGET=$1 SWIFT_BACKTRACE=enable=no \
    ASAN_OPTIONS=detect_leaks=0:malloc_context_size=0:quarantine_size_mb=4 \
    "$program" "${@:2}"
}

fuzz() {
  local target=$1 gathered=$scratch/corpus/$1
  local kept=Tests/Fuzz/Corpus/$target regressions=Tests/Fuzz/Regressions/$target
  say "==> $target: $runs inputs"
  mkdir -p "$gathered" "$kept" "$regressions"
  run_fuzzer "$target" -runs="$runs" -max_len="$max_bytes" -rss_limit_mb=4096 -verbosity=0 -print_final_stats=1 \
    -artifact_prefix="$regressions/" "$gathered" "$kept" "$regressions" || return 1
}

minimize() {
  local target=$1 kept=Tests/Fuzz/Corpus/$1 smallest=$scratch/smallest/$1
  rm -rf "$smallest"
  mkdir -p "$smallest"
  # Which code is reached, and not how often: else thousands of inputs would remain.
  run_fuzzer "$target" -merge=1 -use_counters=0 -max_len="$max_bytes" -verbosity=0 "$smallest" "$kept" \
    "$scratch/corpus/$target"
  rm -rf "$kept"
  cp -r "$smallest" "$kept"
  say "$kept: $(find "$kept" -type f | wc -l) inputs"
}

main() {
  while (($# > 0)); do
    case $1 in
      --runs)
        runs=${2:?}
        shift
        ;;
      --minimize) minimizes=true ;;
      --help | -h)
        usage
        exit 0
        ;;
      -*) die "unknown option $1 (see --help)" ;;
      *)
        [[ " ${all_targets[*]} " == *" $1 "* ]] || die "unknown target $1 (see --help)"
        targets+=("$1")
        ;;
    esac
    shift
  done
  ((${#targets[@]} > 0)) || targets=("${all_targets[@]}")
  build_fuzzer
  local target failures=()
  for target in "${targets[@]}"; do
    fuzz "$target" || failures+=("$target")
    if $minimizes; then minimize "$target"; fi
  done
  ((${#failures[@]} == 0)) || die "found something: ${failures[*]} (see Tests/Fuzz/Regressions)"
}

main "$@"
