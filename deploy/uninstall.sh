# shellcheck shell=bash
# `deploy/install.sh --uninstall`: finds what install.sh has put on this machine, says
# so, and removes it. To be sourced by install.sh, after service.sh; defines functions
# only.
# shellcheck disable=SC2154 # The options are install.sh's.

uninstall_main() {
  ((${#bridged_flags[@]} == 0)) || die "--uninstall takes no flags of bridged (${bridged_flags[*]})."
  resolve_prefix
  resolve_units
  find_service
  find_own
  if ((${#service_files[@]} + ${#own_files[@]} == 0)) && ! deletes_user; then
    say "CodexBridge: nothing is installed here that this could remove.${DESTDIR:+ (below $DESTDIR)}"
    print_kept
    return
  fi
  print_removal
  if $dry_run; then return; fi
  confirm
  remove_own
  remove_service
  say 'Removed.'
}

# Sets: service_files (what --service has put in place and is still there), service_kept.
find_service() {
  local file files=("$prefix/bin/bridged" "$UNIT_DIR/bridged.service" "$UNIT_DIR/bridged.socket" "$OPT_DIR")
  service_files=() service_kept=()
  for file in "$ETC_DIR" "$STATE_DIR"; do
    # What a package's service uses is removed by purging the package.
    if $purge && ! is_packaged; then files+=("$file"); elif [[ -e ${DESTDIR-}$file ]]; then service_kept+=("$file"); fi
  done
  for file in "${files[@]}"; do
    [[ ! -e ${DESTDIR-}$file ]] || service_files+=("$file")
  done
}

# Sets: own_files (what an install without --service has left in this checkout and at home),
# own_kept (a person's: settings, conversations, the login).
find_own() {
  own_files=() own_kept=()
  if $service || staged; then return; fi
  local file files=("$repo/.build" "$codex_venv" "$codex_link") kept
  kept=("${XDG_CONFIG_HOME:-$HOME/.config}/bridged" "${XDG_STATE_HOME:-$HOME/.local/state}/bridged")
  for file in "${kept[@]}"; do
    if $purge; then files+=("$file"); elif [[ -e $file ]]; then own_kept+=("$file"); fi
  done
  for file in "${files[@]}"; do
    # Also a link that leads nowhere.
    [[ ! -e $file && ! -L $file ]] || own_files+=("$file")
  done
}

print_removal() {
  say "CodexBridge: this will${DESTDIR:+, below $DESTDIR,}"
  if ((${#service_files[@]} > 0)) && systemd_runs && ! is_packaged; then say "  - stop and disable ${units[*]}"; fi
  local file
  for file in "${service_files[@]}"; do
    say "  - remove $file$(size_of "${DESTDIR-}$file")"
  done
  for file in "${own_files[@]}"; do
    say "  - remove $file$(size_of "$file")"
  done
  ! deletes_user || say "  - delete the account $SERVICE_USER"
  print_kept
}

print_kept() {
  local file
  local how='--purge removes it'
  if is_packaged; then how='apt-get purge codexbridge removes it'; fi
  for file in "${service_kept[@]}"; do say "  - keep $file ($how)"; done
  for file in "${own_kept[@]}"; do say "  - keep $file (--purge removes it)"; done
  if $service || staged; then return; fi
  # Codex's, also where no bridge is used.
  file=${CODEX_HOME:-$HOME/.codex}
  [[ ! -e $file ]] || say "  - keep $file (Codex's own: its login and threads)"
  say "  - keep $repo and what apt has installed"
}

# Prints how large $1 is, for people; nothing if that cannot be told.
size_of() {
  local size
  size=$(du -sh "$1" 2>/dev/null | cut -f 1) || true
  [[ -z $size ]] || say " ($size)"
}

remove_own() {
  local file
  for file in "${own_files[@]}"; do
    rm -rf "${file:?}"
  done
  # Made for what was in it; somebody else's files would keep it.
  for file in "$(dirname "$codex_link")" "$data_dir"; do
    [[ ! -d $file ]] || rmdir --ignore-fail-on-non-empty "$file"
  done
}

remove_service() {
  if ((${#service_files[@]} == 0)) && ! deletes_user; then return; fi
  if ! staged && ((EUID != 0)); then
    local arguments=(--uninstall --service --yes --prefix "$prefix")
    if $purge; then arguments+=(--purge); fi
    as_root bash "$repo/deploy/install.sh" "${arguments[@]}"
    return
  fi
  # The units of a package have the same names, and go on.
  if systemd_runs && ! is_packaged; then
    # Fails for units that are not there, which is as good.
    systemctl --quiet disable --now "${units[@]}" 2>/dev/null || true
  fi
  local file
  for file in "${service_files[@]}"; do
    rm -rf "${DESTDIR-}${file:?}"
  done
  if deletes_user; then userdel "$SERVICE_USER"; fi
  if systemd_runs; then
    systemctl daemon-reload
    systemctl reset-failed "${units[@]}" 2>/dev/null || true
  fi
}

deletes_user() {
  $purge && ! staged && ! is_packaged && has_service_user &&
    [[ $(getent passwd "$SERVICE_USER" | cut -d: -f5) == "$SERVICE_COMMENT" ]]
}
