#!/usr/bin/env python3
"""Run the operator's fault campaign against its peers too, and count what they survive.

The plans and their oracle are those of operator/tests/campaign: a crash at each write of each
workload, before it is sent, before its answer, after it; an error at each call. A run passes when
the cluster ends as in the run without faults, with as many pods made and deleted on the way.

    python -m benchmarks.operator.faults --peers ours,go10,kopf
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import datetime
import io
import json
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from campaign import test_answers, test_crashes
from campaign.arena import Arena, side_by_side
from campaign.crashes import POINTS
from campaign.workloads import WORKLOADS
from support.control_plane import ControlPlane, control_plane
from support.process import ControllerProcess, OperatorProcess

from benchmarks import page
from benchmarks.operator.lineup import CACHE, PEERS, SOURCES, kopf_program
from benchmarks.operator.report import RESULTS
from benchmarks.operator.run import about, control_plane_programs, say
from benchmarks.operator.workload import POD

ONLY_OURS = "W11 template"
"""The peers keep the number of pods; that a changed template replaces them is ours alone."""


class Supervised(ControllerProcess):
    """A peer that is begun anew when it ends by itself, as the kubelet does; ours must not end."""

    async def launch(self) -> None:
        """Start it and keep an eye on it."""
        await super().launch()
        self._supervisor = asyncio.create_task(self._supervise())

    async def _supervise(self) -> None:
        while True:
            await self.wait()
            await super().launch()

    async def _end(self, number: signal.Signals) -> int:
        self._supervisor.cancel()
        return await super()._end(number)


def _go10(kubeconfig: Path, namespace: str) -> ControllerProcess:
    command = [
        str(CACHE / "controller-runtime"),
        f"-kubeconfig={kubeconfig}",
        f"-pod-template={POD}",
        f"-namespace={namespace}",
        "-json",
    ]
    return Supervised(command, (b"Starting workers",), {})


def _kopf(kubeconfig: Path, namespace: str) -> ControllerProcess:
    source = str(SOURCES / "kopf/operator_on_kopf.py")
    scope = f"--namespace={namespace}"
    command = [str(kopf_program()), "run", "--standalone", scope, "--verbose", source]
    watching = (b"Starting the watch-stream for pods", b"Starting the watch-stream for imoocpods")
    environment = {"KUBECONFIG": str(kubeconfig), "POD_TEMPLATE": str(POD)}
    return Supervised(command, watching, environment)


PROCESSES: dict[str, Callable[..., ControllerProcess]] = {
    "ours": OperatorProcess,
    "go10": _go10,
    "kopf": _kopf,
}

Job = Callable[[], Awaitable[Any]]


class Tally:
    """How many runs of each plan there were and passed; and why the others did not."""

    def __init__(self) -> None:
        self.runs: Counter[str] = Counter()
        self.passed: Counter[str] = Counter()
        self.failures: list[dict[str, str]] = []

    async def count(self, plan: str, what: str, job: Job) -> None:
        """Run a job; that it fails is a result."""
        self.runs[plan] += 1
        try:
            await job()
        except Exception as error:
            self._note(plan, what, error)
        else:
            self.passed[plan] += 1

    def fail(self, plan: str, what: str, error: Exception) -> None:
        """Count a run that has failed."""
        self.runs[plan] += 1
        self._note(plan, what, error)

    def _note(self, plan: str, what: str, error: Exception) -> None:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        self.failures.append({"plan": plan, "run": what, "reason": reason})


async def crashes(arena: Arena, tally: Tally, workloads: Sequence[str]) -> None:
    """End the peer at each write of each workload."""
    for name in workloads:
        try:
            expected, writes = await without_faults(arena, name)
        except AssertionError as error:
            tally.fail(f"crash: {name}", "without faults", error)
            continue
        await side_by_side(
            [
                partial(
                    tally.count,
                    f"crash: {name}",
                    f"write {number}, {point}",
                    partial(test_crashes.run, arena, name, number, point, expected),
                )
                for number in range(1, writes + 1)
                for point in POINTS
            ]
        )


async def answers(arena: Arena, tally: Tally, faults: Sequence[str]) -> None:
    """Let the API server err at each call; peers differ in how many calls they make."""
    async with arena.plan("fault-free: answers") as plan:
        await plan.operator.start()
        await test_answers.work(plan)
        calls = sum("events" not in call.resource for call in plan.proxy.calls)
    for fault in faults:
        await side_by_side(
            [
                partial(
                    tally.count,
                    f"answer: {fault}",
                    f"call {number}",
                    partial(test_answers.run, arena, fault, number, paged=False),
                )
                for number in range(1, calls + 1)
            ]
        )


async def without_faults(arena: Arena, name: str) -> tuple[dict[str, int], int]:
    """Return how many pods the peer makes and deletes, and how many writes it needs."""
    async with arena.plan(f"fault-free: {name}") as plan:
        await plan.operator.start()
        await WORKLOADS[name](plan.user)
        await plan.settled()
        calls = [call for call in plan.proxy.calls if "events" not in call.resource]
        return plan.writes(), sum(call.writes for call in calls)


async def campaign(plane: ControlPlane, peer: str, quick: bool) -> dict[str, Any]:
    """Return the counts of one peer."""
    arena = Arena(plane, PROCESSES[peer])
    tally = Tally()
    workloads = [name for name in WORKLOADS if peer == "ours" or name != ONLY_OURS]
    faults = list(test_answers.FAULTS)
    if quick:
        workloads, faults = workloads[:1], faults[:1]
    said = io.StringIO()  # the arena shows the log of each run that fails: here that is a result
    try:
        with contextlib.redirect_stderr(said):
            await crashes(arena, tally, workloads)
            await answers(arena, tally, faults)
    except BaseException:
        print(said.getvalue()[-5000:], file=sys.stderr)
        raise
    return {
        "runs": dict(tally.runs),
        "passed": dict(tally.passed),
        "failures": tally.failures,
    }


def text(result: dict[str, Any]) -> str:
    """Return the counts as Markdown: passed of run."""
    peers = result["peers"]
    plans = list(dict.fromkeys(plan for counts in peers.values() for plan in counts["runs"]))
    lines = [f"| plan | {' | '.join(peers)} |", f"| --- |{' ---: |' * len(peers)}"]
    total: dict[str, list[int]] = {peer: [0, 0] for peer in peers}
    for plan in plans:
        cells = []
        for peer, counts in peers.items():
            passed, runs = counts["passed"].get(plan, 0), counts["runs"].get(plan, 0)
            total[peer][0] += passed
            total[peer][1] += runs
            cells.append(f"{passed} of {runs}" if runs else "")
        lines.append(f"| {plan} | {' | '.join(cells)} |")
    sums = " | ".join(f"{passed} of {runs}" for passed, runs in total.values())
    return "\n".join([*lines, f"| all | {sums} |"])


def main() -> int:
    """Return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peers", default=",".join(PROCESSES), metavar="A,B")
    parser.add_argument("--quick", action="store_true", help="one plan of each; nothing is kept")
    options = parser.parse_args()
    # SIGTERM unwinds like Ctrl-C does, so that no process is left behind.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    chosen = options.peers.split(",")
    for peer in PEERS:
        if peer.name in chosen:
            peer.build()
    programs = control_plane_programs()
    result: dict[str, Any] = {**about(programs), "peers": {}}
    for name in chosen:
        say(name, "the campaign begins")
        with (
            tempfile.TemporaryDirectory(prefix="imooc-bench-") as folder,
            control_plane(programs, Path(folder)) as plane,
        ):
            allow_everything(plane)
            result["peers"][name] = asyncio.run(campaign(plane, name, options.quick))
        counts = result["peers"][name]
        say(name, f"{sum(counts['passed'].values())} of {sum(counts['runs'].values())} passed")
        for failure in counts["failures"]:
            say(name, "failed", *failure.values())
    if not options.quick and set(chosen) == set(PROCESSES):
        RESULTS.mkdir(exist_ok=True)
        now = datetime.datetime.now(tz=datetime.UTC)
        path = RESULTS / f"{now:%Y-%m-%dT%H%M}-faults.json"
        path.write_text(json.dumps(result, indent=1) + "\n")
        raw = f"{result['date'][:10]}. Raw: [{path.name}](operator/results/{path.name})"
        page.rewrite("faults", f"{text(result)}\n\n{raw}")
    print(text(result))
    return 0


def allow_everything(plane: ControlPlane) -> None:
    """Give the operator's account, which every peer uses here, all rights: kopf needs more."""
    group = "rbac.authorization.k8s.io"
    account = {
        "kind": "ServiceAccount",
        "name": "imoocpod-operator",
        "namespace": "imoocpod-operator",
    }
    plane.apply(
        {
            "apiVersion": f"{group}/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "peers"},
            "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [account],
        }
    )


if __name__ == "__main__":
    sys.exit(main())
