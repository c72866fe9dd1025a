"""Who is measured: how each peer is built and started.

Invariant: a peer is started as its own documentation says, with what helps it, and ours as a user
starts it; all get the same API server, the same rights and the same pods to make.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import venv
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.operator.workload import IMOOCPODS, POD, REPLICA_SETS, Workload

SOURCES = Path(__file__).parent / "peers"
CACHE = Path(__file__).resolve().parents[2] / ".cache/benchmarks/operator"


@dataclass(frozen=True)
class Server:
    """What a peer is told about the API server; and its process, to be measured too."""

    pid: int
    url: str
    token: str
    certificate: Path
    kubeconfig: Path
    programs: Path


@dataclass(frozen=True)
class Peer:
    """A controller of one of the workloads; `repairs` tells it from the floor, which only makes."""

    name: str
    title: str
    command: Callable[[Server], list[str]]
    build: Callable[[], object] = lambda: None
    environment: Mapping[str, str] = field(default_factory=dict)
    workload: Workload = IMOOCPODS
    repairs: bool = True
    elects: bool = False


def _go(name: str) -> Path:
    """Build a peer written in Go, as far as it has changed; return its program."""
    program = CACHE / name
    subprocess.run(
        ["go", "build", "-trimpath", "-o", str(program), "."], cwd=SOURCES / name, check=True
    )
    return program


def kopf_program() -> Path:
    """Make the environment that the lock names, once; return its kopf."""
    lock = SOURCES / "kopf/requirements.lock"
    folder = CACHE / f"kopf-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    program = folder / "bin/kopf"
    if not program.exists():
        venv.create(folder, clear=True, with_pip=True)
        pip = [str(folder / "bin/pip"), "install", "--quiet", "--no-deps", "--require-hashes"]
        subprocess.run([*pip, "--requirement", str(lock)], check=True)
    return program


def _ours(server: Server) -> list[str]:
    program = Path(sys.executable).with_name("imooc-operator")
    off = ["--metrics-bind-address=0", "--health-probe-bind-address=0"]
    return [str(program), f"--kubeconfig={server.kubeconfig}", *off]


def _floor(server: Server) -> list[str]:
    return [
        str(CACHE / "floor"),
        f"-server={server.url}",
        f"-token={server.token}",
        f"-certificate-authority={server.certificate}",
        f"-pod-template={POD}",
    ]


def _controller_runtime(workers: int) -> Callable[[Server], list[str]]:
    return lambda server: [
        str(CACHE / "controller-runtime"),
        f"-kubeconfig={server.kubeconfig}",
        f"-pod-template={POD}",
        f"-workers={workers}",
    ]


def _on_kopf(server: Server) -> list[str]:
    source = str(SOURCES / "kopf/operator_on_kopf.py")
    return [str(kopf_program()), "run", "--standalone", "--all-namespaces", "--quiet", source]


def _replica_sets(*flags: str) -> Callable[[Server], list[str]]:
    return lambda server: [
        str(server.programs / "kube-controller-manager"),
        f"--kubeconfig={server.kubeconfig}",
        "--controllers=replicaset-controller",
        "--leader-elect=false",
        "--secure-port=0",
        *flags,
    ]


_RAISED = ("--kube-api-qps=10000", "--kube-api-burst=20000", "--concurrent-replicaset-syncs=50")

PEERS = (
    Peer(
        "floor",
        "bare Go loop, 64 connections: creates, one status patch each, repairs nothing",
        _floor,
        build=lambda: _go("floor"),
        repairs=False,
    ),
    Peer("ours", "imooc-operator", _ours, elects=True),
    Peer(
        "go1",
        "controller-runtime v0.25.2, 1 worker",
        _controller_runtime(1),
        build=lambda: _go("controller-runtime"),
    ),
    Peer(
        "go10",
        "controller-runtime v0.25.2, 10 workers",
        _controller_runtime(10),
        build=lambda: _go("controller-runtime"),
        elects=True,
    ),
    Peer(
        "kopf",
        "kopf 1.45.2",
        _on_kopf,
        build=kopf_program,
        environment={"POD_TEMPLATE": str(POD)},
    ),
    Peer(
        "rs",
        "the ReplicaSet controller of kube-controller-manager, raised limits",
        _replica_sets(*_RAISED),
        workload=REPLICA_SETS,
    ),
    Peer(
        "rs-default",
        "the same at default limits: 20 requests a second",
        _replica_sets(),
        workload=REPLICA_SETS,
    ),
)


def environment(peer: Peer, server: Server) -> dict[str, str]:
    """Return what the peer's process finds in its environment besides ours."""
    return {**peer.environment, "KUBECONFIG": str(server.kubeconfig), "HOME": os.environ["HOME"]}
