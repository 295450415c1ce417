#!/usr/bin/env bash
# Runs the benchmarks; `Tests/Benchmarks/run.sh --help` has the options. Builds
# what they measure and installs the rivals: system packages with apt, the rest
# inside .build/tools.
set -euo pipefail

# shellcheck source=Tests/Benchmarks/build.sh
source "$(dirname "${BASH_SOURCE[0]}")/build.sh"

readonly names='first-token tokens memory requests start sessions finding images codex-turn profiles tools parked engines'
readonly gateway_package='codex-gateway==0.1.2'

usage() {
  cat <<HELP
Usage: Tests/Benchmarks/run.sh [--smoke] [NAME…]

Compares a release build of bridged with its rivals and prints medians, ratios
and what they should be. Exits with 1 if something was answered wrongly, never
because of a time. A rival that cannot be had is skipped, and said to be.

  --smoke   everything tiny, without the rivals that would have to be installed: only whether it works
  --help    this text
  NAME      $names (default: all)

BRIDGED_BIN and CODEX_BIN name programs to use instead of building and installing.
HELP
}

install_programs() {
  install_build_packages python
  NGINX=
  if ensure_nginx "$tools/nginx"; then NGINX=$(command -v nginx); fi
  NODE=$(command -v node || true)
  if [[ -z ${CODEX_BIN-} ]]; then
    ensure_venv "$tools/codex-venv" "$CODEX_PACKAGE"
    CODEX_BIN=$(codex_in_venv "$tools/codex-venv")
  fi
  export NGINX NODE CODEX_BIN
}

# The rivals that take minutes to come by. A smoke run is about us and does without.
make_rivals() {
  if is_wanted first-token || is_wanted tokens || is_wanted memory; then
    if ensure_venv "$tools/gateway-venv" "$gateway_package"; then
      export CODEX_GATEWAY=$tools/gateway-venv/bin/codex-gateway
    fi
  fi
  if is_wanted requests; then
    local flags=(-c release --package-path "$here/hummingbird-peer" --scratch-path .build/hummingbird)
    if swift build "${flags[@]}"; then
      export HUMMINGBIRD=$repo/.build/hummingbird/release/HummingbirdPeer
    fi
  fi
}

# Whether the benchmark $1 will run: all of them do if none is named.
is_wanted() { ((${#wanted[@]} == 0)) || [[ " ${wanted[*]} " == *" $1 "* ]]; }

main() {
  local word
  wanted=() smoke=false
  for word in "$@"; do
    case $word in
      --smoke) smoke=true ;;
      --help | -h)
        usage
        exit 0
        ;;
      *)
        [[ " $names " == *" $word "* ]] || die "unknown benchmark or option $word (see --help)"
        wanted+=("$word")
        ;;
    esac
  done
  install_programs
  build_benchmarks
  local options=()
  if $smoke; then
    options+=(--smoke)
  else
    make_rivals
  fi
  python3 "$here/suite.py" "${options[@]}" "${wanted[@]}"
}

main "$@"
