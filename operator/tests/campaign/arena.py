"""Where plans run: each has a namespace, a proxy and an operator of its own."""

import asyncio
import itertools
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from imooc_operator.client.api import ApiClient
from imooc_operator.client.kubeconfig import load_kubeconfig
from support.control_plane import ControlPlane, manifests
from support.fault_proxy import FaultProxy, fault_proxy
from support.process import OperatorProcess
from support.user import User

T = TypeVar("T")

HOME = "imoocpod-operator"
AT_ONCE = 6
"""Plans side by side: each waits more than it works."""


QUIET = 0.4
"""Seconds without a request after which a pass has ended: a watch of its own brings no more."""


class Arena:
    """A control plane and the operator's identity on it; `plans` counts what was run by name.

    A test that takes rights of the operator away says so in `rightless`, a set of namespaces.
    """

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        self.plans: Counter[str] = Counter()
        self.rightless: set[str] = set()
        self._numbers = itertools.count(1)
        for name in ("service_account.yaml", "lease_role.yaml", "lease_role_binding.yaml"):
            for manifest in manifests(name):
                plane.apply(manifest)
        path = f"/api/v1/namespaces/{HOME}/serviceaccounts/{HOME}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
        self.token: str = plane.call("POST", path, body)["status"]["token"]

    def namespace(self) -> str:
        """Return a new namespace in which the operator has its rights."""
        name = f"plan-{next(self._numbers)}"
        restricted = {"pod-security.kubernetes.io/enforce": "restricted"}
        meta = {"name": name, "labels": restricted}
        self.plane.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
        for file in ("role.yaml", "role_binding.yaml"):
            for manifest in manifests(file):
                manifest["metadata"]["namespace"] = name
                self.plane.apply(manifest)
        return name

    @asynccontextmanager
    async def plan(self, name: str, *flags: str) -> AsyncIterator["Plan"]:
        """Begin a plan: everything is there, the operator is not started yet."""
        self.plans[name] += 1
        namespace = await asyncio.to_thread(self.namespace)
        certificate = self.plane.certificate
        key = certificate.with_suffix(".key")
        folder = self.plane.folder / namespace
        folder.mkdir()
        async with fault_proxy(self.plane.port, certificate, key) as proxy:
            through = self.plane.kubeconfig(folder / "operator", self.token, proxy.url, HOME)
            direct = self.plane.kubeconfig(folder / "user", self.plane.token)
            client = ApiClient(load_kubeconfig([direct]))
            operator = OperatorProcess(through, namespace, *flags)
            plan = Plan(self, namespace, proxy, operator, User(client, namespace, 30), folder)
            try:
                yield plan
            except BaseException:
                print("".join(operator.log[-60:]), file=sys.stderr)  # pytest shows it
                raise
            finally:
                await operator.end()
                client.close()

    def done(self, namespace: str) -> Counter[str]:
        """Return how often the operator's account did what in `namespace`, as audited."""
        return Counter(
            f"{entry['verb']} {entry['objectRef']['resource']}"
            for entry in self.audit()
            if entry["objectRef"].get("namespace") == namespace
            and entry["responseStatus"]["code"] in (200, 201)
        )

    def audit(self) -> list[dict[str, Any]]:
        """Return all requests of the operator's account that have been answered."""
        with self.plane.audit_log.open() as log:
            entries = [json.loads(line) for line in log if line.endswith("\n")]
        account = f"system:serviceaccount:{HOME}:{HOME}"
        return [
            entry
            for entry in entries
            if entry["user"]["username"] == account and "objectRef" in entry
        ]


@dataclass
class Plan:
    """One run of the operator under one set of faults."""

    arena: Arena
    namespace: str
    proxy: FaultProxy
    operator: OperatorProcess
    user: User
    folder: Path

    async def settled(self) -> None:
        """Wait until the operator has asked nothing for a while and runs."""
        calls = -1
        async with asyncio.timeout(self.user.deadline):
            while calls != len(self.proxy.calls) or not self.operator.synced.is_set():
                calls = len(self.proxy.calls)
                await asyncio.sleep(QUIET)

    def writes(self) -> dict[str, int]:
        """Return how many pods the operator made and deleted here."""
        done = self.arena.done(self.namespace)
        return {verb: done[f"{verb} pods"] for verb in ("create", "delete")}


async def side_by_side(jobs: Sequence[Callable[[], Awaitable[T]]]) -> list[T]:
    """Run `jobs`, a few at a time; return what they return, or raise the first failure."""
    permits = asyncio.Semaphore(AT_ONCE)

    async def one(job: Callable[[], Awaitable[T]]) -> T:
        async with permits:
            return await job()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(job)) for job in jobs]
    return [task.result() for task in tasks]
