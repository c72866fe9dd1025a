"""Sees from outside what a peer does: two watches of its own, each event with its time.

Invariant: pods come as partial metadata, a form no peer asks for, so that the API server encodes
nothing twice for the observer and one peer, and once for another.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

import msgspec

from benchmarks.operator.client import Client
from benchmarks.operator.workload import NAMESPACE, Status, Workload

_PARTIAL = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"


class _Reference(msgspec.Struct):
    uid: str
    controller: bool = False


class _Meta(msgspec.Struct, rename="camel"):
    name: str
    uid: str
    resource_version: str
    generation: int = 0
    deletion_timestamp: str | None = None
    owner_references: list[_Reference] = []

    @property
    def revision(self) -> int:
        return int(self.resource_version)


class _Spec(msgspec.Struct):
    replicas: int


class _OwnerObject(msgspec.Struct):
    metadata: _Meta
    spec: _Spec
    status: Status = msgspec.field(default_factory=Status)


class _PodObject(msgspec.Struct):
    metadata: _Meta


class _OwnerEvent(msgspec.Struct):
    type: str
    object: _OwnerObject


class _PodEvent(msgspec.Struct):
    type: str
    object: _PodObject


_OWNER = msgspec.json.Decoder(_OwnerEvent)
_POD = msgspec.json.Decoder(_PodEvent)


class Change(NamedTuple):
    """Something that was seen: a pod came or went, or an owner became right or wrong."""

    at: float
    what: str
    owner: str
    pod: str = ""


class Late(Exception):
    """The cluster did not follow in time."""


@dataclass
class Owner:
    """One object that owns pods, as last seen."""

    name: str
    replicas: int
    generation: int
    status: Status
    right: bool = False


@dataclass
class Observer:
    """What is there now, and all that happened since clear()."""

    workload: Workload
    owners: dict[str, Owner] = field(default_factory=dict)
    pods: dict[str, dict[str, str]] = field(default_factory=dict)
    pod_count: int = 0
    right: int = 0
    most_over: int = 0
    changes: list[Change] = field(default_factory=list)
    failure: Exception | None = None
    alive: Callable[[], None] = lambda: None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _met: threading.Event = field(default_factory=threading.Event)
    _check: Callable[[], bool] | None = None
    _met_at: float = 0.0

    def start(self, client: Client) -> None:
        """Begin to watch, in threads that end with the process."""
        for path, accept, take in (
            (self.workload.path(), "application/json", self.take_owner),
            (f"/api/v1/namespaces/{NAMESPACE}/pods", _PARTIAL, self.take_pod),
        ):
            follow = (client, path, accept, take)
            threading.Thread(target=self._follow, args=follow, daemon=True).start()

    def clear(self) -> None:
        """Forget what happened, not what is there."""
        with self._lock:
            self.changes = []
            self.most_over = 0

    def until(self, check: Callable[[], bool], within: float, what: str) -> float:
        """Return when `check` first held: the time of the event that made it so.

        `alive` is asked now and then, and raises when there is nothing to wait for any more.
        """
        with self._lock:
            if check():
                return time.monotonic()
            self._check = check
            self._met.clear()
        deadline = time.monotonic() + within
        while not self._met.wait(0.5):
            self.alive()
            if time.monotonic() > deadline:
                raise Late(f"not within {within:g} s: {what}; {self.summary()}")
        if self.failure is not None:
            raise self.failure
        return self._met_at

    def all_right(self, owners: int) -> Callable[[], bool]:
        """Return a check that there are that many owners, all of them right."""
        return lambda: len(self.owners) == owners == self.right

    def summary(self) -> str:
        """Return the state in a few words."""
        return f"{len(self.owners)} owners, {self.right} of them right, {self.pod_count} pods"

    def take_owner(self, line: bytes, at: float) -> int:
        """Take over one event of an owner; return its revision."""
        event = _OWNER.decode(line)
        meta = event.object.metadata
        old = self.owners.get(meta.uid)
        if event.type == "DELETED":
            self.owners.pop(meta.uid, None)
            self.right -= old is not None and old.right
            return meta.revision
        was = old is not None and old.right
        spec, status = event.object.spec, event.object.status
        self.owners[meta.uid] = Owner(meta.name, spec.replicas, meta.generation, status, was)
        self._judge(meta.uid, at)
        return meta.revision

    def take_pod(self, line: bytes, at: float) -> int:
        """Take over one event of a pod; return its revision."""
        event = _POD.decode(line)
        meta = event.object.metadata
        uid = next((ref.uid for ref in meta.owner_references if ref.controller), "")
        names = self.pods.setdefault(uid, {})
        if event.type == "DELETED" or meta.deletion_timestamp is not None:
            if names.pop(meta.uid, None) is None:
                return meta.revision
            self.pod_count -= 1
            self.changes.append(Change(at, "pod gone", uid, meta.name))
        elif meta.uid not in names:
            names[meta.uid] = meta.name
            self.pod_count += 1
            self.changes.append(Change(at, "pod", uid, meta.name))
        self._judge(uid, at)
        return meta.revision

    def _judge(self, uid: str, at: float) -> None:
        if (owner := self.owners.get(uid)) is None:
            return
        names = self.pods.get(uid, {})
        self.most_over = max(self.most_over, len(names) - owner.replicas)
        pods = names.values()
        right = self.workload.right(owner.replicas, owner.generation, owner.status, pods)
        if right != owner.right:
            owner.right = right
            self.right += 1 if right else -1
            self.changes.append(Change(at, "right" if right else "wrong", uid))

    def _follow(
        self, client: Client, path: str, accept: str, take: Callable[[bytes, float], int]
    ) -> None:
        since = 0
        try:
            # The API server ends the watches of a type that was made or changed just now.
            while True:
                for lines in client.watch(path, accept, since):
                    at = time.monotonic()
                    with self._lock:
                        since = max(since, *(take(line, at) for line in lines))
                        self._answer(at)
        except Exception as error:
            self.failure = error
            self._met.set()

    def _answer(self, at: float) -> None:
        if self._check is not None and self._check():
            self._check = None
            self._met_at = at
            self._met.set()


def replacements(changes: list[Change]) -> list[tuple[float, float]]:
    """Return for each pod that went: seconds until a new one was there, and until all was right.

    The pods must have been deleted one after the other, each after the last was made good.
    """
    gone = [i for i, change in enumerate(changes) if change.what == "pod gone"]
    spans = []
    for start, end in pairwise([*gone, len(changes)]):
        loss, later = changes[start], changes[start + 1 : end]
        mine = [change for change in later if change.owner == loss.owner]
        come = next(change.at for change in mine if change.what == "pod")
        spans.append((come - loss.at, max(c.at for c in mine if c.what == "right") - loss.at))
    return spans


def pods_over_time(changes: list[Change], origin: float, steps: int = 100) -> list[list[float]]:
    """Return about `steps` points of seconds since `origin` and pods that had come by then."""
    times = [change.at - origin for change in changes if change.what == "pod"]
    stride = max(1, len(times) // steps)
    return [[round(times[i], 3), i + 1] for i in range(stride - 1, len(times), stride)]
