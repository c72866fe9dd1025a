"""One life of a peer on the API server, and what is measured in it.

The measures follow each other on the same objects: cold start, 1,000 objects from zero, idleness,
lost pods, a crash, scaling, 10,000 pods. Invariant: every peer goes through the same steps, and
leaves an empty namespace.
"""

from __future__ import annotations

import json
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.operator.client import Client
from benchmarks.operator.lineup import Peer, Server, environment
from benchmarks.operator.observer import Late, Observer, pods_over_time, replacements
from benchmarks.operator.process import Process, cpu_of
from benchmarks.operator.workload import NAMESPACE, Workload

PODS = f"/api/v1/namespaces/{NAMESPACE}/pods"
REPLICAS = 3
WARM = 3.0
"""Seconds a standby gets to fill its caches."""

NOW = b'{"gracePeriodSeconds":0}'

Say = Callable[..., None]


@dataclass(frozen=True)
class Sizes:
    """How much of everything."""

    owners: int = 1000
    deletions: int = 1000
    vanished: int = 900
    scaled: int = 100
    pods: int = 10_000
    idle: float = 60.0
    events: int = 100_000
    patience: float = 300.0


QUICK = Sizes(owners=30, deletions=10, vanished=20, scaled=5, pods=120, idle=3, events=300)


@dataclass
class Life:
    """A peer, from its start until nothing of it is left."""

    peer: Peer
    server: Server
    client: Client
    observer: Observer
    sizes: Sizes
    folder: Path
    wanted: frozenset[str]
    say: Say
    measured: dict[str, Any] = field(default_factory=dict)

    def live(self) -> dict[str, Any]:
        """Go through the measures that are wanted; return what was measured.

        A peer that does not do in time what is waited for leaves the reason under `late`, by
        measure, and the measures after it out. That ours does not is a failure.
        """
        steps: dict[str, Callable[[], None]] = {
            "P1": self.from_zero,
            "P5": self.idle,
            "P2": self.lose_pods,
            "P3": self.crash,
            "P10": self.scale,
            "P6": self.grow,
            "P7": self.start_cold,
        }
        try:
            self.begin()
            for name, step in steps.items():
                if name == "P1" or (name in self.wanted and self.peer.repairs):
                    self.say(self.peer.name, name)
                    try:
                        step()
                    except Late as late:
                        if self.peer.name == "ours":
                            raise
                        self.say(self.peer.name, f"{name}: {late}")
                        self.measured["late"] = {name: str(late)}
                        break
        finally:
            self.end()
        self.clear()
        if "P8" in self.wanted and self.peer.elects:
            self.say(self.peer.name, "P8")
            self.change_leaders()
            self.clear()
        return self.measured

    # The measures

    def begin(self) -> None:
        """Start with one object waiting: the first pod of a process that has nothing else to do."""
        self.create(["first"])
        self.observer.until(lambda: len(self.observer.owners) == 1, 10, "the object is seen")
        self.start()
        at = self.observer.until(lambda: self.observer.pod_count > 0, 60, "the first pod")
        self.measured["P7_first_pod_s"] = at - self.process.started
        self.all_right(1, "the first object is right")
        self.clear()
        self.process.settled_cpu()
        self.measured["P6_nothing_mib"] = self.process.resident()

    def from_zero(self) -> None:
        """P1 and P4: all objects at once; CPU and requests until all is quiet."""
        count = self.sizes.owners
        self.observer.clear()
        requests = self.requests()
        cpu, server_cpu = self.process.cpu(), cpu_of(self.server.pid)
        began = time.monotonic()
        self.create([f"web-{number}" for number in range(count)])
        ended = self.all_right(count, f"{count} objects from zero")
        used = self.process.settled_cpu()
        self.measured |= {
            "P1_s": ended - began,
            "P1_cpu_s": used - cpu,
            "P1_server_cpu_s": cpu_of(self.server.pid) - server_cpu,
            "P1_pods_over_time": pods_over_time(self.observer.changes, began),
            "P4_requests": (self.requests() - requests - count) / count,
            "P6_small_mib": self.process.resident(),
        }
        if "P9" in self.wanted and self.peer.name == "ours":
            self.measured["P9_us"] = self.decode()

    def decode(self) -> float:
        """P9: in a process of its own, with a pod as it is on the API server now."""
        pod = json.loads(self.client.call("GET", f"{PODS}?limit=1"))["items"][0]
        program = [sys.executable, "-m", "benchmarks.operator.micro"]
        done = subprocess.run(
            program, input=json.dumps(pod), stdout=subprocess.PIPE, text=True, check=True
        )
        return float(done.stdout)

    def idle(self) -> None:
        """P5: nothing happens."""
        cpu, requests = self.process.cpu_fine(), self.requests()
        time.sleep(self.sizes.idle)  # idleness is what is measured
        self.measured["P5_cpu_s"] = self.process.cpu_fine() - cpu
        self.measured["P5_requests"] = self.requests() - requests

    def lose_pods(self) -> None:
        """P2: one pod after the other is deleted, each when the last one has been made good."""
        observer = self.observer
        observer.clear()
        owners = self.chosen(self.sizes.deletions)
        for uid in owners:
            lost, name = next(iter(observer.pods[uid].items()))
            self.client.call("DELETE", f"{PODS}/{name}", NOW)

            def good(uid: str = uid, lost: str = lost) -> bool:
                return lost not in observer.pods[uid] and observer.owners[uid].right

            observer.until(good, 10, f"{name} is replaced and reported")
            time.sleep(0.01)  # one deletion at a time, each from rest
        spans = replacements(observer.changes)
        self.measured["P2_replaced_ms"] = [round(come * 1000, 2) for come, _ in spans]
        # Where a status names no pods, nobody can see when it speaks of the new one.
        if self.peer.workload.names_pods:
            self.measured["P2_right_ms"] = [round(right * 1000, 2) for _, right in spans]

    def crash(self) -> None:
        """P3: pods vanish while nobody looks; from exec until all are back."""
        self.end()
        total = self.observer.pod_count
        names = sorted(name for pods in self.observer.pods.values() for name in pods.values())
        lost = random.Random(3).sample(names, self.sizes.vanished)  # noqa: S311 - the same for all
        self.client.all(("DELETE", f"{PODS}/{name}", NOW) for name in lost)
        left = total - len(lost)
        self.observer.until(lambda: self.observer.pod_count == left, 60, "pods are gone")
        self.observer.clear()
        self.start()
        # Pods that are there again count, even should some be too many: those show in the maximum.
        back = self.observer.until(
            lambda: self.observer.pod_count >= total, self.sizes.patience, "pods are back"
        )
        right = self.all_right(self.sizes.owners, "all is right after the crash")
        time.sleep(1)  # in which it might make one too many
        self.measured |= {
            "P3_s": back - self.process.started,
            "P3_right_s": right - self.process.started,
            "P3_most_over": self.observer.most_over,
        }

    def scale(self) -> None:
        """P10: some objects from 3 to 10 pods, and from 10 to none."""
        chosen = self.chosen(self.sizes.scaled)
        for key, replicas in (("P10_up_s", 10), ("P10_down_s", 0)):
            began = time.monotonic()
            self.resize(chosen, replicas)
            self.measured[key] = self.all_resized(chosen, replicas) - began
            self.process.settled_cpu(0.5)

    def grow(self) -> None:
        """P6: memory with many pods, and after many events about them."""
        each = self.sizes.pods // self.sizes.owners
        owners = list(self.observer.owners)
        self.resize(owners, each)
        self.all_resized(owners, each)
        self.process.settled_cpu()
        self.measured["P6_large_mib"] = self.process.resident()
        if "P6-churn" in self.wanted:
            self.say(self.peer.name, f"P6, {self.sizes.events} events")
            self.churn()

    def churn(self) -> None:
        """Change an annotation of pod after pod; memory a tenth of the way and at the end."""
        paths = [f"{PODS}/{n}" for pods in self.observer.pods.values() for n in pods.values()]

        def touch(numbers: range) -> None:
            self.client.all(
                (
                    "PATCH",
                    paths[number % len(paths)],
                    b'{"metadata":{"annotations":{"churn":"%d"}}}' % number,
                )
                for number in numbers
            )
            self.process.settled_cpu()

        tenth = self.sizes.events // 10
        touch(range(tenth))
        self.measured["P6_churn_events"] = self.sizes.events
        self.measured["P6_churn_begun_mib"] = self.process.resident()
        touch(range(tenth, self.sizes.events))
        self.measured["P6_churned_mib"] = self.process.resident()

    def start_cold(self) -> None:
        """P7: a start with all these pods to list, and one object that waits for its pods."""
        self.end()
        before = self.observer.pod_count
        owners = len(self.observer.owners)
        self.create(["late"])
        self.observer.until(lambda: len(self.observer.owners) > owners, 10, "the object is seen")
        self.start()
        at = self.observer.until(
            lambda: self.observer.pod_count > before, self.sizes.patience, "the first pod"
        )
        self.measured["P7_listed_pods"] = before
        self.measured["P7_first_pod_of_many_s"] = at - self.process.started
        self.all_right(owners + 1, "all is right after the start")

    def change_leaders(self) -> None:
        """P8: from the signal to the first pod of an object that only the next leader saw come."""
        leader, standby = self.run("--leader-elect"), None
        try:
            self.create(["led"])
            self.observer.until(lambda: self.observer.pod_count > 0, 60, "someone leads")
            for key, number in (
                ("P8_terminated_s", signal.SIGTERM),
                ("P8_killed_s", signal.SIGKILL),
            ):
                standby = self.run("--leader-elect")
                time.sleep(WARM)  # a standby's caches show nowhere outside
                pods = self.observer.pod_count
                began = time.monotonic()
                leader.end(number)
                self.create([f"after-{number.name.lower()}"])
                at = self.observer.until(partial(self.more_pods, pods), 60, "another leads")
                self.measured[key] = at - began
                leader, standby = standby, None
                self.all_right(len(self.observer.owners), "all is right under the new leader")
        finally:
            for process in (leader, standby):
                if process is not None:
                    process.kill()

    # What they are made of

    def more_pods(self, than: int) -> bool:
        """Return whether there are more pods than that."""
        return self.observer.pod_count > than

    def start(self) -> None:
        """Run the peer."""
        self.process = self.run()
        self.observer.alive = self.process.check

    def run(self, *flags: str) -> Process:
        """Return a new process of the peer."""
        return Process(
            [*self.peer.command(self.server), *flags],
            self.folder / f"{self.peer.name}.log",
            environment(self.peer, self.server),
        )

    def end(self) -> None:
        """End the peer as a power cut does."""
        self.observer.alive = lambda: None
        self.process.kill()

    def create(self, names: list[str]) -> None:
        """Create objects."""
        workload = self.workload
        self.client.all(("POST", workload.path(), workload.body(name, REPLICAS)) for name in names)

    def resize(self, uids: list[str], replicas: int) -> None:
        """Ask for another number of pods."""
        body = b'{"spec":{"replicas":%d}}' % replicas
        paths = [self.workload.path(self.observer.owners[uid].name) for uid in uids]
        self.client.all(("PATCH", path, body) for path in paths)

    def all_resized(self, uids: list[str], replicas: int) -> float:
        """Return when all objects were right at that size."""
        owners = self.observer.owners

        def done() -> bool:
            return self.observer.right == len(owners) and all(
                owners[uid].replicas == replicas for uid in uids
            )

        return self.observer.until(done, self.sizes.patience, f"{len(uids)} objects at {replicas}")

    def all_right(self, count: int, what: str) -> float:
        """Return when all of `count` objects were right."""
        return self.observer.until(self.observer.all_right(count), self.sizes.patience, what)

    def chosen(self, count: int) -> list[str]:
        """Return some owners, the same share of them for every peer."""
        by_name = sorted(self.observer.owners, key=lambda uid: self.observer.owners[uid].name)
        return random.Random(2).sample(by_name, count)  # noqa: S311 - the same for all

    def requests(self) -> float:
        """Return how often anyone asked for what only this peer and the user ask for."""
        return served(self.client.call("GET", "/metrics").decode(), self.workload)

    def clear(self) -> None:
        """Delete all objects and pods; nobody may put pods back."""
        self.client.call("DELETE", self.workload.path())
        gone = self.observer.until
        gone(lambda: not self.observer.owners, self.sizes.patience, "objects are deleted")
        time.sleep(0.5)  # the peer hears it by a watch of its own
        names = [name for pods in self.observer.pods.values() for name in pods.values()]
        self.client.all(("DELETE", f"{PODS}/{name}", NOW) for name in names)
        gone(lambda: self.observer.pod_count == 0, self.sizes.patience, "pods are deleted")
        self.observer.pods.clear()

    @property
    def workload(self) -> Workload:
        """The resource type this peer serves."""
        return self.peer.workload


_REQUEST = re.compile(r"^apiserver_request_total\{(?P<labels>[^}]*)\} (?P<value>\S+)$", re.M)
_LABEL = re.compile(r'(\w+)="([^"]*)"')


def served(metrics: str, workload: Workload) -> float:
    """Return the requests for owners, pods and events that the metrics count, without watches."""
    total = 0.0
    for sample in _REQUEST.finditer(metrics):
        labels = dict(_LABEL.findall(sample["labels"]))
        if labels["resource"] in (workload.plural, "pods", "events") and labels["verb"] != "WATCH":
            total += float(sample["value"])
    return total
