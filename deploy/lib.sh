# shellcheck shell=bash
# Shared by deploy/install.sh and Tests/run.sh: looks for what CodexBridge needs
# and installs what is missing. To be sourced; defines functions and constants
# only. Nothing here asks a question: whoever calls has the user's consent.

# The Codex CLI this version was made and measured with. The PyPI package carries
# the binary, so that neither npm nor a download script is needed.
# shellcheck disable=SC2034 # Used by the scripts that source this file.
readonly CODEX_PACKAGE='openai-codex-cli-bin==0.163.0'
# Package.swift's tools version.
readonly SWIFT_MAJOR=6 SWIFT_MINOR=2

say() { printf '%s\n' "$*"; }
warn() { printf '%s\n' "$*" >&2; }
die() {
  warn "$(basename "$0"): $*"
  exit 1
}

# ---- Swift ------------------------------------------------------------------

# Ends the script with advice unless there is a `swift` on PATH.
require_swift() {
  command -v swift >/dev/null ||
    die "no \`swift\` on PATH. Install Swift $SWIFT_MAJOR.$SWIFT_MINOR or newer" \
      "(swift.org/install), open a new shell and run this again."
}

# Ends the script with advice unless `swift` runs and is new enough. To be called
# when what was missing is installed: a toolchain unpacked on a bare system lacks
# libraries until then.
require_working_swift() {
  local version
  version=$(swift --version 2>/dev/null) || die "\`swift --version\` failed; is the toolchain complete?"
  if [[ ! $version =~ Swift\ version\ ([0-9]+)\.([0-9]+) ]]; then
    die "cannot read a version from \`swift --version\`: $version"
  fi
  if ((BASH_REMATCH[1] < SWIFT_MAJOR ||
    (BASH_REMATCH[1] == SWIFT_MAJOR && BASH_REMATCH[2] < SWIFT_MINOR))); then
    die "Swift ${BASH_REMATCH[1]}.${BASH_REMATCH[2]} is too old:" \
      "CodexBridge needs $SWIFT_MAJOR.$SWIFT_MINOR or newer (swift.org/install)."
  fi
}

# ---- system packages --------------------------------------------------------

has_libuv() {
  # Without pkg-config there is no asking it; then the header has to do.
  if command -v pkg-config >/dev/null; then
    pkg-config --exists libuv
  else
    [[ -e /usr/include/uv.h ]]
  fi
}

has_libmd() {
  if command -v pkg-config >/dev/null; then
    pkg-config --exists libmd
  else
    [[ -e /usr/include/sha2.h ]]
  fi
}

# Debian ships `python3` without the half of venv that brings pip along.
has_python_venv() { python3 -c 'import ensurepip, venv' 2>/dev/null; }

# Prints what an unpacked Swift toolchain needs of Debian and does not find:
# its own libraries, a linker with the C++ library, and git for dependencies.
missing_for_swift() {
  if ! swift --version >/dev/null 2>&1; then
    printf '%s\n' libcurl4 libedit2 libncurses6 libsqlite3-0 libxml2 tzdata
  fi
  [[ -d /usr/include/c++ ]] || say g++
  command -v git >/dev/null || printf '%s\n' git ca-certificates
}

# Prints the Debian names of the packages that are missing, one a line.
# $1: `python` if a Python venv will be needed too.
missing_packages() {
  missing_for_swift
  has_libuv || say libuv1-dev
  has_libmd || say libmd-dev
  command -v pkg-config >/dev/null || say pkg-config
  if [[ ${1-} == python ]]; then
    has_python_venv || say python3-venv
  fi
}

# Runs a command as root; `sudo` only if we are not root already.
as_root() {
  if ((EUID == 0)); then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    die "this needs root, and there is no sudo. As root, run: $*"
  fi
}

# Installs Debian packages: $@ (none is fine).
install_packages() {
  (($# > 0)) || return 0
  if ! command -v apt-get >/dev/null; then
    warn "Missing: $* (these are Debian's names), and this is no Debian or Ubuntu."
    warn 'With another package manager, libuv with its headers is called:'
    warn '  Fedora libuv-devel · Arch libuv · openSUSE libuv-devel · Alpine libuv-dev · Homebrew libuv'
    warn 'and libmd (SHA-256) as libmd-devel or libmd-dev, else libmd.'
    die 'install the missing packages, then run this again.'
  fi
  local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -y --no-install-recommends)
  # The package lists may be absent or old: fetch them only if that is so.
  as_root "${apt[@]}" install "$@" && return 0
  say 'Fetching the package lists and trying again.'
  as_root "${apt[@]}" update
  as_root "${apt[@]}" install "$@"
}

# ---- Python environments ----------------------------------------------------

# Whether the environment $1 holds just the requirements $2… and works.
# The stamp is written last, so an install that was cut short does not count.
venv_is_current() {
  local dir=$1
  shift
  [[ -f $dir/stamp && $(<"$dir/stamp") == "$(venv_stamp "$@")" ]] &&
    "$dir/bin/python" -c '' 2>/dev/null
}

# What a stamp says: the requirements, with the contents of the files among them.
venv_stamp() {
  local requirement
  for requirement in "$@"; do
    if [[ -f $requirement ]]; then
      cat "$requirement"
    else
      say "$requirement"
    fi
  done
}

# Makes the environment $1 with the requirements $2… (files or pip requirements),
# unless it is there already.
ensure_venv() {
  local dir=$1 requirement arguments=()
  shift
  venv_is_current "$dir" "$@" && return 0
  for requirement in "$@"; do
    if [[ -f $requirement ]]; then
      arguments+=(--requirement "$requirement")
    else
      arguments+=("$requirement")
    fi
  done
  rm -f "$dir/stamp"
  mkdir -p "$(dirname "$dir")"
  # Said for a caller that goes on without it: `set -e` does not hold in a condition.
  python3 -m venv --clear "$dir" || return
  "$dir/bin/python" -m pip install --quiet --disable-pip-version-check "${arguments[@]}" || return
  venv_stamp "$@" >"$dir/stamp"
}

# Prints the path of the Codex binary inside the environment $1. It has to stay
# where it is: its helper codex-code-mode-host lies beside it.
codex_in_venv() {
  "$1/bin/python" -c 'import codex_cli_bin; print(codex_cli_bin.bundled_codex_path())'
}
