#!/usr/bin/env bash
# Runs the benchmarks; `Tests/Benchmarks/run.sh --help` has the options. Builds
# what they measure and installs the rivals: system packages with apt, the rest
# inside .build/tools.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../.." && pwd)
# shellcheck source=deploy/lib.sh
source "$repo/deploy/lib.sh"
# shellcheck source=Tests/lib.sh
source "$repo/Tests/lib.sh"
cd "$repo"
# shellcheck source=Tests/Benchmarks/build.sh
source "$here/build.sh"

readonly names='first-token tokens memory requests start sessions images'
readonly gateway_package='codex-gateway==0.1.2'

usage() {
  cat <<HELP
Usage: Tests/Benchmarks/run.sh [--smoke] [NAME…]

Compares a release build of bridged with its rivals and prints medians, ratios
and what they should be. Exits with 1 if something was answered wrongly, never
because of a time. A rival that cannot be had is skipped, and said to be.

  --smoke   everything tiny: only whether it works
  --help    this text
  NAME      $names (default: all)

BRIDGED_BIN and CODEX_BIN name programs to use instead of building and installing.
HELP
}

install_rivals() {
  local packages=()
  mapfile -t packages < <(missing_packages python)
  command -v gcc >/dev/null || packages+=(gcc libc6-dev)
  install_packages "${packages[@]}"
  NGINX=
  if ensure_nginx "$tools/nginx"; then NGINX=$(command -v nginx); fi
  NODE=$(command -v node || true)
  CODEX_GATEWAY=
  if ensure_venv "$tools/gateway-venv" "$gateway_package"; then
    CODEX_GATEWAY=$tools/gateway-venv/bin/codex-gateway
  fi
  if [[ -z ${CODEX_BIN-} ]]; then
    ensure_venv "$tools/codex-venv" "$CODEX_PACKAGE"
    CODEX_BIN=$(codex_in_venv "$tools/codex-venv")
  fi
  export NGINX NODE CODEX_GATEWAY CODEX_BIN
}

main() {
  local words=() word
  for word in "$@"; do
    case $word in
      --smoke) words+=(--smoke) ;;
      --help | -h)
        usage
        exit 0
        ;;
      *)
        [[ " $names " == *" $word "* ]] || die "unknown benchmark or option $word (see --help)"
        words+=("$word")
        ;;
    esac
  done
  install_rivals
  build_benchmarks
  python3 "$here/suite.py" "${words[@]}"
}

main "$@"
