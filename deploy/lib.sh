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

# ---- options ----------------------------------------------------------------

# Whether $1 is one of $2….
is_among() {
  local each
  for each in "${@:2}"; do
    [[ $each != "$1" ]] || return 0
  done
  return 1
}

# Ends the script because of the unknown option $1. $2…: those there are, the closest of which is named.
die_of_unknown_option() {
  local option=${1%%=*} known best='' distance least=4
  shift
  for known in "$@"; do
    # There is such an option, but not with a value, or not in this place.
    [[ $known != "$option" ]] || die "$option takes no value, or is out of place (see --help)"
    distance=$(edit_distance "$option" "$known")
    if ((distance < least)); then
      least=$distance best=$known
    fi
  done
  die "unknown option $option${best:+; did you mean $best?} (--help lists them all)"
}

# Prints how many characters have to be added, removed or exchanged to make $2 of $1.
edit_distance() {
  local from=$1 to=$2 i j above diagonal least row=()
  for ((j = 0; j <= ${#to}; j++)); do row[j]=$j; done
  for ((i = 1; i <= ${#from}; i++)); do
    diagonal=${row[0]} row[0]=$i
    for ((j = 1; j <= ${#to}; j++)); do
      above=${row[j]} least=$diagonal
      [[ ${from:i-1:1} == "${to:j-1:1}" ]] || least=$((least + 1))
      ((above + 1 >= least)) || least=$((above + 1))
      ((row[j - 1] + 1 >= least)) || least=$((row[j - 1] + 1))
      diagonal=$above row[j]=$least
    done
  done
  say "${row[${#to}]}"
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

# Prints which commit the checkout $1 has, for a build to remember (BRIDGED_COMMIT of Package.swift): its number, and
# `-dirty` behind it where files differ from it. Nothing where $1 is no checkout of its own.
checked_out_commit() {
  if [[ -e $1/.git ]]; then
    git -C "$1" describe --always --dirty --abbrev=12 --exclude='*' 2>/dev/null || true
  fi
}

# ---- system packages --------------------------------------------------------

# Whether the library that pkg-config calls $1 is here, with its header $2.
has_library() {
  # Without pkg-config there is no asking it; then the header has to do.
  if command -v pkg-config >/dev/null; then
    pkg-config --exists "$1"
  else
    [[ -e /usr/include/$2 ]]
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
  has_library libuv uv.h || say libuv1-dev
  has_library libutf8proc utf8proc.h || say libutf8proc-dev
  has_library libmd sha2.h || say libmd-dev
  has_library sqlite3 sqlite3.h || say libsqlite3-dev
  command -v pkg-config >/dev/null || say pkg-config
  if [[ ${1-} == python ]]; then
    has_python_venv || say python3-venv
  fi
}

# Runs a command as root; `sudo` only if we are not root already.
as_root() {
  if ((EUID == 0)); then
    "$@"
  else
    require_root "$@"
    sudo "$@"
  fi
}

# Ends the script with advice where the command $@ could not be run as root.
require_root() {
  ((EUID == 0)) || command -v sudo >/dev/null ||
    die "this needs root, and there is no sudo. As root, run: $*"
}

# Installs Debian packages: $@ (none is fine).
install_packages() {
  (($# > 0)) || return 0
  if ! command -v apt-get >/dev/null; then
    warn "Missing: $* (these are Debian's names), and this is no Debian or Ubuntu."
    warn 'With another package manager, libuv, utf8proc, libmd (SHA-256) and SQLite with their headers are called:'
    warn '  Fedora libuv-devel utf8proc-devel libmd-devel sqlite-devel · Arch libuv libutf8proc libmd sqlite'
    warn '  openSUSE libuv-devel utf8proc-devel libmd-devel sqlite3-devel'
    warn '  Alpine libuv-dev utf8proc-dev libmd-dev sqlite-dev'
    warn '  Homebrew libuv utf8proc libmd sqlite'
    die 'install the missing packages, then run this again.'
  fi
  # The package lists may be absent or old: fetch them only if that is so.
  apt_get as_root install --no-install-recommends "$@" && return 0
  say 'Fetching the package lists and trying again.'
  apt_get as_root update
  apt_get as_root install --no-install-recommends "$@"
}

# How long to wait for another program that has apt's locks. A machine that has just been started updates itself for
# some minutes; after more than this something is wrong, and its message is worth seeing.
readonly APT_LOCK_SECONDS=600
readonly APT_RETRY_SECONDS=3

# Runs apt-get with $2…, by way of $1: `as_root`, or `env` for what needs no root. Waits while another program has one
# of its locks. apt's own DPkg::Lock::Timeout covers the locks of dpkg only: not those of the package lists and of the
# downloads, for which it fails at once.
apt_get() {
  local runner=$1 errors status deadline=$((SECONDS + APT_LOCK_SECONDS)) told=false
  shift
  # Said here, while standard error is still the caller's.
  [[ $runner != as_root ]] || require_root apt-get "$@"
  errors=$(mktemp)
  while true; do
    status=0
    # In English, for what is looked for below.
    "$runner" env LC_ALL=C DEBIAN_FRONTEND=noninteractive \
      apt-get -y -o "DPkg::Lock::Timeout=$APT_LOCK_SECONDS" "$@" 2>"$errors" || status=$?
    if ((status == 0 || SECONDS >= deadline)) || ! grep -q '^E: Could not get lock' "$errors"; then
      break
    fi
    $told || warn "Waiting for another program that installs packages: $(grep -m 1 '^E: Could not get lock' "$errors")"
    told=true
    sleep "$APT_RETRY_SECONDS"
  done
  cat "$errors" >&2
  rm -f "$errors"
  return "$status"
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
  # Python compiles what it imports, which is a small part of all that is there.
  "$dir/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile "${arguments[@]}" || return
  venv_stamp "$@" >"$dir/stamp"
}

# Prints the path of the Codex binary inside the environment $1. It has to stay
# where it is: its helper codex-code-mode-host lies beside it.
codex_in_venv() {
  "$1/bin/python" -c 'import codex_cli_bin; print(codex_cli_bin.bundled_codex_path())'
}
