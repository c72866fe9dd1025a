"""What preflight knows of a machine, and how it is read.

Invariant: reading changes nothing, and everything a judgement needs is in ``Facts``, so that
judging can be tested with values instead of machines.
"""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils import kind_nodes, kind_record
from ansible.module_utils.engine_client import Engine
from ansible.module_utils.engine_facts import EngineFacts, read_engine
from ansible.module_utils.listeners import Listener, find_listeners

_CAP_SYS_RESOURCE = (
    24  # https://github.com/torvalds/linux/blob/master/include/uapi/linux/capability.h
)


@dataclasses.dataclass(frozen=True)
class Container:
    """A container of the engine: who it says it belongs to and which host ports it holds."""

    name: str
    labels: Mapping[str, str]
    ports: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class Disk:
    """The file system under a path, which may not exist yet."""

    path: str
    device: int
    free_mib: int


@dataclasses.dataclass(frozen=True)
class Questions:
    """What to look at; everything else is read without being asked for."""

    ports: tuple[int, ...]
    cluster_name: str
    cluster_intent: str
    kubeconfig: str
    images: tuple[str, ...]
    cache_dir: str
    engine_record: str


@dataclasses.dataclass(frozen=True)
class Facts:
    """One observation of the machine and its engine."""

    python: tuple[int, int]
    system: str
    architecture: str
    distribution: str
    root: bool
    sudo: bool
    cpus: int
    memory_mib: int
    cgroup_version: int
    cap_sys_resource: bool
    inotify_instances: int
    inotify_watches: int
    cache_disk: Disk
    engine_disk: Disk
    engine: EngineFacts
    engine_is_ours: bool
    images_present: bool
    listeners: tuple[Listener, ...]
    containers: tuple[Container, ...]
    cluster_nodes: tuple[str, ...]
    cluster_is_ours: bool
    kubeconfig_present: bool


def read_facts(questions: Questions, environ: Mapping[str, str], home: Path) -> Facts:
    """Return one observation; an engine that does not answer is part of it."""
    engine, client = read_engine(environ, home)
    containers = _containers(client.containers()) if client else ()
    nodes = tuple(
        container.name
        for container in containers
        if container.labels.get(kind_nodes.CLUSTER_LABEL) == questions.cluster_name
    )
    return Facts(
        python=(sys.version_info.major, sys.version_info.minor),
        system=platform.system(),
        architecture=platform.machine(),
        distribution=_distribution(),
        root=os.geteuid() == 0,
        sudo=shutil.which("sudo") is not None,
        cpus=len(os.sched_getaffinity(0)),
        memory_mib=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        cgroup_version=engine.cgroup_version or _cgroup_version(),
        cap_sys_resource=_has_capability(_CAP_SYS_RESOURCE),
        inotify_instances=_sysctl("fs/inotify/max_user_instances"),
        inotify_watches=_sysctl("fs/inotify/max_user_watches"),
        cache_disk=_disk(questions.cache_dir),
        engine_disk=_disk(engine.data_root or "/var/lib/docker"),
        engine=engine,
        engine_is_ours=Path(questions.engine_record).exists(),
        images_present=bool(client and _has_images(client, questions.images)),
        listeners=tuple(find_listeners(questions.ports)),
        containers=containers,
        cluster_nodes=nodes,
        cluster_is_ours=bool(client and nodes and _is_ours(client, questions)),
        kubeconfig_present=Path(questions.kubeconfig).exists(),
    )


def _distribution() -> str:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return "unknown"
    return f"{release['ID']} {release.get('VERSION_ID', '')}".strip()


def _cgroup_version() -> int:
    if Path("/sys/fs/cgroup/cgroup.controllers").exists():
        return 2
    return 1 if Path("/sys/fs/cgroup/memory").exists() else 0


def _has_capability(number: int) -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapBnd:"):
            return bool(int(line.split()[1], 16) >> number & 1)
    return True


def _sysctl(name: str) -> int:
    return int((Path("/proc/sys") / name).read_text())


def _disk(path: str) -> Disk:
    existing = Path(path)
    while not existing.exists():
        existing = existing.parent
    free = os.statvfs(existing)
    return Disk(path, existing.stat().st_dev, free.f_bavail * free.f_frsize >> 20)


def _containers(entries: Iterable[Mapping[str, Any]]) -> tuple[Container, ...]:
    return tuple(
        Container(
            name=entry["Names"][0].removeprefix("/"),
            labels=entry["Labels"] or {},
            ports=tuple({port["PublicPort"] for port in entry["Ports"] if "PublicPort" in port}),
        )
        for entry in entries
        if entry["Names"]  # a container that is being removed has none
    )


def _has_images(engine: Engine, references: Iterable[str]) -> bool:
    filters = json.dumps({"reference": list(references)})
    return bool(engine.get("/images/json", {"filters": filters}))


def _is_ours(engine: Engine, questions: Questions) -> bool:
    """Return whether this project made the cluster, by the rule of the role that makes clusters."""
    observed = kind_nodes.observe(engine, questions.cluster_name, Path(questions.cluster_intent))
    return bool(kind_record.is_ours(observed))
