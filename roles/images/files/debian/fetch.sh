#!/bin/sh
# Downloads Debian packages of another release than the machine's into a folder,
# checked by Debian's keys, without touching the machine's own apt.
#
# usage: fetch.sh TARGET_DIR SUITE STATE_DIR KEYRING MIRROR PACKAGE...
set -eu

target=$1
suite=$2
state=$3
keyring=$4
mirror=$5
shift 5

mkdir -p "$target" "$state/etc/apt/apt.conf.d" "$state/etc/apt/preferences.d" \
  "$state/lists/partial" "$state/cache/archives/partial"
: >"$state/status"
cat >"$state/etc/apt/debian.sources" <<SOURCES
Types: deb
URIs: $mirror
Suites: $suite
Components: main
Signed-By: $keyring
SOURCES
# The machine's proxies and certificates stay in force; its sources, lists and
# installed packages do not.
cat >"$state/apt.conf" <<CONF
Dir::Etc::SourceList "$state/etc/apt/debian.sources";
Dir::Etc::SourceParts "-";
Dir::Etc::Preferences "-";
Dir::Etc::PreferencesParts "-";
Dir::State::Lists "$state/lists";
Dir::State::Status "$state/status";
Dir::Cache "$state/cache";
Acquire::Languages "none";
APT::Sandbox::User "root";
CONF
export APT_CONFIG="$state/apt.conf"

apt-get --quiet update --error-on=any
cd "$target"
apt-get --quiet download "$@"
