# shellcheck shell=bash
# What only tests and benchmarks need. To be sourced after deploy/lib.sh; defines functions
# and constants only. The root of the checkout has to be the current directory.

# What is shipped, but with its symbols: for everything that runs or measures the program.
# shellcheck disable=SC2034 # Used by the scripts that source this file.
readonly release_program=$PWD/.build-rel/release/bridged

build_release() {
  swift build -c release --static-swift-stdlib --product bridged --scratch-path .build-rel
}

# Puts nginx onto PATH. Its package would set up a service that listens on port 80 of this machine, so where nginx
# is missing the package's files are only unpacked, into the directory $1, and nothing is started.
ensure_nginx() {
  local dir=$1 package
  # Debian has it where only root looks.
  PATH=$PATH:/usr/sbin:$dir/usr/sbin
  runs_nginx && return 0
  command -v apt-get >/dev/null || return 1
  rm -rf "$dir"
  mkdir -p "$dir"
  # The program lies in one of these, in which one depends on the release.
  for package in nginx nginx-light nginx-core; do
    [[ -x $dir/usr/sbin/nginx ]] || unpack_package "$package" "$dir"
  done
  runs_nginx
}

runs_nginx() { nginx -v 2>/dev/null; }

# Unpacks the files of the Debian package $1 into the directory $2, without installing it.
unpack_package() {
  local downloads=$2/downloads
  mkdir -p "$downloads"
  (
    cd "$downloads" || exit
    apt_get env download "$1" || { apt_get as_root update && apt_get env download "$1"; }
  )
  dpkg -x "$downloads/$1"_*.deb "$2"
  rm -r "$downloads"
}
