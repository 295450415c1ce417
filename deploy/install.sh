#!/usr/bin/env bash
# Installs what CodexBridge needs, builds `bridged` and starts it.
# `deploy/install.sh --help` has the options.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=deploy/lib.sh
source "$repo/deploy/lib.sh"
# shellcheck source=deploy/service.sh
source "$repo/deploy/service.sh"
# shellcheck source=deploy/uninstall.sh
source "$repo/deploy/uninstall.sh"

readonly build_flags=(-c release --static-swift-stdlib --product bridged)
readonly data_dir=${XDG_DATA_HOME:-$HOME/.local/share}/codexbridge
readonly codex_venv=$data_dir/codex
# Where `bridged` looks for Codex if there is none on PATH.
readonly codex_link=$data_dir/bin/codex
readonly own_options=(
  --yes --dry-run --login --no-start --help --service --socket --prefix --binary --uninstall --purge
)
# What `bridged serve` takes: known here, so that a mistyped one is not found out after minutes of building.
readonly bridged_switches=(--demo)
readonly bridged_options=(--host --port --model --workdir --sandbox --codex-bin --log-level --env-file --set)

usage() {
  cat <<'HELP'
Usage: deploy/install.sh [OPTION]... [--] [FLAG OF bridged]...
       deploy/install.sh --service [--socket] [OPTION]...
       deploy/install.sh --uninstall [--purge] [--service] [OPTION]...

Installs what is missing (libuv, utf8proc, libmd, SQLite, pkg-config, python3-venv with apt; the
Codex CLI from PyPI, unless you have one), builds bridged and starts `bridged serve` in the
foreground. Says first what it will do, and asks once. Run it again at any time:
what is done already is not done twice.

  --yes         do not ask
  --dry-run     print the plan and stop; changes nothing
  --login       log Codex in (`codex login`) before anything is built
  --no-start    install and build only
  --help        this text

Everything else goes to bridged, for example:
  deploy/install.sh --yes --demo          no login needed: Codex with a stand-in model
  deploy/install.sh -- --port 9000

As a system service, with an account of its own, started by systemd:
  --service     install bridged, Codex, /etc/bridged/bridged.env and the unit; start it
  --socket      with it, a socket that stays open while the service restarts
  --prefix DIR  where bridged goes (default: /usr/local, so /usr/local/bin/bridged)
  --binary FILE install this bridged instead of building one
  --uninstall   say what is found of all this on the machine, and remove it: the service,
                what was built in .build and the Codex CLI that was installed for it.
                Settings and conversations stay; with --service, all but the service too
  --purge       with --uninstall, remove settings, conversations and the service's
                account too. A login of your own (~/.codex) is never touched

Environment: CODEX_BIN names the codex to use (default: the one on PATH, else one
is installed; a service has its own in /opt/codexbridge unless this is set);
XDG_DATA_HOME says where that one goes; DESTDIR puts the files of --service below
that directory and does nothing else.
HELP
}

parse_arguments() {
  assume_yes=false dry_run=false login=false start=true bridged_flags=()
  service=false with_socket=false uninstall=false purge=false prefix='' binary=''
  while (($# > 0)); do
    case $1 in
      --yes | -y) assume_yes=true ;;
      --dry-run) dry_run=true ;;
      --login) login=true ;;
      --no-start) start=false ;;
      --service) service=true ;;
      --socket) service=true with_socket=true ;;
      --uninstall) uninstall=true ;;
      --purge) purge=true ;;
      --prefix=*) prefix=${1#*=} ;;
      --binary=*) binary=${1#*=} ;;
      --prefix | --binary)
        (($# > 1)) || die "$1 needs a value."
        if [[ $1 == --prefix ]]; then prefix=$2; else binary=$2; fi
        shift
        ;;
      --help | -h)
        usage
        exit 0
        ;;
      --)
        shift
        while (($# > 0)); do
          take_bridged_flag "$@"
          shift "$taken"
        done
        break
        ;;
      *)
        take_bridged_flag "$@"
        shift $((taken - 1))
        ;;
    esac
    shift
  done
  if $purge && ! $uninstall; then die '--purge goes with --uninstall.'; fi
  if $uninstall; then
    [[ -z $binary ]] || die '--binary does not go with --uninstall.'
    ! $login || die '--login does not go with --uninstall.'
    return
  fi
  if [[ -n $prefix$binary ]] && ! $service; then die '--prefix and --binary go with --service.'; fi
  # The service's Codex belongs to another account; --service says how to log that in.
  if $login && $service; then die '--login does not go with --service.'; fi
}

# Takes $1, with $2 as its value if it needs one, as a flag for bridged. Sets: taken (how many arguments that were).
take_bridged_flag() {
  taken=1
  if is_among "$1" "${bridged_switches[@]}"; then
    :
  elif is_among "${1%%=*}" "${bridged_options[@]}"; then
    if [[ $1 != *=* ]]; then
      [[ $# -gt 1 && $2 != -* ]] || die "$1 needs a value."
      taken=2
    fi
  elif [[ $1 == -* ]]; then
    die_of_unknown_option "$1" "${own_options[@]}" "${bridged_switches[@]}" "${bridged_options[@]}"
  else
    die "unexpected argument $1 (see --help)"
  fi
  bridged_flags+=("${@:1:taken}")
}

# Finds out what there is. Sets: codex (a path; empty if it has to be installed),
# packages (Debian names of what is missing).
inspect() {
  require_swift
  codex=''
  if [[ -n ${CODEX_BIN-} ]]; then
    codex=$(command -v "$CODEX_BIN") || die "CODEX_BIN=$CODEX_BIN is not an executable."
  elif codex=$(command -v codex); then
    :
  elif venv_is_current "$codex_venv" "$CODEX_PACKAGE"; then
    codex=$(codex_in_venv "$codex_venv")
  else
    codex=''
  fi
  local needs=''
  [[ -n $codex ]] || needs=python
  mapfile -t packages < <(missing_packages "$needs")
}

print_plan() {
  say 'CodexBridge: this will'
  if ((${#packages[@]} > 0)); then
    local how='with apt'
    ((EUID == 0)) || how='with sudo and apt'
    say "  - install $how: ${packages[*]}"
  fi
  if [[ -z $codex ]]; then
    say "  - install the Codex CLI ($CODEX_PACKAGE, from PyPI, about 400 MB) in $codex_venv"
  else
    say "  - use the Codex CLI at $codex"
  fi
  if $login; then
    say '  - log it in: codex login'
  fi
  say "  - build bridged in $repo/.build: swift build ${build_flags[*]}"
  if $start; then
    local command=(bridged serve "${bridged_flags[@]}")
    say "  - start it in this terminal: ${command[*]}"
    check_port
  fi
}

# Before the build, which takes minutes. A settings file may name another port, so this is no reason to stop.
check_port() {
  local port=${PORT:-8080} index
  for index in "${!bridged_flags[@]}"; do
    case ${bridged_flags[index]} in
      --port) port=${bridged_flags[index + 1]} ;;
      --port=*) port=${bridged_flags[index]#*=} ;;
    esac
  done
  [[ $port =~ ^[0-9]{1,5}$ ]] || die "$port is no port: expected a number up to 65535"
  if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
    warn "install.sh: something listens on 127.0.0.1:$port already; end it, or add --port $((port + 1))"
  fi
}

confirm() {
  $assume_yes && return
  [[ -t 0 ]] || die 'there is no terminal to ask on; run it again with --yes.'
  local reply
  read -r -p 'Go ahead? [Y/n] ' reply || reply=n
  case $reply in
    '' | [Yy] | [Yy][Ee][Ss]) ;;
    *) die 'nothing was changed.' ;;
  esac
}

install_missing() {
  install_packages "${packages[@]}"
  require_working_swift
  if [[ -z $codex ]]; then
    say "Installing the Codex CLI in $codex_venv"
    ensure_venv "$codex_venv" "$CODEX_PACKAGE"
    codex=$(codex_in_venv "$codex_venv")
  fi
  link_codex
}

# Has `bridged` find what is in the environment, also when somebody starts it by hand.
link_codex() {
  [[ $codex == "$codex_venv"/* ]] || return 0
  mkdir -p "$(dirname "$codex_link")"
  ln -sfn "$codex" "$codex_link"
}

# First of all, so that nobody has to wait for it.
log_in() {
  say "Logging Codex in. If this machine has no browser, run this instead: $codex login --device-auth"
  "$codex" login || die "the login failed; try again with: $codex login"
}

# Sets: bridged (its path). SwiftPM itself knows whether there is work to do.
build() {
  local BRIDGED_COMMIT
  BRIDGED_COMMIT=$(checked_out_commit "$repo")
  export BRIDGED_COMMIT
  swift build --package-path "$repo" "${build_flags[@]}"
  bridged=$(swift build --package-path "$repo" "${build_flags[@]}" --show-bin-path)/bridged
  [[ -x $bridged ]] || die "the build ended well, but there is no $bridged."
}

main() {
  parse_arguments "$@"
  if $uninstall; then
    uninstall_main
    return
  fi
  if $service; then
    service_main
    return
  fi
  inspect
  print_plan
  if $dry_run; then
    return
  fi
  confirm
  install_missing
  if $login; then
    log_in
  fi
  build
  if $start; then
    # In the caller's directory: it is the default working directory of the agent.
    CODEX_BIN=$codex exec "$bridged" serve "${bridged_flags[@]}"
  fi
  say "Built $bridged"
  if [[ -n ${CODEX_BIN-} ]]; then
    say "Start it with: CODEX_BIN=$codex $bridged serve"
  else
    say "Start it with: $bridged serve"
  fi
}

main "$@"
