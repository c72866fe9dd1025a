#!/usr/bin/env bash
# The floor: what the bare commands take to make the same stack, or to remove it.
#
#   floor.sh up|down
#
# Everything is taken from the environment, and every image and the build context must be there:
# NAME PORT KUBECONFIG DEPLOY CONTEXT NODE_IMAGE REGISTRY_IMAGE BASE_IMAGE BUSYBOX_IMAGE
set -euo pipefail

registry="localhost:$PORT"
operator="$registry/imoocpod-operator:floor"
busybox="$registry/busybox:floor"

cluster() {
  local cgroup_v1=""
  if [[ ! -f /sys/fs/cgroup/cgroup.controllers ]]; then
    cgroup_v1=$'kubeadmConfigPatches:\n  - |\n    kind: KubeletConfiguration\n    failCgroupV1: false'
  fi
  kind create cluster --name "$NAME" --image "$NODE_IMAGE" --kubeconfig "$KUBECONFIG" \
    --wait 120s --quiet --config - <<CONFIG
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
containerdConfigPatches:
  - |
    [plugins."io.containerd.cri.v1.images".registry]
    config_path = "/etc/containerd/certs.d"
$cgroup_v1
CONFIG
}

registry() {
  docker run --detach --quiet --restart always --name "$NAME-registry" --network kind \
    --publish "127.0.0.1:$PORT:5000" --volume "$NAME-registry-data:/var/lib/registry" \
    "$REGISTRY_IMAGE" >/dev/null
  local node
  for node in $(kind get nodes --name "$NAME"); do
    docker exec "$node" mkdir -p "/etc/containerd/certs.d/$registry"
    docker exec -i "$node" cp /dev/stdin "/etc/containerd/certs.d/$registry/hosts.toml" \
      <<<"[host.\"http://$NAME-registry:5000\"]"
  done
}

images() {
  docker build --quiet --build-arg "BASE=$BASE_IMAGE" --tag "$operator" "$CONTEXT" >/dev/null
  docker push --quiet "$operator" >/dev/null
  docker tag "$BUSYBOX_IMAGE" "$busybox"
  docker push --quiet "$busybox" >/dev/null
}

objects() {
  kubectl apply -f "$DEPLOY/00_namespace.yaml" -f "$DEPLOY/service_account.yaml" \
    -f "$DEPLOY/role.yaml" -f "$DEPLOY/role_binding.yaml" \
    -f "$DEPLOY/lease_role.yaml" -f "$DEPLOY/lease_role_binding.yaml" \
    -f "$DEPLOY/pod_disruption_budget.yaml" -f "$DEPLOY/network_policy.yaml" \
    -f "$DEPLOY/crds/k8s.imooc.com_imoocpods_crd.yaml"
  sed "s#localhost:5000/imoocpod-operator:latest#$operator#; s#busybox:1.37#$busybox#" \
    "$DEPLOY/operator.yaml" | kubectl apply -f -
  kubectl wait --for condition=Established --timeout 60s crd/imoocpods.k8s.imooc.com
  kubectl apply -f "$DEPLOY/crds/k8s.imooc.com_v1alpha1_imoocpod_cr.yaml"
  kubectl -n imoocpod-operator rollout status --timeout 120s deployment/imoocpod-operator
  kubectl wait --for condition=Ready --timeout 120s imoocpod/example-imoocpod
}

case "$1" in
  up)
    cluster
    registry
    images
    objects
    ;;
  down)
    kind delete cluster --name "$NAME" --kubeconfig "$KUBECONFIG" --quiet
    docker rm --force --volumes "$NAME-registry" >/dev/null
    docker volume rm --force "$NAME-registry-data" >/dev/null
    docker rmi --force "$operator" "$busybox" >/dev/null
    ;;
  *)
    sed -n '2,7p' "$0" >&2
    exit 2
    ;;
esac
