"""Turn the role's variables into kind's v1alpha4 configuration, and compare two such wishes.

Pure. Invariant: a wish (``Spec``) holds only what a person chose. What the machine or the node
image demands on top (``Surroundings``) is added when rendering: it never counts as a difference.
"""

from __future__ import annotations

import ipaddress
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml
from ansible.module_utils.changes import Field

Spec = dict[str, Any]

SPEC_FIELDS = (
    "image",
    "workers",
    "port_mappings",
    "feature_gates",
    "kubeadm_patches",
    "containerd_patches",
    "pod_subnet",
    "service_subnet",
)
CERTS_D = "/etc/containerd/certs.d"
# The name of containerd's CRI settings by the version of the configuration file they stand in.
_CRI_IMAGES = {2: "io.containerd.grpc.v1.cri", 3: "io.containerd.cri.v1.images"}
_CRI_RUNTIME = {2: "io.containerd.grpc.v1.cri", 3: "io.containerd.cri.v1.runtime"}


class SpecError(ValueError):
    """A variable holds something that kind could not use; the message names it."""


@dataclass(frozen=True)
class Surroundings:
    """What the engine, the machine and the node image demand, whatever a person chose."""

    cgroup_version: int
    may_lower_oom_score: bool
    containerd_config_version: int


def spec_from(params: Mapping[str, Any]) -> Spec:
    """Return the wish in the module's parameters, in the one form that records and diffs use."""
    spec: Spec = {field: params[field] for field in SPEC_FIELDS}
    spec["feature_gates"] = dict(sorted((params["feature_gates"] or {}).items()))
    for gate, enabled in spec["feature_gates"].items():
        if not isinstance(enabled, bool):
            raise SpecError(
                f"kind_cluster_feature_gates: {gate} must be true or false, got {enabled!r}"
            )
    spec["port_mappings"] = [
        {
            "container_port": mapping["container_port"],
            "host_port": mapping["host_port"],
            "listen_address": mapping["listen_address"],
            "protocol": mapping["protocol"],
        }
        for mapping in params["port_mappings"] or []
    ]
    spec["kubeadm_patches"] = list(params["kubeadm_patches"] or [])
    spec["containerd_patches"] = list(params["containerd_patches"] or [])
    _canonical(spec)
    _check_networks(spec)
    return spec


def _check_networks(spec: Spec) -> None:
    """Raise SpecError for networks with which a cluster would be made that never gets ready."""
    networks = []
    for field in ("pod_subnet", "service_subnet"):
        try:
            networks.append(ipaddress.IPv4Network(spec[field], strict=False))
        except ValueError as error:
            raise SpecError(
                f"kind_cluster_{field} is {spec[field]!r}, but must be like 10.244.0.0/16: {error}"
            ) from error
    if networks[0].overlaps(networks[1]):
        raise SpecError(
            f"kind_cluster_pod_subnet {networks[0]} and kind_cluster_service_subnet {networks[1]} "
            "overlap: choose networks that have no address in common"
        )


def node_names(cluster: str, workers: int) -> list[str]:
    """Return the container names that kind gives the nodes: the control plane, then the workers."""
    numbers = [""] + [str(number) for number in range(2, workers + 1)]
    return [f"{cluster}-control-plane"] + [f"{cluster}-worker{n}" for n in numbers[:workers]]


def render(cluster: str, spec: Spec, around: Surroundings) -> dict[str, Any]:
    """Return kind's configuration for the wish on this machine with this node image."""
    control_plane: dict[str, Any] = {"role": "control-plane", "image": spec["image"]}
    if spec["port_mappings"]:
        control_plane["extraPortMappings"] = [
            {
                "containerPort": mapping["container_port"],
                "hostPort": mapping["host_port"],
                "listenAddress": mapping["listen_address"],
                "protocol": mapping["protocol"].upper(),
            }
            for mapping in spec["port_mappings"]
        ]
    workers = [{"role": "worker", "image": spec["image"]} for _ in range(spec["workers"])]
    config: dict[str, Any] = {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "name": cluster,
        "nodes": [control_plane, *workers],
        "networking": {
            "apiServerAddress": "127.0.0.1",
            "podSubnet": spec["pod_subnet"],
            "serviceSubnet": spec["service_subnet"],
        },
        "containerdConfigPatches": [
            *_containerd_demands(around),
            *spec["containerd_patches"],
        ],
    }
    kubeadm = [*_kubeadm_demands(around), *spec["kubeadm_patches"]]
    if kubeadm:
        config["kubeadmConfigPatches"] = kubeadm
    if spec["feature_gates"]:
        config["featureGates"] = spec["feature_gates"]
    return config


def differences(recorded: Spec, wanted: Spec) -> list[Field]:
    """Return the fields in which the wish differs from what the cluster was made of.

    Patches are compared by what they say: order of keys, indentation and comments do not count.
    """
    before, after = _canonical(recorded), _canonical(wanted)
    return [
        Field(path, old, new)
        for field in SPEC_FIELDS
        if field != "image"  # compared by its content, which is not in the wish
        for path, old, new in _walk(field, before[field], after[field])
    ]


def _kubeadm_demands(around: Surroundings) -> Iterator[str]:
    if around.cgroup_version == 1:
        # A kubelet from 1.35 on refuses to start on cgroup v1 unless it is told not to.
        yield "kind: KubeletConfiguration\nfailCgroupV1: false\n"


def _containerd_demands(around: Surroundings) -> Iterator[str]:
    version = around.containerd_config_version
    # hosts.toml files are only read where this is set; containerd 2's default still lacks it.
    yield f'[plugins."{_CRI_IMAGES[version]}".registry]\nconfig_path = "{CERTS_D}"\n'
    if not around.may_lower_oom_score:
        # Without CAP_SYS_RESOURCE runc cannot lower a container's score and dies of trying.
        yield f'[plugins."{_CRI_RUNTIME[version]}"]\nrestrict_oom_score_adj = true\n'


def _canonical(spec: Spec) -> Spec:
    """Return the wish with its patches parsed and order that means nothing removed."""
    parsed = dict(spec)
    try:
        parsed["kubeadm_patches"] = [
            document for text in spec["kubeadm_patches"] for document in yaml.safe_load_all(text)
        ]
    except yaml.YAMLError as error:
        raise SpecError(f"kind_cluster_kubeadm_patches: not YAML: {error}") from error
    try:
        parsed["containerd_patches"] = [tomllib.loads(text) for text in spec["containerd_patches"]]
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"kind_cluster_containerd_patches: not TOML: {error}") from error
    parsed["port_mappings"] = {
        f"{mapping['listen_address']}:{mapping['host_port']}/{mapping['protocol'].lower()}": (
            mapping["container_port"]
        )
        for mapping in spec["port_mappings"]
    }
    return parsed


def _walk(path: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield the deepest paths at which two values differ."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in sorted({*old, *new}, key=str):
            yield from _walk(f"{path}.{key}", old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from _walk(f"{path}[{index}]", one, other)
    elif old != new:
        yield path, old, new


def described(difference: Field) -> str:
    """Return a difference as one line for people."""
    live, wanted = _short(difference.live), _short(difference.wanted)
    return f"{difference.path}: the cluster has {live}, wanted is {wanted}"


def _short(value: Any) -> str:
    """Return a value as one short line of YAML; what is not there is said to be absent."""
    if value is None:
        return "nothing"
    return (
        str(yaml.safe_dump(value, default_flow_style=True, width=10_000)).split("\n...")[0].strip()
    )
