#!/bin/sh
# Makes the node's root file system: Debian from the machine's own mirror, with
# the packages of packages.txt, without documentation.
#
# usage: rootfs.sh TARGET SUITE CACHE_DIR PACKAGES_FILE DEBOOTSTRAP KEYRING MIRROR
set -eu

target=$1
suite=$2
cache=$3
packages_file=$4
debootstrap=$5
keyring=$6
mirror=$7

packages=$(sed -e 's/#.*//' -e '/^[[:space:]]*$/d' "$packages_file" | paste -s -d , -)

mkdir -p "$cache" "$target/etc/dpkg/dpkg.cfg.d"
# Read by dpkg inside the target: nothing of this tree outlives a power cut
# before it is packed, so waiting for the disk buys nothing.
cat >"$target/etc/dpkg/dpkg.cfg.d/image" <<'DPKG'
force-unsafe-io
path-exclude=/usr/share/doc/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/lintian/*
path-exclude=/usr/share/locale/*
path-exclude=/usr/share/man/*
DPKG

DEBIAN_FRONTEND=noninteractive "$debootstrap" --variant=minbase --include="$packages" \
  --cache-dir="$cache" --keyring="$keyring" "$suite" "$target" "$mirror"

rm -rf "$target"/usr/share/doc/* "$target"/usr/share/info/* "$target"/usr/share/lintian \
  "$target"/usr/share/locale/* "$target"/usr/share/man/* \
  "$target"/var/cache/apt/* "$target"/var/lib/apt/lists/* "$target"/var/log/* \
  "$target"/var/cache/debconf/*-old "$target"/var/lib/dpkg/*-old
# Written by debootstrap from the machine it ran on.
: >"$target/etc/hostname"
: >"$target/etc/resolv.conf"
# Every node makes its own when it starts.
: >"$target/etc/machine-id"
