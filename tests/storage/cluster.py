"""A control plane of processes, read as a cluster on nodes is: by `kubectl exec` in an etcd pod.

There are no nodes, so the pod is an object only, and kubectl a stand-in that runs the command here.
All else is real: etcd, etcdctl, API server.
"""

from __future__ import annotations

import base64
import json
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

from ansible.module_utils import kube_discovery
from ansible.module_utils.etcd_answer import Answer, Entry
from ansible.module_utils.etcd_question import MOST_RANGES, Question, Range
from ansible.module_utils.etcd_reader import EtcdReader
from ansible.module_utils.kube_client import KindNotServed, KubeClient
from support.control_plane import ControlPlane

NAMESPACE = "sample"
SERVED = 30.0  # seconds until a definition's kind is served; it takes one on a quiet machine

KUBECTL = """#!{python}
import os, sys
command = sys.argv[sys.argv.index("--") + 1:]
os.execv({programs!r} + "/" + command[0], command)
"""


@dataclass(frozen=True)
class Cluster:
    """The API, and what reads the etcd below it."""

    plane: ControlPlane
    client: KubeClient
    kubectl: Path

    @classmethod
    @contextmanager
    def of(cls, plane: ControlPlane, programs: Path) -> Iterator[Cluster]:
        """Return a running control plane as a cluster."""
        kubectl = plane.folder / "kubectl"
        kubectl.write_text(KUBECTL.format(python=sys.executable, programs=str(programs)))
        kubectl.chmod(0o755)
        with KubeClient.from_kubeconfig(str(plane.folder / "admin.kubeconfig")) as client:
            cluster = cls(plane, client, kubectl)
            cluster._show_etcd()
            yield cluster

    @property
    def reader(self) -> EtcdReader:
        """Reads as the module does."""
        kubeconfig = str(self.plane.folder / "admin.kubeconfig")
        return EtcdReader(self.client, str(self.kubectl), kubeconfig, None)

    def entries(self, *prefixes: str) -> list[Entry]:
        """Return what etcd holds below prefixes."""
        return self.ask(Question(tuple(map(Range.prefix, prefixes))))[0]

    def ask(self, question: Question) -> tuple[list[Entry], Answer]:
        """Return an answer whole."""
        with self.reader.read(question) as answer:
            return list(answer), answer

    def etcd(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return what etcd itself answers, in whose JSON keys and values are Base64."""
        url = f"{self.plane.etcd_url}/v3/{path}"
        request = Request(url, json.dumps(body).encode())  # noqa: S310 - on this machine
        with urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
            told: dict[str, Any] = json.load(answer)
            return told

    def put(self, pairs: Iterable[tuple[bytes, bytes]]) -> None:
        """Store keys and values, past the API server, as many at once as etcd takes."""
        rest = iter(pairs)
        while some := list(islice(rest, MOST_RANGES)):
            puts = [{"requestPut": {"key": _64(key), "value": _64(value)}} for key, value in some]
            self.etcd("kv/txn", {"success": puts})

    def apply(self, obj: dict[str, Any]) -> None:
        """Apply an object, as soon as its kind is served; in the tests' namespace if in any."""
        obj["metadata"].setdefault("namespace", NAMESPACE)
        deadline = time.monotonic() + SERVED
        while True:
            try:
                self.client.apply(obj, "samples")
                return
            except KindNotServed:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)  # between two looks

    def objects(self) -> Iterator[dict[str, Any]]:
        """Yield all that the API shows, in every version."""
        for resource in kube_discovery.resources(self.client):
            if "list" in resource.verbs:
                yield from self.client.list(resource.path)

    def _show_etcd(self) -> None:
        """Make the pod that kubeadm would have made of etcd's manifest."""
        command = ["etcd", f"--listen-client-urls={self.plane.etcd_url}"]
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": "etcd",
                "namespace": "kube-system",
                "labels": {"component": "etcd", "tier": "control-plane"},
            },
            "spec": {
                "nodeName": "none",
                "containers": [{"name": "etcd", "image": "etcd", "command": command}],
            },
        }
        self.client.apply(pod, "samples")
        path = f"{self.client.path_of(pod)}/status"
        running = {"status": {"phase": "Running"}}
        self.client.request("PATCH", path, running, None, "application/merge-patch+json")


def _64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def differences(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """Yield where two objects differ."""
    if isinstance(one, dict) and isinstance(other, dict):
        for name in sorted(one.keys() | other.keys()):
            yield from differences(
                one.get(name, "absent"), other.get(name, "absent"), f"{path}.{name}"
            )
    elif isinstance(one, Sequence) and isinstance(other, Sequence) and len(one) == len(other):
        if isinstance(one, str) or isinstance(other, str):
            if one != other:
                yield f"{path}: {one!r} is not {other!r}"
            return
        for index, (mine, theirs) in enumerate(zip(one, other, strict=True)):
            yield from differences(mine, theirs, f"{path}[{index}]")
    elif json.dumps(one) != json.dumps(other):
        yield f"{path}: {one!r} is not {other!r}"
