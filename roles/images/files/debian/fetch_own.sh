#!/bin/sh
# Downloads packages of this machine's own release into a folder, from its own
# sources and checked by its own keys, without changing its package lists.
#
# usage: fetch_own.sh TARGET_DIR STATE_DIR PACKAGE...
set -eu

target=$1
state=$2
shift 2

mkdir -p "$target" "$state/lists/partial" "$state/cache/archives/partial"
cat >"$state/apt.conf" <<CONF
Dir::State::Lists "$state/lists";
Dir::Cache "$state/cache";
Acquire::Languages "none";
APT::Sandbox::User "root";
CONF
export APT_CONFIG="$state/apt.conf"

apt-get --quiet update
cd "$target"
apt-get --quiet download "$@"
