"""Where plans run: each has a namespace, a proxy and an operator of its own."""

import asyncio
import itertools
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from imooc_operator.client.api import ApiClient
from imooc_operator.client.kubeconfig import load_kubeconfig
from support.control_plane import ControlPlane, manifests
from support.fault_proxy import Answer, Call, FaultProxy, Send, fault_proxy, refusal
from support.process import ControllerProcess, OperatorProcess
from support.user import User

T = TypeVar("T")

HOME = "imoocpod-operator"
RIGHTS = ("role.yaml", "role_binding.yaml", "lease_role.yaml", "lease_role_binding.yaml")

AT_ONCE = 6
"""Plans side by side: each waits more than it works."""

LONG = "IMOOC_CAMPAIGN_LONG" in os.environ
"""Whether to do the cases that take minutes, and the others in full size."""

QUIET = 0.4
"""Seconds without a request after which a pass has ended: a watch of its own brings no more."""


class Arena:
    """A control plane and the operator's identity on it; counts the plans by name.

    A test that takes rights of the operator away says so in `rightless`, a set of namespaces.

    `operator` makes the process from kubeconfig, namespace and flags.
    """

    def __init__(
        self,
        plane: ControlPlane,
        operator: Callable[..., ControllerProcess] = OperatorProcess,
    ) -> None:
        self.plane = plane
        self.operator = operator
        self.run: Counter[str] = Counter()
        self.passed: Counter[str] = Counter()
        self.rightless: set[str] = set()
        self._numbers = itertools.count(1)
        for manifest in manifests("service_account.yaml"):
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
        self.grant(name)
        return name

    def grant(self, namespace: str) -> None:
        """Give the operator its rights in `namespace`, those of the leader election too."""
        for file in RIGHTS:
            for manifest in manifests(file):
                manifest["metadata"]["namespace"] = namespace
                self.plane.apply(manifest)

    def report(self) -> dict[str, Any]:
        """Return how many plans of each name were run and how many of them passed."""
        plans = {name: {"run": n, "passed": self.passed[name]} for name, n in self.run.items()}
        return {"long": LONG, "plans": plans}

    @asynccontextmanager
    async def plan(
        self, name: str, *flags: str, environment: Mapping[str, str] | None = None
    ) -> AsyncIterator["Plan"]:
        """Begin a plan: everything is there, the operator is not started yet."""
        self.run[name] += 1
        namespace = await asyncio.to_thread(self.namespace)
        certificate = self.plane.certificate
        key = certificate.with_suffix(".key")
        folder = self.plane.folder / namespace
        folder.mkdir()
        async with fault_proxy(self.plane.port, certificate, key) as proxy:
            path = folder / "operator"
            through = self.plane.kubeconfig(path, self.token, proxy.url, namespace)
            direct = self.plane.kubeconfig(folder / "user", self.plane.token)
            client = ApiClient(load_kubeconfig([direct]))
            extra = {"environment": environment} if environment else {}
            operator = self.operator(through, namespace, *flags, **extra)
            plan = Plan(self, namespace, proxy, operator, User(client, namespace, 30), folder)
            try:
                yield plan
                self.passed[name] += 1
            except BaseException:
                print("".join(operator.log[-60:]), file=sys.stderr)  # pytest shows it
                raise
            finally:
                client.close()
                await operator.end()

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
    operator: ControllerProcess
    user: User
    folder: Path

    @asynccontextmanager
    async def another(self, *flags: str) -> AsyncIterator[tuple[FaultProxy, OperatorProcess]]:
        """Have one more operator for the same namespace, behind a proxy of its own."""
        plane = self.arena.plane
        key = plane.certificate.with_suffix(".key")
        async with fault_proxy(plane.port, plane.certificate, key) as proxy:
            path = self.folder / "another"
            config = plane.kubeconfig(path, self.arena.token, proxy.url, self.namespace)
            operator = OperatorProcess(config, self.namespace, *flags)
            try:
                yield proxy, operator
            finally:
                await operator.end()

    def page_lists(self) -> None:
        """Refuse to begin a watch with a list, as older API servers do: lists come in pages."""

        async def refuse(call: Call, send: Send) -> Answer:
            return refusal(422, "Invalid")

        self.proxy.rule(lambda call: "sendInitialEvents" in call.query, refuse)

    async def settled(self) -> None:
        """Wait until the operator has asked nothing for a while, and runs."""
        operator, calls = self.operator, -1
        async with asyncio.timeout(self.user.deadline):
            while calls != len(self.proxy.calls) or not (
                operator.runs and operator.synced.is_set()
            ):
                calls = len(self.proxy.calls)
                await asyncio.sleep(QUIET)

    def writes(self) -> dict[str, int]:
        """Return how many pods the operator made and deleted here."""
        done = self.arena.done(self.namespace)
        return {verb: done[f"{verb} pods"] for verb in ("create", "delete")}


async def side_by_side(
    jobs: Sequence[Callable[[], Awaitable[T]]], at_once: int = AT_ONCE
) -> list[T]:
    """Run `jobs`, a few at a time; return what they return, or raise the first failure."""
    permits = asyncio.Semaphore(at_once)

    async def one(job: Callable[[], Awaitable[T]]) -> T:
        async with permits:
            return await job()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(job)) for job in jobs]
    return [task.result() for task in tasks]
