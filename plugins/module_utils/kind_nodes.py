"""Read and change kind's node containers through the engine.

Invariant: nothing here decides. What may be touched was decided from kind_record before; every
function says which containers or files it works on.
"""

from __future__ import annotations

import json
import os
import re
import stat
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import yaml
from ansible.module_utils import kind_record
from ansible.module_utils.changes import Change, Field
from ansible.module_utils.engine_client import Engine, EngineError
from ansible.module_utils.kind_config import Surroundings

CLUSTER_LABEL = "io.x-k8s.kind.cluster"
ROLE_LABEL = "io.x-k8s.kind.role"
NODE_ROLES = ("control-plane", "worker")  # not the load balancer of several control planes
NETWORK = "kind"
_ADMIN_CONF = "/etc/kubernetes/admin.conf"
_CAP_SYS_RESOURCE = 24
_EVIDENCE_LINES = 15
_ROUTINE = re.compile(r"level=info|^I\d{4} ")  # containerd's and klog's marks of no complaint


def node_containers(engine: Engine, cluster: str) -> list[dict[str, Any]]:
    """Return the engine's full description of the cluster's nodes, control plane first."""
    listed = engine.containers(label=f"{CLUSTER_LABEL}={cluster}")
    names = sorted(
        entry["Names"][0].lstrip("/")
        for entry in listed
        if entry["Labels"].get(ROLE_LABEL) in NODE_ROLES
    )
    found = [engine.container(name) for name in names]
    return [container for container in found if container is not None]


def observe(engine: Engine, cluster: str, intent_file: Path) -> kind_record.Observed:
    """Return what the engine and the intent file hold of the cluster."""
    nodes = [
        kind_record.Node(
            name=container["Name"].lstrip("/"),
            running=bool(container["State"]["Running"]),
            started_at=container["State"]["StartedAt"],
            image_id=container["Image"],
        )
        for container in node_containers(engine, cluster)
    ]
    intent = None
    if intent_file.is_file():
        intent = kind_record.Intent.from_json(intent_file.read_text())
        if intent is not None and intent.cluster != cluster:
            intent = None
    record = next(filter(None, (read_record(engine, node.name) for node in nodes)), None)
    return kind_record.Observed(nodes, record, intent)


def read_record(engine: Engine, node: str) -> kind_record.Record | None:
    """Return the record on a node container, None where it carries none."""
    files = engine.read_files(node, kind_record.RECORD_PATH)
    return next(filter(None, map(kind_record.Record.from_json, files.values())), None)


def write_record(engine: Engine, nodes: Iterable[str], record: kind_record.Record) -> None:
    """Put the record on every node: from then on the cluster counts as finished."""
    path = Path(kind_record.RECORD_PATH)
    for node in nodes:
        engine.write_files(node, {path.name: record.to_json().encode()}, str(path.parent))


def inspect_image(engine: Engine, reference: str) -> tuple[str, int]:
    """Return the node image's Kubernetes version and the version of its containerd configuration.

    Both are files in the image; a container that is never started gives access to them.
    """
    created = engine.post("/containers/create", {"Image": reference, "Cmd": ["none"]})
    try:
        version = engine.read_files(created["Id"], "/kind/version")
        containerd = engine.read_files(created["Id"], "/etc/containerd/config.toml")
    finally:
        engine.remove_container(created["Id"])
    if not version or not containerd:
        raise EngineError(
            404,
            f"{reference} is not a kind node image: it lacks /kind/version or containerd's config",
        )
    lines = b"".join(containerd.values()).decode().splitlines()
    config_version = next(
        (int(line.split("=")[1]) for line in lines if line.replace(" ", "").startswith("version=")),
        2,
    )
    return b"".join(version.values()).decode().strip(), config_version


def surroundings(engine: Engine, containerd_config_version: int) -> Surroundings:
    """Return what engine and machine demand of a cluster's configuration."""
    info = engine.get("/info") or {}
    status = Path("/proc/self/status").read_text()
    bounding = next(line.split()[1] for line in status.splitlines() if line.startswith("CapBnd"))
    return Surroundings(
        cgroup_version=int(info.get("CgroupVersion") or 2),
        may_lower_oom_score=bool(int(bounding, 16) >> _CAP_SYS_RESOURCE & 1),
        containerd_config_version=containerd_config_version,
    )


def remove(engine: Engine, nodes: Sequence[str]) -> None:
    """Remove the node containers with the volumes that kind made for them, side by side."""
    with ThreadPoolExecutor(max_workers=max(len(nodes), 1)) as pool:
        list(pool.map(engine.remove_container, nodes))


def network_would_be_ours(engine: Engine) -> bool:
    """Return whether the network goes when the cluster goes.

    True where it is not there yet, or where a cluster of ours that uses it says so: the last of
    ours removes what the first of ours made.
    """
    if engine.get(f"/networks/{NETWORK}") is None:
        return True
    neighbours = engine.containers(network=NETWORK)
    records = (
        read_record(engine, entry["Id"]) for entry in neighbours if ROLE_LABEL in entry["Labels"]
    )
    return any(record is not None and record.network_is_ours for record in records)


def remove_network_if_unused(engine: Engine) -> bool:
    """Remove kind's network unless a container, running or not, still belongs to it."""
    if engine.get(f"/networks/{NETWORK}") is None or engine.containers(network=NETWORK):
        return False
    engine.call("DELETE", f"/networks/{NETWORK}")
    return True


def wanted_kubeconfig(engine: Engine, cluster: str) -> dict[str, Any] | None:
    """Return the kubeconfig for this machine, made of the control plane's own; None without one."""
    node = f"{cluster}-control-plane"
    container = engine.container(node)
    files = engine.read_files(node, _ADMIN_CONF)
    if container is None or not files:
        return None
    admin = yaml.safe_load(b"".join(files.values()))
    port = container["HostConfig"]["PortBindings"]["6443/tcp"][0]
    context = f"kind-{cluster}"
    cluster_data = dict(admin["clusters"][0]["cluster"])
    cluster_data["server"] = f"https://{port['HostIp']}:{port['HostPort']}"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": context, "cluster": cluster_data}],
        "users": [{"name": context, "user": admin["users"][0]["user"]}],
        "contexts": [{"name": context, "context": {"cluster": context, "user": context}}],
        "current-context": context,
    }


def kubeconfig_is_current(path: Path, wanted: dict[str, Any]) -> bool:
    """Return whether the file reaches the cluster as ``wanted`` does, and is private.

    A person's additions, such as the namespace of the context, do not count.
    """
    try:
        if path.stat().st_mode & 0o077:
            return False
        present = yaml.safe_load(path.read_text())
        return all(
            wanted[section][0] in present[section] for section in ("clusters", "users")
        ) and any(
            entry["name"] == wanted["current-context"]
            and {**entry["context"], **wanted["contexts"][0]["context"]} == entry["context"]
            for entry in present["contexts"]
        )
    except (OSError, yaml.YAMLError, KeyError, TypeError):
        return False


def kubeconfig_change(path: Path, wanted: dict[str, Any]) -> Change:
    """Return what makes a kubeconfig current that is not; no credential is in it."""
    name = f"file {path.name}"
    if not path.exists():
        return Change(name, "create", "there is none")
    fields = []
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        fields.append(Field("mode", f"{mode:04o}", "0600"))
    address = wanted["clusters"][0]["cluster"]["server"]
    try:
        present = yaml.safe_load(path.read_text())["clusters"][0]["cluster"]["server"]
    except (yaml.YAMLError, KeyError, TypeError, IndexError):
        present = None
    if present != address:
        fields.append(Field("server", present, address))
    reason = "" if fields else "it does not lead to the cluster"
    return Change(name, "update", reason, tuple(fields))


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600 whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(temporary).replace(path)


def evidence(engine: Engine, nodes: Iterable[str]) -> str:
    """Return each node's last complaints of kubelet and containerd, for a failure's message."""
    parts = []
    for node in nodes:
        argv = ["journalctl", "--no-pager", "-q", "-o", "cat", "-n", str(20 * _EVIDENCE_LINES)]
        try:
            result = engine.execute(node, [*argv, "-u", "kubelet", "-u", "containerd"], timeout=10)
            lines = [line for line in result.output.splitlines() if not _ROUTINE.search(line)]
            text = "\n".join(lines[-_EVIDENCE_LINES:])
        except EngineError:  # not running: what the container itself printed is what there is
            container = engine.container(node) or {}
            text = f"the container is not running: {json.dumps(container.get('State', {}))}"
        parts.append(f"--- {node}: kubelet and containerd, last complaints\n{text.rstrip()}")
    return "\n".join(parts)
