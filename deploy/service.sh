# shellcheck shell=bash
# `deploy/install.sh --service`: CodexBridge as a system service. To be sourced by
# install.sh, after lib.sh; defines functions and constants only.
# shellcheck disable=SC2154 # The options and the build are install.sh's.

readonly SERVICE_USER=bridged
# In the comment field of the account, so that --purge deletes no account of somebody else's.
readonly SERVICE_COMMENT='CodexBridge service'
readonly STATE_DIR=/var/lib/bridged
readonly OPT_DIR=/opt/codexbridge
readonly ETC_DIR=/etc/bridged
readonly ENV_FILE=$ETC_DIR/bridged.env
readonly UNIT_DIR=/etc/systemd/system
readonly CODEX_LINK=$OPT_DIR/bin/codex
# The unit of the Debian package (deploy/package.sh), whose service has the same name, account and data.
readonly PACKAGED_UNIT=/usr/lib/systemd/system/bridged.service

# A staged install (DESTDIR) touches nothing but files below it: no account, no
# owners, no systemctl, and root is not needed.
staged() { [[ -n ${DESTDIR-} ]]; }
systemd_runs() { ! staged && [[ -d /run/systemd/system ]]; }
is_packaged() { [[ -e ${DESTDIR-}$PACKAGED_UNIT ]]; }
has_service_user() { getent passwd "$SERVICE_USER" >/dev/null; }

# Sets: prefix. An installed unit knows it, if nobody says otherwise.
resolve_prefix() {
  if [[ -z $prefix ]]; then
    local unit=${DESTDIR-}$UNIT_DIR/bridged.service
    if [[ -f $unit ]]; then
      prefix=$(sed -n 's|^ExecStart=\(/.*\)/bin/bridged serve$|\1|p' "$unit")
    fi
    prefix=${prefix:-/usr/local}
  fi
  prefix=${prefix%/}
  [[ $prefix =~ ^(/[A-Za-z0-9._+-]+)+$ ]] || die "--prefix needs an absolute, plain path."
  if in_home "$prefix"; then
    die "--prefix $prefix is inside a home directory, which the service cannot see."
  fi
}

# Sets: units, with_socket.
resolve_units() {
  # The socket first: a service that starts before it would take its address.
  units=(bridged.service)
  # A socket that is there stays, also when it is not asked for again.
  if [[ -e ${DESTDIR-}$UNIT_DIR/bridged.socket ]]; then with_socket=true; fi
  if $with_socket; then units=(bridged.socket "${units[@]}"); fi
}

in_home() { [[ $1/ =~ ^(/home|/root|/run/user)/ ]]; }

# `su` without `-` leaves out where useradd and userdel are.
PATH=$PATH:/usr/sbin:/sbin

# ---- what there is ----------------------------------------------------------

# Sets: service_codex (the Codex CLI to link to; empty: install one), service_packages.
inspect_service() {
  if [[ -n $binary ]]; then
    [[ -f $binary && -x $binary ]] || die "--binary $binary is not an executable."
    binary=$(realpath "$binary")
  else
    require_swift
  fi
  service_codex=''
  if [[ -n ${CODEX_BIN-} ]]; then
    service_codex=$(command -v "$CODEX_BIN") || die "CODEX_BIN=$CODEX_BIN is not an executable."
    # A link would hide Codex's helpers from it: they lie beside the real file.
    service_codex=$(realpath "$service_codex")
    if in_home "$service_codex"; then
      die "$service_codex is inside a home directory, which the service cannot see;" \
        "unset CODEX_BIN to have Codex installed in $OPT_DIR."
    fi
  fi
  service_packages=()
  staged || mapfile -t service_packages < <(missing_for_service)
}

# Prints the Debian names of what is missing to build, install and run the service.
missing_for_service() {
  if [[ -n $binary ]]; then
    local libraries
    libraries=$(ldd "$binary" 2>/dev/null) || true
    [[ ! $libraries =~ libuv[^$'\n']*not\ found ]] || say libuv1
    # The package has the number of the library's version, which depends on the release.
    [[ ! $libraries =~ libutf8proc\.so\.([0-9]+)[^$'\n']*not\ found ]] || say "libutf8proc${BASH_REMATCH[1]}"
    [[ ! $libraries =~ libmd[^$'\n']*not\ found ]] || say libmd0
    [[ ! $libraries =~ libsqlite3[^$'\n']*not\ found ]] || say libsqlite3-0
    [[ ! $libraries =~ libstdc[^$'\n']*not\ found ]] || say libstdc++6
  else
    missing_packages
  fi
  if [[ -z $service_codex ]]; then
    has_python_venv || say python3-venv
  fi
  # The bridge fetches images with it.
  command -v curl >/dev/null || printf '%s\n' curl ca-certificates
}

print_service_plan() {
  say "CodexBridge as a system service: this will${DESTDIR:+, below $DESTDIR,}"
  if ((${#service_packages[@]} > 0)); then
    say "  - install with apt: ${service_packages[*]}"
  fi
  if [[ -n $binary ]]; then
    say "  - install $binary as $prefix/bin/bridged"
  else
    say "  - build bridged in $repo/.build: swift build ${build_flags[*]}"
    say "  - install it, stripped, as $prefix/bin/bridged"
  fi
  if [[ -n $service_codex ]]; then
    say "  - link $CODEX_LINK to the Codex CLI at $service_codex"
  else
    say "  - install the Codex CLI ($CODEX_PACKAGE, from PyPI, about 400 MB) in $OPT_DIR/codex"
  fi
  if ! staged && ! has_service_user; then
    say "  - create the system account $SERVICE_USER"
  fi
  if [[ -e ${DESTDIR-}$ENV_FILE ]]; then
    say "  - keep $ENV_FILE as it is"
  else
    say "  - write $ENV_FILE, with a random CODEX_BRIDGE_API_KEY"
  fi
  say "  - write $UNIT_DIR/bridged.service"
  if $with_socket; then
    say "  - write $UNIT_DIR/bridged.socket, which listens on 127.0.0.1:8080 in the service's place"
  fi
  if staged; then
    say '  - start nothing'
  elif systemd_runs; then
    say "  - have systemd read its units again, enable ${units[*]} and start them"
  else
    print_skipped 'start it: systemd does not run here'
  fi
}

# What a system with a running systemd would have seen. $1: why it does not happen.
print_skipped() {
  say "  - not $1. Where it runs, this does the rest:"
  say "      systemctl daemon-reload && systemctl enable --now ${units[*]}"
}

# ---- installing -------------------------------------------------------------

service_main() {
  ((${#bridged_flags[@]} == 0)) ||
    die "a service takes no flags (${bridged_flags[*]}): its settings are in $ENV_FILE."
  if is_packaged; then
    die "the package codexbridge has a service here ($PACKAGED_UNIT); remove it first: apt-get remove codexbridge"
  fi
  resolve_prefix
  resolve_units
  inspect_service
  print_service_plan
  if $dry_run; then return; fi
  confirm
  if [[ -z $binary ]]; then
    # Building is no work for root; apt is asked for what it needs first.
    install_packages "${service_packages[@]}"
    require_working_swift
    build
    binary=$bridged service_packages=()
  fi
  if staged || ((EUID == 0)); then
    staged || install_packages "${service_packages[@]}"
    install_service
  else
    local arguments=(--service --yes --binary "$binary" --prefix "$prefix")
    if $with_socket; then arguments+=(--socket); fi
    as_root env "CODEX_BIN=$service_codex" bash "$repo/deploy/install.sh" "${arguments[@]}"
  fi
}

install_service() {
  umask 022
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  changed=false
  install_binary
  install_codex
  if ! staged && ! has_service_user; then
    useradd --system --user-group --no-create-home --home-dir "$STATE_DIR" \
      --shell /usr/sbin/nologin --comment "$SERVICE_COMMENT" "$SERVICE_USER"
    say "Created the account $SERVICE_USER"
  fi
  install_environment
  sed "s|^ExecStart=/usr/local/|ExecStart=$prefix/|" "$repo/deploy/bridged.service" >"$scratch/bridged.service"
  put "$scratch/bridged.service" "$UNIT_DIR/bridged.service" 0644
  if $with_socket; then
    put "$repo/deploy/bridged.socket" "$UNIT_DIR/bridged.socket" 0644
  fi
  start_service
  say
  say "Codex has to be logged in once (a provider of its own, with the key in $ENV_FILE, needs no login). As root:"
  say "  runuser -u $SERVICE_USER -- env HOME=$STATE_DIR CODEX_HOME=$STATE_DIR/codex $CODEX_LINK login --device-auth"
}

# Puts the file $1 at $2 with the mode $3, in one step, unless it is there already.
# Sets: changed, if it was not.
put() {
  local target=${DESTDIR-}$2
  if cmp -s "$1" "$target" && [[ $(stat -c %a "$target") == "${3#0}" ]]; then
    return 0
  fi
  install -D -m "$3" "$1" "$target.new"
  mv -f "$target.new" "$target"
  changed=true
  say "Wrote $target"
}

install_binary() {
  local stripped=$scratch/bridged
  if ! command -v strip >/dev/null || ! strip -o "$stripped" "$binary" 2>/dev/null; then
    cp "$binary" "$stripped"
  fi
  put "$stripped" "$prefix/bin/bridged" 0755
}

# The Codex CLI where the service's user can reach it, under a name that the unit knows.
install_codex() {
  local venv=${DESTDIR-}$OPT_DIR/codex target=$service_codex link=${DESTDIR-}$CODEX_LINK
  if [[ -z $target ]]; then
    venv_is_current "$venv" "$CODEX_PACKAGE" || say "Installing the Codex CLI in $venv"
    ensure_venv "$venv" "$CODEX_PACKAGE"
    target=$(codex_in_venv "$venv")
    target=${target#"${DESTDIR-}"}
  fi
  if [[ $(readlink "$link") != "$target" ]]; then
    mkdir -p "$(dirname "$link")"
    ln -sfn "$target" "$link"
    changed=true
    say "Linked $link to $target"
  fi
}

# Written once; from then on it is the user's.
install_environment() {
  local target=${DESTDIR-}$ENV_FILE key
  if [[ -e $target ]]; then
    say "Kept $target"
    return
  fi
  key=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')
  # The key never stands in an argument, where other users would see it.
  (
    umask 077
    while IFS= read -r line; do
      case $line in
        '#CODEX_BRIDGE_API_KEY='*) say "CODEX_BRIDGE_API_KEY=$key" ;;
        *) say "$line" ;;
      esac
    done <"$repo/deploy/bridged.env.example" >"$scratch/bridged.env"
  )
  install -d -m 0755 "$(dirname "$target")"
  # Root's alone: systemd reads it, and the commands Codex runs as the service's user must not.
  install -m 0640 "$scratch/bridged.env" "$target"
  changed=true
  say "Wrote $target; the key clients need is in it (CODEX_BRIDGE_API_KEY=${key:0:4}…)"
}

start_service() {
  if staged; then return; fi
  if ! systemd_runs; then
    print_skipped 'started: systemd does not run here'
    return
  fi
  systemctl daemon-reload
  systemctl --quiet enable "${units[@]}"
  if $with_socket && ! systemctl --quiet is-active bridged.socket; then
    systemctl stop bridged.service
    systemctl start bridged.socket
  fi
  local verb=start
  if $changed; then verb=restart; fi
  systemctl "$verb" bridged.service || die 'it did not start; see: journalctl -u bridged'
  say "Running: $(systemctl show -p StatusText --value bridged.service)"
}
