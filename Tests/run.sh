#!/usr/bin/env bash
# Runs every check of the project; `Tests/run.sh --help` has the options. On a
# machine with nothing but a Swift toolchain and apt it first installs the rest:
# system packages with apt, everything else inside .build/tools. Nothing it installs
# starts a service.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=deploy/lib.sh
source "$repo/deploy/lib.sh"
# shellcheck source=Tests/lib.sh
source "$repo/Tests/lib.sh"
cd "$repo"

readonly tools=$repo/.build/tools
# One environment for all of pytest.
readonly client_requirements=(Tests/{Clients,Deploy,Dashboard,Terminal}/requirements.txt)
readonly litellm_requirements=Tests/Clients/requirements-litellm.txt
# The same flags for every swift command, or each would build everything anew.
readonly swift_flags=(-Xswiftc -warnings-as-errors)

failures=() closing_lines=()

usage() {
  cat <<'HELP'
Usage: Tests/run.sh [--fast]

Installs what the tests need (once), then checks the layout, builds without
warnings, runs `swift test` against the real Codex CLI and pytest against the
built bridged: real OpenAI clients, `bridged chat` in a terminal, deploy/, the
dashboard in Chromium, and attacks, faults and overload in a size for every run.
Last it builds bridged for release, runs every benchmark once in a tiny size, and
counts instructions.

  --fast   without the pytest suites and the benchmarks
  --help   this text
HELP
}

# Runs the check named $1 ($2…: the command). Its output stays visible and is
# kept in .build/tools/$1.log; a failure is remembered and the others still run.
check() {
  local name=$1 log=$tools/$1.log
  shift
  say "==> $name: $*"
  if ! "$@" 2>&1 | tee "$log"; then
    failures+=("$name")
  fi
}

# Remembers the lines of the log $1 that match $2: a runner's own summary.
keep_closing_lines() {
  local line
  while IFS= read -r line; do
    closing_lines+=("$line")
  done < <(grep -aE "$2" "$tools/$1.log" | tail -n 3)
}

install_tools() {
  require_swift
  local packages
  mapfile -t packages < <(missing_packages python)
  # The client tests send requests with curl too.
  command -v curl >/dev/null || packages+=(curl)
  if ! $fast; then
    command -v shellcheck >/dev/null || packages+=(shellcheck)
    command -v chromium >/dev/null || packages+=(chromium)
    command -v chromedriver >/dev/null || packages+=(chromium-driver)
    # The question whether a file is trusted is answered in a real terminal.
    command -v tmux >/dev/null || packages+=(tmux)
    # What the stress tests attack with and compare with.
    command -v slowhttptest >/dev/null || packages+=(slowhttptest)
    command -v node >/dev/null || packages+=(nodejs)
    # What the benchmarks are built with, and what counts instructions.
    command -v gcc >/dev/null || packages+=(gcc libc6-dev)
    command -v valgrind >/dev/null || packages+=(valgrind)
  fi
  install_packages "${packages[@]}"
  $fast || ensure_nginx "$tools/nginx" || die 'there is no nginx to compare with; install it, then run this again.'
  require_working_swift
  ensure_venv "$tools/venv" "$CODEX_PACKAGE" "${client_requirements[@]}"
  # On its own, because it wants an older openai than the other tests do.
  $fast || ensure_venv "$tools/litellm-venv" "$litellm_requirements"
}

build_everything() {
  check layout swift format lint --strict -r Package.swift Sources Tests
  # Nothing can be tested if this fails, so it ends the run.
  swift build --build-tests "${swift_flags[@]}"
  swift build --product bridged "${swift_flags[@]}"
  BRIDGED_BIN=$(swift build --show-bin-path "${swift_flags[@]}")/bridged
  export BRIDGED_BIN
  export LITELLM_PYTHON=$tools/litellm-venv/bin/python
}

# Runs the suite $1: `swift-test`, or a folder of pytest's.
run_suite() {
  if [[ $1 == swift-test ]]; then
    swift test --skip-build "${swift_flags[@]}"
  else
    "$tools/venv/bin/python" -m pytest "Tests/$1"
  fi
}

# Runs the suites $@ one after the other, each into its log, and keeps the status of each in $tools/NAME.status.
run_lane() {
  local suite name status
  for suite in "$@"; do
    name=${suite,,} status=0
    run_suite "$suite" >"$tools/$name.log" 2>&1 || status=$?
    say "$status" >"$tools/$name.status"
  done
}

# Mostly the tests wait, so two lanes of suites run side by side; they take about as long as each other. What they print
# is shown when both have ended, since two runners at once would tear each other's lines.
run_suites() {
  local suite first=(swift-test) second=()
  if ! $fast; then
    first+=(Terminal Deploy)
    second=(Stress Clients Dashboard)
  fi
  say "==> suites, side by side: ${first[*]} | ${second[*]}"
  run_lane "${first[@]}" &
  run_lane "${second[@]}"
  wait
  for suite in "${first[@]}" "${second[@]}"; do
    say "==> ${suite,,}"
    cat "$tools/${suite,,}.log"
    [[ $(<"$tools/${suite,,}.status") == 0 ]] || failures+=("${suite,,}")
    keep_closing_lines "${suite,,}" '^=+ .* in [0-9.]+s.*=+$'
    # It names what failed in the middle of thousands of lines.
    keep_closing_lines "${suite,,}" '✘ .* recorded an issue'
    keep_closing_lines "${suite,,}" 'Test run with [0-9]+ tests?|^\s*Executed [1-9][0-9]* tests?'
  done
}

# The first fails when an answer was wrong, never because of a time; the second when a count has moved.
run_benchmarks() {
  # Both measure the release build, and the first one makes it.
  export BRIDGED_BIN=
  check benchmarks Tests/Benchmarks/run.sh --smoke
  keep_closing_lines benchmarks '^wrong results: |^every answer was right'
  check instructions Tests/Benchmarks/instructions.sh
  keep_closing_lines instructions '^OUTSIDE |^not compared'
}

main() {
  fast=false
  while (($# > 0)); do
    case $1 in
      --fast) fast=true ;;
      --help | -h)
        usage
        exit 0
        ;;
      *) die_of_unknown_option "$1" --fast --help ;;
    esac
    shift
  done
  mkdir -p "$tools"
  install_tools
  CODEX_BIN=$(codex_in_venv "$tools/venv")
  export CODEX_BIN
  build_everything
  run_suites
  $fast || run_benchmarks

  say '==> results'
  ((${#closing_lines[@]} == 0)) || printf '%s\n' "${closing_lines[@]}"
  if ((${#failures[@]} > 0)); then
    die "failed: ${failures[*]}"
  fi
  say 'everything passed'
}

main "$@"
