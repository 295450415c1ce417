#!/usr/bin/env bash
# Runs every check of the project; `Tests/run.sh --help` has the options. On a
# machine with nothing but a Swift toolchain and apt it first installs the rest:
# system packages with apt, everything else inside .build/tools. Nothing it installs
# starts a service.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=deploy/lib.sh
source "$repo/deploy/lib.sh"
cd "$repo"
# shellcheck source=Tests/lib.sh
source "$repo/Tests/lib.sh"

readonly tools=$repo/.build/tools
# One environment for all of pytest.
readonly client_requirements=(Tests/{Clients,Deploy,Dashboard,Terminal}/requirements.txt)
readonly litellm_requirements=Tests/Clients/requirements-litellm.txt
# Agent frameworks, one environment for each of their files of requirements.
readonly frameworks=$tools/frameworks
# A client of some gigabytes.
readonly openwebui_requirements=Tests/OpenWebUI/requirements.txt
# Apart from what `swift build` makes, since other flags would build everything anew. Nobody debugs it or edits it file by
# file: without what both need the compiler is done in half of the time.
readonly test_build=(
  --scratch-path .build-tests -debug-info-format none
  -Xswiftc -wmo -Xswiftc -num-threads -Xswiftc 2 -Xswiftc -no-emit-module-separately-wmo
  -Xswiftc -warnings-as-errors
)

readonly all_parts=(frameworks openwebui packages systemd image stress soak benchmarks sanitizers)
failures=() closing_lines=()
# Mostly the tests wait, so two more than there are processors are busy at once.
lanes=$(($(nproc) + 2))
readonly lanes
# What of a suite is a job of its own, since the suite would be the last one running by far.
readonly stress_apart=(Stress/test_state.py Stress/test_engine.py)

usage() {
  cat <<'HELP'
Usage: Tests/run.sh [--fast | --full [PART…]]

Installs what the tests need (once). Then, side by side: the layout; the Swift tests,
built without warnings, with the real Codex CLI; a release build of bridged, and
pytest against it: real OpenAI clients, `bridged chat` in a terminal, deploy/, the
dashboard in Chromium, and attacks, faults and overload in a size for every run;
every benchmark once in a tiny size; counts of instructions.

  --fast   without the release build and what needs it: layout and Swift tests
  --full   besides, one after the other and for some hours: agent frameworks; OpenWebUI
           in Chromium (its installation takes some gigabytes); the Debian package in bare
           systems, the service under a booted systemd and the image (only as root, with
           debootstrap, systemd-nspawn and buildah); attacks, faults and
           overload in the size that the page Reliability promises, half an hour of mixed
           turns, the Swift tests with both sanitizers, the benchmarks whole
  PART     of these only, and nothing else: frameworks, openwebui, packages, systemd,
           image, stress, soak, benchmarks, sanitizers
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
  keep_summary "$name"
}

# Remembers what the log of the check $1 says in the end: its runner's own summary.
keep_summary() {
  keep_closing_lines "$1" '^=+ .* in [0-9.]+s.*=+$'
  # It names what failed in the middle of thousands of lines.
  keep_closing_lines "$1" '✘ .* recorded an issue'
  keep_closing_lines "$1" 'Test run with [0-9]+ tests?'
  keep_closing_lines "$1" '^wrong results: |^every answer was right'
  keep_closing_lines "$1" '^OUTSIDE |^not compared'
}

# Remembers the lines of the log $1 that match $2.
keep_closing_lines() {
  local line
  while IFS= read -r line; do
    closing_lines+=("$line")
  done < <(grep -aE "$2" "$tools/$1.log" | tail -n 3)
}

# Runs the command $@ in the background, in a process group of its own: an interrupt then reaches it by way of
# `end_background`. Otherwise the shell makes its background commands deaf to interrupts.
in_background() {
  set -m
  "$@" </dev/null &
  set +m
}

end_background() {
  local group
  for group in $(jobs -rp); do kill -INT -- "-$group" || true; done
}

install_packages_for_tests() {
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
    # Whose completions are tried out.
    command -v zsh >/dev/null || packages+=(zsh)
    command -v fish >/dev/null || packages+=(fish)
    # What the stress tests attack with and compare with.
    command -v slowhttptest >/dev/null || packages+=(slowhttptest)
    command -v node >/dev/null || packages+=(nodejs)
    # What the benchmarks are built with, and what counts instructions.
    command -v gcc >/dev/null || packages+=(gcc libc6-dev)
    command -v valgrind >/dev/null || packages+=(valgrind)
    # What looks at the manual pages.
    command -v mandoc >/dev/null || packages+=(mandoc)
    command -v man >/dev/null || packages+=(man-db)
  fi
  install_packages "${packages[@]}"
  $fast || ensure_nginx "$tools/nginx" || die 'there is no nginx to compare with; install it, then run this again.'
  require_working_swift
}

install_environments() {
  ensure_venv "$tools/venv" "$CODEX_PACKAGE" "${client_requirements[@]}" || return
  # On its own, because it wants an older openai than the other tests do.
  $fast || ensure_venv "$tools/litellm-venv" "$litellm_requirements"
}

# Installs everything, and begins both builds. Most of what takes long needs the release build only, so the other one is
# given what that leaves of the processors, and goes on beside those tests.
prepare() {
  install_packages_for_tests
  rm -f "$tools"/*.status "$tools"/*.times
  in_background install_environments >"$tools/environments.log" 2>&1
  local environments=$!
  $fast || in_background run_lane release
  in_background run_lane tests
  # Nothing can be tested if this fails, so it ends the run.
  if ! wait "$environments"; then
    cat "$tools/environments.log"
    die 'the Python environments cannot be installed'
  fi
  use_environments
  # Without it the Swift tests are run all the same.
  $fast || wait_for release || true
}

# Waits until the job $1 has ended. False if it has failed.
wait_for() {
  until [[ -s $tools/$1.status ]]; do sleep 1; done
  [[ $(<"$tools/$1.status") == 0 ]]
}

# Has the tests find what `install_environments` has installed.
use_environments() {
  CODEX_BIN=$(codex_in_venv "$tools/venv")
  export CODEX_BIN LITELLM_PYTHON=$tools/litellm-venv/bin/python
  # The fake engine is a Python program that is started more than a thousand times, and what stands first on PATH may be
  # a version manager's shell script.
  export PATH=$tools/venv/bin:$PATH
}

# What has to pass besides both builds, in the order in which it is begun: what takes long first, and of that first what
# needs no more than the release build.
list_jobs() {
  local folder
  $fast || printf '%s\n' Clients functions Stress
  for folder in Tests/*Tests; do say "$(basename "$folder")"; done
  $fast || printf '%s\n' "${stress_apart[@]}" benchmarks Terminal Dashboard Deploy
  say layout
}

# Runs the job $1: a check of its own, a folder of Swift tests, or a folder or file of pytest's.
run_job() {
  case $1 in
    layout) swift format lint --strict -r Package.swift Sources Tests ;;
    release) build_release ;;
    tests) nice -n 15 swift build --build-tests "${test_build[@]}" ;;
    *Tests) with_tests "$1" ;;
    *) with_release "$1" ;;
  esac
}

# Runs the Swift tests of the folder $1.
with_tests() {
  wait_for tests || die 'there are no Swift tests'
  # The program itself: of `swift test`, and of `swift build` too, SwiftPM runs one at a time in a checkout.
  .build-tests/debug/CodexBridgePackageTests.xctest --testing-library swift-testing --filter "^$1\."
}

# Runs the job $1, which needs the release build.
with_release() {
  wait_for release || die 'there is no release build'
  export BRIDGED_BIN=$release_program
  case $1 in
    benchmarks) run_benchmarks ;;
    functions) run_pytest Tests/Clients/test_tool*.py ;;
    Clients) run_pytest Tests/Clients --ignore-glob="$repo/Tests/Clients/test_tool*.py" ;;
    Stress) run_pytest Tests/Stress "${stress_apart[@]/#/--ignore=Tests/}" ;;
    *) run_pytest "Tests/$1" ;;
  esac
}

# One after the other, since both build the same helpers. The first fails when an answer was wrong, never because of a
# time; the second when a count has moved.
run_benchmarks() {
  local status=0
  Tests/Benchmarks/run.sh --smoke || status=$?
  Tests/Benchmarks/instructions.sh || status=$?
  return "$status"
}

run_pytest() { "$tools/venv/bin/python" -m pytest "$@"; }

# They take more than a gigabyte together, so only who asks for all gets them.
run_frameworks() {
  local file name
  for file in Tests/Frameworks/requirements-*.txt; do
    name=${file##*/requirements-}
    ensure_venv "$frameworks/${name%.txt}" "$file" || return
  done
  FRAMEWORKS=$frameworks run_pytest Tests/Frameworks
}

# Runs the job $1 into its log and keeps its status in $tools/NAME.status.
run_lane() {
  local status=0 name start=$SECONDS
  name=$(name_of "$1")
  (run_job "$1") >"$tools/$name.log" 2>&1 || status=$?
  say "$status" >"$tools/$name.status"
  times >"$tools/$name.times"
  # Its last line is what the commands have used of the processors: in user mode and in the kernel.
  say "    $name: status $status after $((SECONDS - start)) s, $(tail -n 1 "$tools/$name.times")"
}

# The name that the job $1 has in messages and for its files.
name_of() {
  local name=${1,,}
  name=${name%.py}
  say "${name//\//-}"
}

# Runs all jobs, some side by side. What they print is shown when all have ended, since several runners at once would
# tear each other's lines.
run_jobs() {
  local job name jobs
  mapfile -t jobs < <(list_jobs)
  say "==> $lanes at a time: ${jobs[*]}"
  for job in "${jobs[@]}"; do
    while (($(jobs -rp | wc -l) >= lanes)); do wait -n || true; done
    in_background run_lane "$job"
  done
  wait
  jobs=(tests "${jobs[@]}")
  $fast || jobs=(release "${jobs[@]}")
  for job in "${jobs[@]}"; do
    name=$(name_of "$job")
    say "==> $name"
    cat "$tools/$name.log"
    [[ $(<"$tools/$name.status") == 0 ]] || failures+=("$name")
    keep_summary "$name"
  done
}

# OpenWebUI as pip installs it, in an environment of its own.
test_openwebui() {
  ensure_venv "$tools/openwebui-venv" "$openwebui_requirements" || return
  OPENWEBUI_BIN=$tools/openwebui-venv/bin/open-webui run_pytest Tests/OpenWebUI
}

# What the part $1 of what is shipped needs.
install_packages_for_shipping() {
  local packages=()
  command -v debootstrap >/dev/null || packages+=(debootstrap)
  case $1 in
    packages) command -v lintian >/dev/null || packages+=(lintian) ;;
    systemd) command -v systemd-nspawn >/dev/null || packages+=(systemd-container) ;;
    image) command -v buildah >/dev/null || packages+=(buildah) ;;
  esac
  install_packages "${packages[@]}"
}

# The part $1: what is shipped, in systems made for it.
test_shipping() {
  if ((EUID != 0)); then
    warn "$1: only root may make systems and boot them"
    return 1
  fi
  install_packages_for_shipping "$1" || return
  if [[ $1 != image ]]; then
    rm -rf "$tools/packages"
    deploy/package.sh --output "$tools/packages" || return
  fi
  PACKAGES=$tools/packages ROOTS=$tools/roots run_pytest "Tests/Shipping/test_$1.py"
}

# The part $1 of what takes long.
run_part() {
  export BRIDGED_BIN=$release_program
  case $1 in
    frameworks) run_frameworks ;;
    openwebui) test_openwebui ;;
    packages | systemd | image) test_shipping "$1" ;;
    stress) run_pytest Tests/Stress --full ;;
    soak) "$tools/venv/bin/python" Tests/Stress/soak.py ;;
    benchmarks) Tests/Benchmarks/run.sh ;;
    # Its tests run the program that was built with the sanitizer.
    sanitizers) env -u BRIDGED_BIN Tests/sanitize.sh ;;
  esac
}

# Parts of what takes long: one after the other and undisturbed, since their figures are read.
run_in_full() {
  local part
  for part in "$@"; do check "full-$part" run_part "$part"; done
}

# Some parts only, with what they need.
run_parts_alone() {
  install_packages_for_tests
  install_environments
  use_environments
  build_release
  run_in_full "$@"
}

main() {
  fast=false full=false
  local parts=()
  while (($# > 0)); do
    case $1 in
      --fast) fast=true ;;
      --full) full=true ;;
      --help | -h)
        usage
        exit 0
        ;;
      [a-z]*)
        [[ " ${all_parts[*]} " == *" $1 "* ]] || die "there is no part $1 of --full: ${all_parts[*]}"
        parts+=("$1")
        ;;
      *) die_of_unknown_option "$1" --fast --full --help ;;
    esac
    shift
  done
  if $fast && $full; then die '--fast and --full exclude each other'; fi
  if ((${#parts[@]} > 0)) && ! $full; then die "${parts[0]} is a part of --full"; fi
  mkdir -p "$tools"
  # The Swift tests take the program beside them.
  unset BRIDGED_BIN
  trap end_background EXIT
  if ((${#parts[@]} > 0)); then
    run_parts_alone "${parts[@]}"
  else
    prepare
    run_jobs
    if $full; then run_in_full "${all_parts[@]}"; fi
  fi

  say '==> results'
  ((${#closing_lines[@]} == 0)) || printf '%s\n' "${closing_lines[@]}"
  if ((${#failures[@]} > 0)); then
    die "failed: ${failures[*]}"
  fi
  say 'everything passed'
}

main "$@"
