# shellcheck shell=bash
# Shared by run.sh and instructions.sh: builds what is measured. To be sourced,
# after deploy/lib.sh and from the root of the checkout; defines functions only.

# shellcheck disable=SC2034 # Used by the scripts that source this file.
readonly tools=$PWD/.build/tools
readonly built=$PWD/.build/benchmarks

# The program that is measured: as it is shipped, but with its symbols.
build_bridged() {
  if [[ -z ${BRIDGED_BIN-} ]]; then
    require_working_swift
    swift build -c release --static-swift-stdlib --product bridged --scratch-path .build-rel
    BRIDGED_BIN=$PWD/.build-rel/release/bridged
  fi
  export BRIDGED_BIN
}

build_benchmarks() {
  build_bridged
  mkdir -p "$built"
  local source
  for source in fake_engine load floor; do
    gcc -std=gnu11 -O2 -Wall -Wextra -Werror -o "$built/$source" "Tests/Benchmarks/$source.c" -luv
  done
}
