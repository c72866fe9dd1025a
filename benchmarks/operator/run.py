#!/usr/bin/env python3
"""Measure the operator beside its peers, and write down what came out.

Rounds alternate the order of the peers; all live on the same API server, one after the other. What
takes long and varies little (idleness, the long churn, leader changes) is measured in the first
round only. A whole run, of every peer and measure, is written into benchmarks/README.md and kept
under results/; a part only when that is asked for, and then it says what is missing. Invariant:
what is compared comes from one run on one machine.

    python -m benchmarks.operator.run --rounds 5
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from support.control_plane import ControlPlane, control_plane

from benchmarks.operator import report, table
from benchmarks.operator.client import Client
from benchmarks.operator.life import QUICK, Life, Sizes
from benchmarks.operator.lineup import CACHE, PEERS, Peer, Server
from benchmarks.operator.observer import Observer
from benchmarks.operator.workload import IMOOCPODS, NAMESPACE, REPLICA_SETS

PROJECT = Path(__file__).resolve().parents[2]
MEASURES = ("P1", "P2", "P3", "P4", "P5", "P6", "P6-churn", "P7", "P8", "P9", "P10")
UNFINISHED = CACHE / "unfinished.json"
"""The rounds so far, should the rest not come."""

FIRST_ROUND = frozenset({"P5", "P6-churn", "P8"})
ONCE = frozenset({"rs-default"})
"""Peers of the first round, and of P1 only: at 20 requests a second it takes minutes."""


def say(*words: str) -> None:
    """Report progress."""
    now = datetime.datetime.now(tz=datetime.UTC)
    print(f"{now:%H:%M:%S} {': '.join(words)}", file=sys.stderr, flush=True)


def main() -> int:
    """Return the exit status."""
    options = _options()
    # SIGTERM unwinds like Ctrl-C does, so that no process is left behind.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    peers = [peer for peer in PEERS if peer.name in options.peers]
    CACHE.mkdir(parents=True, exist_ok=True)
    for peer in peers:
        say(f"building {peer.name}")
        peer.build()
    programs = control_plane_programs()
    wanted = frozenset(options.only)
    sizes = QUICK if options.quick else Sizes()
    with tempfile.TemporaryDirectory(prefix="imooc-bench-") as temporary:
        folder = Path(temporary)
        with control_plane(programs, folder, controllers="") as plane:
            rounds = measure(plane, peers, wanted, sizes, options.rounds)
    result = {
        **about(programs),
        "measures": [measure for measure in MEASURES if measure in wanted],
        "missing": sorted({*MEASURES} - wanted) + [p.name for p in PEERS if p not in peers],
        "sizes": asdict(sizes),
        "rounds": rounds,
    }
    if not options.quick and (options.publish or not result["missing"]):
        report.write(result)
    print(json.dumps(result) if options.output == "json" else table.text(result))
    return 0


def control_plane_programs() -> Path:
    """Return the folder of etcd, kube-apiserver and kube-controller-manager."""
    program = [sys.executable, str(PROJECT / "tools/control_plane.py")]
    done = subprocess.run(program, stdout=subprocess.PIPE, text=True, check=True)
    return Path(done.stdout.strip())


def measure(
    plane: ControlPlane, peers: Sequence[Peer], wanted: frozenset[str], sizes: Sizes, rounds: int
) -> list[dict[str, Any]]:
    """Return for each round what each peer was measured to do."""
    client = Client(plane.port, plane.certificate, plane.token)
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    plane.apply(namespace)
    kubeconfig = plane.kubeconfig(plane.folder / "peer.kubeconfig", plane.token)
    server = Server(
        pid=plane.pid("kube-apiserver"),
        url=plane.url,
        token=plane.token,
        certificate=plane.certificate,
        kubeconfig=kubeconfig,
        programs=plane.programs,
    )
    observers = {w: Observer(w) for w in (IMOOCPODS, REPLICA_SETS)}
    for workload in {peer.workload for peer in peers}:
        observers[workload].start(client)
    done: list[dict[str, Any]] = []
    given_up: dict[str, set[str]] = {peer.name: set() for peer in peers}
    for number in range(1, rounds + 1):
        measured: dict[str, Any] = {}
        done.append(measured)
        for peer in peers if number % 2 else reversed(peers):
            if peer.name in ONCE and number > 1:
                continue
            here = (wanted if number == 1 else wanted - FIRST_ROUND) - given_up[peer.name]
            life = Life(
                peer,
                server,
                client,
                observers[peer.workload],
                sizes,
                plane.folder,
                frozenset() if peer.name in ONCE else here,
                partial(say, f"round {number} of {rounds}"),
            )
            try:
                measured[peer.name] = life.live()
            except Exception:
                log = plane.folder / f"{peer.name}.log"
                print(log.read_text()[-4000:] if log.exists() else "no log", file=sys.stderr)
                raise
            given_up[peer.name] |= measured[peer.name].get("late", {}).keys()
            say(peer.name, table.brief(measured[peer.name]))
            UNFINISHED.write_text(json.dumps(done))
    return done


def about(programs: Path) -> dict[str, Any]:
    """Return date, machine and versions."""

    def version(*command: str) -> str:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout.splitlines()[0]

    return {
        "date": datetime.datetime.now(tz=datetime.UTC).isoformat(timespec="seconds"),
        "machine": {"cpus": os.cpu_count(), "kernel": platform.release()},
        "versions": {
            "kubernetes": version(str(programs / "kube-apiserver"), "--version"),
            "etcd": version(str(programs / "etcd"), "--version"),
            "go": version("go", "version"),
            "python": platform.python_version(),
        },
        "peers": {peer.name: peer.title for peer in PEERS},
    }


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )

    def some(allowed: Sequence[str]) -> Any:
        def names(text: str) -> list[str]:
            chosen = text.split(",")
            if unknown := set(chosen) - set(allowed):
                raise argparse.ArgumentTypeError(
                    f"{', '.join(sorted(unknown))}: choose from {','.join(allowed)}"
                )
            return chosen

        return names

    peers = [peer.name for peer in PEERS]
    parser.add_argument("--rounds", type=int, default=5, help="rounds (default: 5)")
    parser.add_argument(
        "--only",
        type=some(MEASURES),
        default=list(MEASURES),
        metavar="P1,P2",
        help=f"only these of {','.join(MEASURES)}; P1 always, for the others stand on it",
    )
    parser.add_argument(
        "--peers", type=some(peers), default=peers, metavar="A,B", help=f"of {','.join(peers)}"
    )
    parser.add_argument("--output", choices=("table", "json"), default="table")
    parser.add_argument(
        "--publish", action="store_true", help="write down a part too, with what is missing of it"
    )
    parser.add_argument(
        "--quick", action="store_true", help="small sizes, to try the harness; nothing is kept"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
