"""Judge a machine: facts and limits in, faults and notices out.

Invariant: pure; the same facts and limits always give the same report, in the same order.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping

from ansible.module_utils.engine_facts import version
from ansible.module_utils.listeners import conflicts
from ansible.module_utils.preflight_facts import Facts

ENVIRONMENT_LABEL = "com.imooc.environment"
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_NAME_LIMIT = 32  # imooc-<name>-control-plane is a host name, which ends at 63
_ARCHITECTURES = ("x86_64", "aarch64")
_PYTHON = (3, 11)
_CORE = ((2, 19), (2, 22))


@dataclasses.dataclass(frozen=True)
class Fault:
    """One thing that keeps a run from succeeding, and what to do about it."""

    check: str
    variable: str
    value: str
    problem: str
    cure: str


@dataclasses.dataclass(frozen=True)
class Port:
    """A port of this machine that the stack wants, and the container that may hold it already."""

    port: object
    variable: str
    owner: str
    address: str


@dataclasses.dataclass(frozen=True)
class Limits:
    """What the environment wants of the machine."""

    environment: str
    core_version: str
    cluster_name: str
    containers: Mapping[str, str]
    ports: tuple[Port, ...]
    nodes: int
    memory_mib: int
    disk_engine_mib: int
    disk_cache_mib: int
    engine_version: str
    inotify_instances: int
    inotify_watches: int


def judge(facts: Facts, limits: Limits) -> list[Fault]:
    """Return every fault, those that explain others first."""
    return [fault for check in _CHECKS for fault in check(facts, limits)]


def _environment(facts: Facts, limits: Limits) -> Iterator[Fault]:
    name = limits.environment
    if not _DNS_LABEL.fullmatch(name) or len(name) > _NAME_LIMIT:
        yield Fault(
            "environment",
            "environment_name",
            name,
            f"is not a name of at most {_NAME_LIMIT} lower-case letters, digits and inner dashes",
            "rename its directory in inventory/",
        )


def _system(facts: Facts, limits: Limits) -> Iterator[Fault]:
    if facts.system != "Linux":
        yield Fault("system", "system", facts.system, "is not Linux", "use a Linux machine")
    if facts.architecture not in _ARCHITECTURES:
        yield Fault(
            "system",
            "architecture",
            facts.architecture,
            f"is not one of {', '.join(_ARCHITECTURES)}",
            "use a machine of these architectures",
        )
    if facts.cgroup_version == 0:
        yield Fault(
            "system",
            "/sys/fs/cgroup",
            "not mounted",
            "containers need control groups",
            "mount them (Debian without systemd: install cgroupfs-mount)",
        )


def _versions(facts: Facts, limits: Limits) -> Iterator[Fault]:
    if facts.python < _PYTHON:
        yield Fault(
            "python",
            "python",
            ".".join(map(str, facts.python)),
            "is older than 3.11",
            "remove .venv and run: make up PYTHON=<a newer python3>",
        )
    low, high = _CORE
    if not low <= version(limits.core_version)[:2] < high:
        yield Fault(
            "ansible",
            "ansible-core",
            limits.core_version,
            "is outside the tested 2.19 to 2.21",
            "use the locked one: remove .venv and run make up",
        )


def _engine(facts: Facts, limits: Limits) -> Iterator[Fault]:
    engine = facts.engine
    if engine.product.startswith("Podman"):  # it answers as Docker would, with versions of its own
        yield Fault(
            "engine",
            engine.host,
            f"{engine.product} {engine.version}",
            "is not Docker Engine, which builds the images and holds the nodes here",
            "start Docker Engine, and have DOCKER_HOST or docker's context name it",
        )
    elif engine.reachable and engine.remote:
        yield Fault(
            "engine",
            engine.source,
            engine.host,
            "is another machine: registry and API server would listen on its loopback, not here",
            f"run this on that machine, or unset {engine.source.split()[0]}",
        )
    elif engine.reachable:
        if version(engine.version) < version(limits.engine_version):
            yield Fault(
                "engine",
                engine.host,
                engine.version,
                f"is older than {limits.engine_version}",
                "upgrade the container engine",
            )
        if not engine.buildx and not facts.engine_is_ours:  # else it is about to be installed
            yield Fault(
                "engine",
                "docker buildx",
                "missing",
                "images are built with BuildKit",
                "install the package docker-buildx (docker-buildx-plugin from Docker's repository)",
            )
    elif engine.explicit:
        yield Fault(
            "engine",
            engine.source,
            engine.host,
            engine.error,
            f"start that engine, or unset {engine.source.split()[0]} to use or install a local one",
        )
    elif engine.denied and not facts.engine_is_ours:
        yield Fault(
            "engine",
            "socket",
            engine.host,
            "may not be opened by this user",
            "join its group (sudo usermod -aG docker $USER, then log in anew), or run as root",
        )
    elif not (facts.root or facts.sudo):
        yield Fault(
            "engine",
            engine.source,
            engine.host,
            "does not answer, and installing needs root",
            "run as root, install sudo, or start a container engine beforehand",
        )


def _memory(facts: Facts, limits: Limits) -> Iterator[Fault]:
    if facts.memory_mib < limits.memory_mib:
        yield Fault(
            "memory",
            "preflight_memory_mib",
            f"{facts.memory_mib} MiB",
            f"is less than {limits.memory_mib} MiB for {limits.nodes} node(s)",
            "use a larger machine, fewer kind_cluster_workers, or lower preflight_memory_mib",
        )


def _disk(facts: Facts, limits: Limits) -> Iterator[Fault]:
    needs = [
        ("preflight_disk_engine_gib", facts.engine_disk, limits.disk_engine_mib),
        ("preflight_disk_cache_gib", facts.cache_disk, limits.disk_cache_mib),
    ]
    for variable, disk, need in needs:
        # Engine and cache usually share one file system, which then has to hold both.
        together = sum(other for _, shared, other in needs if shared.device == disk.device)
        if disk.free_mib < together:
            yield Fault(
                "disk",
                variable,
                f"{disk.path}: {disk.free_mib / 1024:.1f} GiB free",
                f"is less than {need / 1024:.1f} GiB"
                + (f" ({together / 1024:.1f} GiB with what shares it)" if together > need else ""),
                f"free space there, or lower {variable}",
            )


def _inotify(facts: Facts, limits: Limits) -> Iterator[Fault]:
    for name, value, need in (
        ("max_user_instances", facts.inotify_instances, limits.inotify_instances),
        ("max_user_watches", facts.inotify_watches, limits.inotify_watches),
    ):
        if value < need:
            yield Fault(
                "inotify",
                f"fs.inotify.{name}",
                str(value),
                f"is less than {need} for {limits.nodes} node(s): too many open files",
                f"sudo sysctl fs.inotify.{name}={need}",
            )


def _ports(facts: Facts, limits: Limits) -> Iterator[Fault]:
    for wanted in limits.ports:
        number = wanted.port if isinstance(wanted.port, int) else 0
        if not 1 <= number <= 65535:
            yield Fault(
                "ports",
                wanted.variable,
                str(wanted.port),
                "is not a port",
                f"set {wanted.variable} to a number between 1 and 65535",
            )
            continue
        holders = [found.name for found in facts.containers if number in found.ports]
        users = [f"container {name}" for name in holders] or [
            f"{found.command} (pid {found.pid})" if found.pid else found.command
            for found in facts.listeners
            if found.port == number and conflicts(found.address, wanted.address)
        ]
        if users and holders != [wanted.owner]:
            yield Fault(
                "ports",
                wanted.variable,
                str(number),
                f"is in use by {', '.join(dict.fromkeys(users))}",
                f"stop that, or set {wanted.variable} to a free port",
            )


def _names(facts: Facts, limits: Limits) -> Iterator[Fault]:
    for container in facts.containers:
        variable = limits.containers.get(container.name)
        if variable and container.labels.get(ENVIRONMENT_LABEL) != limits.environment:
            yield Fault(
                "names",
                variable,
                container.name,
                "is the name of a container that this environment did not make",
                f"docker rm -f {container.name}, or choose another {variable}",
            )
    if facts.cluster_nodes and not facts.cluster_is_ours:
        name = limits.cluster_name
        yield Fault(
            "names",
            "kind_cluster_name",
            name,
            f"is the name of a cluster that this environment did not make "
            f"({', '.join(facts.cluster_nodes)})",
            f"kind delete cluster --name {name}, or choose another environment name",
        )


def notices(facts: Facts) -> list[str]:
    """Return what is worth knowing and does not stop a run."""
    found = []
    if not facts.cap_sys_resource:
        found.append(
            "CAP_SYS_RESOURCE is missing here: the nodes' containerd is configured not to need it"
        )
    if facts.kubeconfig_present and facts.engine.reachable and not facts.cluster_nodes:
        found.append(
            "the kubeconfig of this environment is stale, its cluster is gone: "
            "it will be written anew"
        )
    return found


_CHECKS = (
    _environment,
    _system,
    _versions,
    _engine,
    _memory,
    _disk,
    _inotify,
    _ports,
    _names,
)
