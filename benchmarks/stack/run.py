#!/usr/bin/env python3
"""Time the stack beside a shell script of the bare commands, and hold it to its goals.

Rounds alternate: floor up, floor down, then `site.yml` from nothing, again, with one changed source
line, and down. Invariant: both sides use the same images, the same build context and warm caches,
and environments of their own names; what is compared comes from one run on one machine.

    python -m benchmarks.stack.run --rounds 3
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.stack import api_writes, table

PROJECT = Path(__file__).resolve().parents[2]
RESULTS = Path(__file__).parent / "results"
FLOOR = Path(__file__).with_name("floor.sh")
PLAYBOOK = str(Path(sys.executable).with_name("ansible-playbook"))
ENVIRONMENT = "bench"
FLOOR_NAME = "imooc-bench-floor"
FLOOR_PORT = "5999"
SETTLE_SECONDS = 5  # after `up`: kubelet and controllers still write what they saw
_CHANGED = re.compile(r"changed=(\d+)")

Round = dict[str, Any]


@dataclass(frozen=True)
class Goal:
    """A promise about the medians of all rounds."""

    promise: str
    measured: float
    limit: float

    @property
    def met(self) -> bool:
        """Whether the measured value is within the limit."""
        return self.measured <= self.limit


def timed(command: list[str], environment: Mapping[str, str]) -> tuple[float, str]:
    """Run a command and return its seconds and output; a failure ends the benchmark."""
    begun = time.monotonic()
    done = subprocess.run(
        command,
        cwd=PROJECT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    seconds = time.monotonic() - begun
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}")
    return round(seconds, 2), done.stdout


def playbook(name: str, *arguments: str) -> tuple[float, int]:
    """Run a playbook for the benchmark's environment; return its seconds and changed tasks."""
    command = [PLAYBOOK, name, "-e", f"environment_name={ENVIRONMENT}", *arguments]
    seconds, output = timed(command, {"ANSIBLE_CONFIG": str(PROJECT / "ansible.cfg")})
    return seconds, sum(int(count) for count in _CHANGED.findall(output))


def site_round(state: Path, operator: Path, number: int) -> Round:
    """Time `site.yml` from nothing, again, after a change, and down."""
    sources = ("-e", f"operator_image_context={operator}")
    up, _ = playbook("site.yml", *sources)
    steps = json.loads((state / "outputs.json").read_text())["steps"]
    time.sleep(SETTLE_SECONDS)
    kubectl = [str(PROJECT / "bin/kubectl"), f"--kubeconfig={state / 'kubeconfig'}"]
    before = api_writes.read(kubectl)
    again, changed = playbook("site.yml", *sources)
    writes = api_writes.read(kubectl) - before
    old = operator_image(kubectl)
    with (operator / "src/imooc_operator/__init__.py").open("a") as source:
        source.write(f"# round {number}\n")
    change, _ = playbook("site.yml", "--tags", "build,operator", *sources)
    if operator_image(kubectl) == old:
        raise SystemExit(f"a changed source line left {old} running")
    down, _ = playbook("playbooks/down.yml")
    return {
        "site_up": up,
        "site_up_steps": {step["step"]: step["seconds"] for step in steps},
        "site_again": again,
        "again_changed": changed,
        "again_writes": dict(writes),
        "change": change,
        "site_down": down,
    }


def operator_image(kubectl: list[str]) -> str:
    """Return the image of the operator's pod, the one that is not on its way out."""
    query = "jsonpath={.items[?(@.status.phase=='Running')].spec.containers[0].image}"
    pods = ["-n", "imoocpod-operator", "get", "pods", "-l", "app=imoocpod-operator", "-o", query]
    return timed([*kubectl, *pods], {})[1].strip()


def floor_round(environment: Mapping[str, str]) -> Round:
    """Time the bare commands."""
    up, _ = timed([str(FLOOR), "up"], environment)
    down, _ = timed([str(FLOOR), "down"], environment)
    return {"floor_up": up, "floor_down": down}


def floor_environment(images: dict[str, Any], operator: Path, folder: Path) -> dict[str, str]:
    """Return what floor.sh takes from its environment; its build context is made here, untimed."""
    context = folder / "floor"
    shutil.copytree(operator, context)
    packages = context / "build/site-packages"
    only = ["--no-deps", "--only-binary", ":all:", "--python-version", "3.13"]
    lock = ["--require-hashes", "--requirement", str(context / "requirements.lock")]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(packages)]
    timed([*pip, *only, *lock], {})
    image = {name: known["reference"] for name, known in images["images"].items()}
    return {
        "PATH": f"{PROJECT / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "NAME": FLOOR_NAME,
        "PORT": FLOOR_PORT,
        "KUBECONFIG": str(folder / "kubeconfig"),
        "DEPLOY": str(operator / "deploy"),
        "CONTEXT": str(context),
        "NODE_IMAGE": image["node"],
        "REGISTRY_IMAGE": image["registry"],
        "BASE_IMAGE": image["python"],
        "BUSYBOX_IMAGE": image["busybox"],
    }


def goals(rounds: list[Round]) -> list[Goal]:
    """Return the promises with what was measured: medians, and the worst of what must be zero."""

    def median(key: str) -> float:
        return float(round(statistics.median(entry[key] for entry in rounds), 2))

    over = float(round(statistics.median(r["site_up"] - r["floor_up"] for r in rounds), 2))
    writes = max(sum(entry["again_writes"].values()) for entry in rounds)
    return [
        Goal("first run, images present: seconds above the floor", over, 10),
        Goal("second run: seconds", median("site_again"), 8),
        Goal("second run: changed tasks", max(r["again_changed"] for r in rounds), 0),
        Goal("second run: writes to the API", writes, 0),
        Goal("one changed source line until the new version runs: seconds", median("change"), 8),
        Goal("down: seconds", median("site_down"), 5),
    ]


def main() -> int:
    """Return the exit status: 0 where every goal is met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds_wanted = parser.parse_args().rounds
    state = PROJECT / "state" / ENVIRONMENT
    with tempfile.TemporaryDirectory(prefix="imooc-bench-") as temporary:
        operator = Path(temporary) / "operator"
        ignored = shutil.ignore_patterns("build", "tests", "__pycache__", "*.egg-info")
        shutil.copytree(PROJECT / "operator", operator, ignore=ignored)
        # A first round, not counted, has images, wheels and layers in place for both sides.
        playbook("site.yml", "-e", f"operator_image_context={operator}")
        images = json.loads((state / "images.json").read_text())
        playbook("playbooks/down.yml")
        environment = floor_environment(images, operator, Path(temporary))
        floor_round(environment)
        rounds: list[Round] = []
        for number in range(1, rounds_wanted + 1):
            rounds.append({**floor_round(environment), **site_round(state, operator, number)})
            print(f"round {number}: {rounds[-1]}", flush=True)
    measured = goals(rounds)
    write(rounds, measured, images)
    for goal in measured:
        print(f"{'met' if goal.met else 'MISSED':<7}{goal.promise}: {goal.measured:g}")
    return 0 if all(goal.met for goal in measured) else 1


def write(rounds: list[Round], measured: list[Goal], images: dict[str, Any]) -> None:
    """Write the raw results, and the table in benchmarks/README.md from them."""
    now = datetime.datetime.now(tz=datetime.UTC)
    engine = ["docker", "version", "--format", "{{.Server.Version}}"]
    labels = images["images"]["node"]["labels"]
    result = {
        "date": now.isoformat(timespec="seconds"),
        "machine": {"cpus": os.cpu_count(), "kernel": platform.release()},
        "versions": {
            "engine": timed(engine, {})[1].strip(),
            "python": platform.python_version(),
            "ansible": timed([PLAYBOOK, "--version"], {})[1].splitlines()[0],
            "node": labels.get("com.imooc.images.versions", images["images"]["node"]["reference"]),
        },
        "rounds": rounds,
        "goals": [
            {"promise": g.promise, "measured": g.measured, "limit": g.limit, "met": g.met}
            for g in measured
        ],
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{now:%Y-%m-%dT%H%M}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    table.write(path)


if __name__ == "__main__":
    sys.exit(main())
