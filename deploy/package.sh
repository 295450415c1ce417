#!/usr/bin/env bash
# Builds the Debian package and the archive of CodexBridge. `deploy/package.sh --help` has the options.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=deploy/lib.sh
source "$repo/deploy/lib.sh"

readonly package=codexbridge
readonly own_options=(--arch --output --binary --swift-sdk --library-dir --help)
# As of install.sh, whose build this goes on from; and without looking for libraries where the program lies.
readonly build_flags=(-c release --static-swift-stdlib --disable-local-rpath --product bridged)
# Linked into the program. Of utf8proc, Debian 12 and 13 have libraries with different names (libutf8proc.so.2 and .3);
# Ubuntu 22.04 has libuv 1.43, which lacks a function that the bridge calls.
readonly static_libraries=(uv utf8proc)
# Everything else that the program may ask a system for, besides the loader: libraries that Debian 12 and 13 and Ubuntu
# from 22.04 have under the same names.
readonly shared_libraries=(
  libc.so.6 libcrypt.so.1 libdl.so.2 libgcc_s.so.1 libm.so.6 libmd.so.0 libpthread.so.0 libsqlite3.so.0 libstdc++.so.6
)
# What Ubuntu 22.04 has: glibc 2.35, and the C++ library of GCC 12. Debian 12 has newer ones.
readonly newest_symbols=(GLIBC_2.35 GLIBCXX_3.4.30 CXXABI_1.3.13 GCC_12.0.0)
# `RETURNING`, which the bridge uses, is older than what its functions alone would say.
readonly least_sqlite=3.35

usage() {
  cat <<'HELP'
Usage: deploy/package.sh [OPTION]...

Builds bridged and packs it for others: a Debian package for Debian 12, 13 and
Ubuntu from 22.04, and an archive for other systems with glibc 2.35 or newer.
Prints where they are.

  --arch NAME       amd64 or arm64 (default: this machine's). For the other one
                    it is cross-compiled, which nobody has tested: see below
  --output DIR      where they go (default: .build/package)
  --binary FILE     pack this bridged instead of building one. It has to be
                    linked like the one built here
  --help            this text

Cross-compiling needs binutils and the libraries of the other architecture (with
apt: binutils-aarch64-linux-gnu libuv1-dev:arm64 libutf8proc-dev:arm64
libmd-dev:arm64 libsqlite3-dev:arm64 libcrypt-dev:arm64), and
  --swift-sdk NAME  the Swift SDK for it (see: swift sdk list)
  --library-dir DIR where its libraries are (default: /usr/lib/TRIPLET)
HELP
}

parse_arguments() {
  arch='' output='' binary='' swift_sdk='' library_dir=''
  local option value
  while (($# > 0)); do
    option=${1%%=*}
    case $option in
      --help | -h)
        usage
        exit 0
        ;;
      --arch | --output | --binary | --swift-sdk | --library-dir)
        if [[ $1 == *=* ]]; then
          value=${1#*=}
        else
          (($# > 1)) || die "$1 needs a value."
          value=$2
          shift
        fi
        case $option in
          --arch) arch=$value ;;
          --output) output=$value ;;
          --binary) binary=$value ;;
          --swift-sdk) swift_sdk=$value ;;
          --library-dir) library_dir=$value ;;
        esac
        ;;
      -*) die_of_unknown_option "$1" "${own_options[@]}" ;;
      *) die "unexpected argument $1 (see --help)" ;;
    esac
    shift
  done
}

# Sets: arch, triplet (of GNU), is_native, work, output, version, day (of the version, as YYYY-MM-DD).
inspect() {
  command -v dpkg >/dev/null || die 'this needs dpkg, which Debian and Ubuntu have.'
  local native
  native=$(dpkg --print-architecture)
  arch=${arch:-$native}
  case $arch in
    amd64) triplet=x86_64-linux-gnu ;;
    arm64) triplet=aarch64-linux-gnu ;;
    *) die "--arch $arch: there is amd64 and arm64." ;;
  esac
  is_native=false
  [[ $arch != "$native" ]] || is_native=true
  if $is_native; then
    [[ -z $swift_sdk ]] || die "--swift-sdk goes with another --arch than this machine's, $native."
  elif [[ -z $swift_sdk && -z $binary ]]; then
    die "--arch $arch on $native needs --swift-sdk (see --help)."
  fi
  if [[ -n $binary ]]; then
    [[ -f $binary && -x $binary ]] || die "--binary $binary is not an executable."
    binary=$(realpath "$binary")
  fi
  library_dir=${library_dir:-/usr/lib/$triplet}
  work=$repo/.build/package/$arch
  output=${output:-$repo/.build/package}
  version=$(sed -n 's/.* text = "\([0-9][0-9.]*\)"$/\1/p' "$repo/Sources/Bridge/Base/BridgeVersion.swift")
  [[ -n $version ]] || die 'BridgeVersion.swift has no version.'
  day=$(sed -n "s/^## \[${version//./\\.}\] - \([0-9-]*\)$/\1/p" "$repo/deploy/CHANGELOG.md")
  [[ -n $day ]] || die "deploy/CHANGELOG.md has no line \`## [$version] - YYYY-MM-DD\`."
  # The same files whenever and wherever it is packed; dpkg-deb takes the time from here too.
  SOURCE_DATE_EPOCH=$(date -u -d "$day" +%s)
  export SOURCE_DATE_EPOCH
}

install_missing() {
  local packages=()
  command -v dpkg-shlibdeps >/dev/null || packages+=(dpkg-dev)
  command -v strip >/dev/null || packages+=(binutils)
  if [[ -z $binary ]]; then
    require_swift
    local libraries
    # shellcheck disable=SC2119 # None of its arguments is wanted.
    mapfile -t libraries < <(missing_packages)
    packages+=("${libraries[@]}")
  fi
  install_packages "${packages[@]}"
  [[ -n $binary ]] || require_working_swift
}

# ---- the program --------------------------------------------------------------

# Sets: program (stripped), documents (an unstripped or other bridged that runs here and says the same).
make_program() {
  local built=$binary
  if [[ -z $built ]]; then
    prefer_static_libraries
    local flags=("${build_flags[@]}")
    if ! $is_native; then flags+=(--swift-sdk "$swift_sdk"); fi
    local BRIDGED_COMMIT
    BRIDGED_COMMIT=$(checked_out_commit "$repo")
    export BRIDGED_COMMIT
    swift build --package-path "$repo" "${flags[@]}"
    built=$(swift build --package-path "$repo" "${flags[@]}" --show-bin-path)/bridged
  fi
  program=$work/bridged documents=$built
  "$(tool_of strip)" -o "$program" "$built"
  check_libraries
  check_symbols
  if ! $is_native; then
    swift build --package-path "$repo" --product bridged
    documents=$(swift build --package-path "$repo" --show-bin-path)/bridged
  fi
}

# The name of a program of binutils for the architecture.
tool_of() { if $is_native; then say "$1"; else say "$triplet-$1"; fi; }

# Makes a directory that has these libraries only as archives, and has the linker look there first, by what pkg-config
# says of libuv: SwiftPM passes that on before the directories of the system. With -Xlinker it would come after them.
prefer_static_libraries() {
  local name file static=$work/static
  mkdir -p "$static"
  for name in "${static_libraries[@]}"; do
    # Debian's libuv has `_a` in the name of its archive.
    for file in "$library_dir/lib$name.a" "$library_dir/lib${name}_a.a"; do
      [[ ! -e $file ]] || break
    done
    [[ -e $file ]] || die "there is no static lib$name in $library_dir."
    ln -sf "$file" "$static/lib$name.a"
  done
  printf '%s\n' 'Name: libuv' 'Description: libuv, as an archive' 'Version: 1.44' \
    "Libs: -L${static// /\\ } -L${library_dir// /\\ } -luv" >"$static/libuv.pc"
  export PKG_CONFIG_PATH=$static${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}
}

check_libraries() {
  local name
  while IFS= read -r name; do
    [[ $name == ld-linux-* ]] || is_among "$name" "${shared_libraries[@]}" ||
      die "the program needs $name, which not every system has; it has to be linked as deploy/package.sh does it."
  done < <("$(tool_of objdump)" -p "$program" | sed -n 's/^ *NEEDED *//p')
}

# Ends the script if the program needs a symbol of a newer library than the oldest system has.
check_symbols() {
  local limit prefix highest needed
  needed=$("$(tool_of objdump)" -T "$program" | grep -oE '\((GLIBC|GLIBCXX|CXXABI|GCC)_[0-9.]+\)' | tr -d '()' |
    sort -Vu)
  for limit in "${newest_symbols[@]}"; do
    prefix=${limit%%_*}
    highest=$(grep "^${prefix}_" <<<"$needed" | tail -n 1) || true
    [[ $(printf '%s\n' "$limit" "$highest" | sort -V | tail -n 1) == "$limit" ]] ||
      die "the program needs $highest, and Ubuntu 22.04 has $limit at most: build it on Debian 12 or Ubuntu 22.04."
    if [[ -n $highest ]]; then say "Needs $highest; Ubuntu 22.04 has $limit"; fi
  done
}

# ---- the files ------------------------------------------------------------------

# Puts what the package and the archive have in common below $1, which becomes /usr or the archive's directory.
# $2: where completions of zsh go, $3: those of fish.
put_common() {
  local to=$1
  install -D -m 0755 "$program" "$to/bin/bridged"
  install -d -m 0755 "$to/share/bash-completion/completions" "$to/$2" "$to/$3" "$to/share/man/man1" "$to/share/man/man5"
  "$documents" --generate-completion-script bash | sed "1{/^#!/d}" >"$to/share/bash-completion/completions/bridged"
  "$documents" --generate-completion-script zsh >"$to/$2/_bridged"
  "$documents" --generate-completion-script fish >"$to/$3/bridged.fish"
  local page
  for page in "$repo"/deploy/man/*.1; do
    gzip -9n <"$page" >"$to/share/man/man1/${page##*/}.gz"
  done
  "$documents" config --man-page | sed "1s/\"\"/\"$day\"/" | gzip -9n >"$to/share/man/man5/bridged.env.5.gz"
  install -D -m 0644 "$repo/deploy/bridged.env.example" "$to/share/$package/bridged.env.example"
  chmod -R u=rwX,go=rX "$to"
}

# The units of install.sh, in the directory $1, for a program below the prefix $2.
put_units() {
  local to=$1 prefix=$2
  install -d -m 0755 "$to"
  sed -e "s|^ExecStart=/usr/local/|ExecStart=$prefix/|" \
    -e 's|^Environment=CODEX_BIN=.*|# The first of this name on PATH.\nEnvironment=CODEX_BIN=codex|' \
    -e "s|^# CodexBridge as a system service\..*|# CodexBridge as a system service, of the package $package.|" \
    -e 's|^Description=.*|&\nDocumentation=man:bridged(1) man:bridged.env(5)|' \
    "$repo/deploy/bridged.service" >"$to/bridged.service"
  sed 's|^Description=.*|&\nDocumentation=man:bridged(1)|' "$repo/deploy/bridged.socket" >"$to/bridged.socket"
  grep -q "^ExecStart=$prefix/bin/bridged serve$" "$to/bridged.service" ||
    die 'deploy/bridged.service has another form.'
  chmod 0644 "$to"/bridged.*
}

put_documents() {
  local to=$1/usr/share/doc/$package
  install -D -m 0644 "$repo/deploy/copyright" "$to/copyright"
  gzip -9n <"$repo/deploy/CHANGELOG.md" >"$to/changelog.gz"
  gzip -9n >"$to/changelog.Debian.gz" <<TEXT
$package ($version-1) stable; urgency=medium

  * Version $version; see changelog.gz.

 -- $maintainer  $(LC_ALL=C date -u -R -d "$day")
TEXT
  chmod 0644 "$to"/*
}

# ---- the package ----------------------------------------------------------------

readonly maintainer='The CodexBridge authors <codexbridge@users.noreply.github.com>'

# Prints what the program depends on, by the symbols it uses.
dependencies() {
  local scratch=$work/shlibdeps root=$work/shlibdeps/debian/$package
  # A source package as it looks while it is built, which is where dpkg-shlibdeps is at home.
  rm -rf "$scratch"
  mkdir -p "$root/DEBIAN"
  install -D "$program" "$root/usr/bin/bridged"
  printf 'Source: %s\n\nPackage: %s\nArchitecture: %s\n' "$package" "$package" "$arch" >"$scratch/debian/control"
  (cd "$scratch" && DEB_HOST_ARCH=$arch dpkg-shlibdeps -O "-edebian/$package/usr/bin/bridged") |
    sed -n 's/^shlibs:Depends=//p' | sed "s/libsqlite3-0 ([^)]*)/libsqlite3-0 (>= $least_sqlite)/"
}

write_control() {
  local root=$1 needs
  needs=$(dependencies)
  [[ $needs == *libc6* && $needs == *"libsqlite3-0 (>= $least_sqlite)"* ]] || die "dpkg-shlibdeps said: $needs"
  install -d -m 0755 "$root/DEBIAN"
  cat >"$root/DEBIAN/control" <<TEXT
Package: $package
Version: $version-1
Architecture: $arch
Maintainer: $maintainer
Installed-Size: $(du -sk --exclude=DEBIAN "$root" | cut -f 1)
Depends: $needs, curl, passwd
Recommends: ca-certificates, git
Section: net
Priority: optional
Description: OpenAI API over the Codex CLI
 The daemon bridged lets programs that speak the OpenAI API, such as Open WebUI,
 Cherry Studio or the OpenAI SDKs, use the Codex CLI that you are logged in to.
 It streams answers, keeps sessions, and asks before Codex acts if it should.
 .
 The package has a hardened systemd service, which is not enabled, and does not
 bring the Codex CLI: "bridged doctor" says how to install and log it in.
TEXT
  install -m 0755 "$repo"/deploy/debian/{preinst,postinst,prerm,postrm} "$root/DEBIAN"
  (cd "$root" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
}

# Sets: deb.
make_package() {
  local root=$work/root
  rm -rf "$root"
  umask 022
  put_common "$root/usr" share/zsh/vendor-completions share/fish/vendor_completions.d
  put_units "$root/usr/lib/systemd/system" /usr
  put_documents "$root"
  write_control "$root"
  deb=$output/${package}_$version-1_$arch.deb
  dpkg-deb --root-owner-group -Zxz -z9 -Sextreme --build "$root" "$deb" >/dev/null
}

# For systems without dpkg: to be unpacked wherever somebody likes, or below /usr/local with
# `tar --strip-components=1`, where systemd finds the units too. Sets: archive.
make_archive() {
  local name=$package-$version-linux-$arch
  local root=$work/$name
  rm -rf "$root"
  put_common "$root" share/zsh/site-functions share/fish/vendor_completions.d
  put_units "$root/lib/systemd/system" /usr/local
  install -D -m 0644 -t "$root/share/doc/$package" "$repo/LICENSE" "$repo/deploy/CHANGELOG.md" "$repo/deploy/copyright"
  archive=$output/$name.tar.gz
  tar -C "$work" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -c "$name" |
    gzip -9n >"$archive"
}

main() {
  parse_arguments "$@"
  inspect
  install_missing
  mkdir -p "$work" "$output"
  make_program
  make_package
  make_archive
  local file
  for file in "$deb" "$archive"; do say "$file ($(du -h --apparent-size "$file" | cut -f 1))"; done
}

main "$@"
