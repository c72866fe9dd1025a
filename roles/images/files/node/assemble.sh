#!/bin/bash
# Runs inside a container of the node's base image, the last step before it is
# committed: sets up the services of a kind node and imports the component
# images of the archive on stdin.
#
# usage: assemble.sh PAUSE_IMAGE < components.tar
set -euo pipefail

pause=$1

# As kind's own base image does it: only what a node needs is started.
rm -f /lib/systemd/system/multi-user.target.wants/* /etc/systemd/system/*.wants/* \
  /lib/systemd/system/local-fs.target.wants/* /lib/systemd/system/sockets.target.wants/*udev* \
  /lib/systemd/system/sockets.target.wants/*initctl* /lib/systemd/system/basic.target.wants/* \
  /lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service
echo 'ReadKMsg=no' >>/etc/systemd/journald.conf
systemctl enable kubelet.service containerd.service undo-mount-hacks.service
systemctl mask systemd-binfmt.service
mkdir -p /etc/kubernetes/manifests

ctr oci spec |
  jq '.hooks.createContainer += [{"path": "/kind/bin/mount-product-files.sh"}] | del(.process.rlimits)' \
    >/etc/containerd/cri-base.json
sed -i "s|sandbox_image = .*|sandbox_image = \"$pause\"|" /etc/containerd/config.toml

log=$(mktemp)
containerd >"$log" 2>&1 &
containerd=$!
deadline=$((SECONDS + 60))
until ctr version >/dev/null 2>&1; do
  if ((SECONDS > deadline)) || ! kill -0 "$containerd" 2>/dev/null; then
    echo "containerd did not start:" >&2
    tail -n 20 "$log" >&2
    exit 1
  fi
  sleep 0.1 # between two looks at the socket, which the deadline bounds
done

# One layer each, so unpacking needs no overlay on top of the container's own;
# the packed layers are not kept, as in kind's containerd configuration.
ctr --namespace=k8s.io images import --local --discard-unpacked-layers \
  --label=io.cri-containerd.pinned=pinned --digests -
# Collecting what was discarded happens some time later: not before the commit.
ctr --namespace=k8s.io content prune references >/dev/null

kill "$containerd"
wait "$containerd" || true
rm -rf "$log" /run/containerd
