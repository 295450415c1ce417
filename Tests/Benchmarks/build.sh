# shellcheck shell=bash
# The common head of run.sh and instructions.sh: goes to the root of the checkout
# and defines what both need to install and build what is measured. To be sourced.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$(cd "$here/../.." && pwd)
# shellcheck source=deploy/lib.sh
source "$repo/deploy/lib.sh"
cd "$repo" || exit
# shellcheck source=Tests/lib.sh
source "$repo/Tests/lib.sh"

# shellcheck disable=SC2034 # Used by the scripts that source this file.
readonly tools=$repo/.build/tools
readonly built=$repo/.build/benchmarks

# Installs a compiler for the C programs, and the Debian packages $2… besides.
# $1: what `missing_packages` is to look for.
install_build_packages() {
  local packages=()
  mapfile -t packages < <(missing_packages "$1")
  command -v gcc >/dev/null || packages+=(gcc libc6-dev)
  command -v python3 >/dev/null || packages+=(python3)
  install_packages "${packages[@]}" "${@:2}"
}

# The program that is measured.
build_bridged() {
  if [[ -z ${BRIDGED_BIN-} ]]; then
    require_working_swift
    build_release
    BRIDGED_BIN=$release_program
  fi
  export BRIDGED_BIN
}

build_benchmarks() {
  build_bridged
  mkdir -p "$built"
  local source
  for source in fake_engine load floor; do
    gcc -std=gnu11 -O2 -Wall -Wextra -Werror -o "$built/$source" "$here/$source.c" -luv
  done
}
