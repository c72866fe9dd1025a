"""How long steps and long tasks took: `timings.json` in an environment's state directory.

Written by the `progress` callback after each step, read by it on the next run, by the summary and
by the status. Invariant: only steps that succeeded have a duration, and a file that is missing or
spoilt is an empty record, never an error: it holds nothing that cannot be measured again.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

FILE_NAME = "timings.json"
LONG_TASK_SECONDS = 5.0  # shorter tasks never reach the point where their duration is shown

_TASKS_KEPT = 20  # per step: names that hold a version or a hash would pile up otherwise


@dataclass
class StepTime:
    """Seconds a step took the last time, and the last time it had something to change."""

    last: float
    changed: float | None = None


@dataclass
class StepRun:
    """One step of the run that is going on, or of the last one."""

    step: str
    seconds: float
    changed: bool


@dataclass
class Run:
    """The newest run of one playbook; times are seconds since 1970.

    Without `ended` it goes on still, or was interrupted. `failed` names the step that failed.
    """

    began: float = 0.0
    ended: float | None = None
    failed: str = ""
    steps: list[StepRun] = field(default_factory=list)


@dataclass
class Timings:
    """The whole record: the past by key of a step, and the newest run of each playbook.

    The key names playbook and step (`site/cluster`): making a cluster says nothing of removing it.
    """

    steps: dict[str, StepTime] = field(default_factory=dict)
    tasks: dict[str, dict[str, float]] = field(default_factory=dict)
    runs: dict[str, Run] = field(default_factory=dict)

    def run_of(self, playbook: str) -> Run:
        """Return the newest run of a playbook, such as `site`; an empty one before the first."""
        return self.runs.setdefault(playbook, Run())

    def finish_step(self, key: str, seconds: float, changed: bool, tasks: dict[str, float]) -> None:
        """Record a step that succeeded, with the seconds of each of its tasks."""
        seconds = round(seconds, 2)
        known = self.steps.get(key, StepTime(seconds))
        self.steps[key] = StepTime(seconds, seconds if changed else known.changed)
        playbook, _, step = key.partition("/")
        self.run_of(playbook).steps.append(StepRun(step, seconds, changed))
        slow = {name: round(took, 2) for name, took in tasks.items() if took >= LONG_TASK_SECONDS}
        if slow:
            # Newest last, so that the oldest names are the ones dropped.
            kept = {k: v for k, v in self.tasks.get(key, {}).items() if k not in slow} | slow
            self.tasks[key] = dict(list(kept.items())[-_TASKS_KEPT:])

    def task_seconds(self, key: str, task: str) -> float | None:
        """Return how long this task took when it was last slow; None when it never was."""
        return self.tasks.get(key, {}).get(task)


def load(path: Path) -> Timings:
    """Return the record at `path`; an empty one when there is none or it cannot be understood."""
    try:
        data: dict[str, Any] = json.loads(path.read_text())
        return Timings(
            steps={str(k): StepTime(**v) for k, v in data["steps"].items()},
            tasks={str(k): dict(v) for k, v in data["tasks"].items()},
            runs={str(k): _run(v) for k, v in data["runs"].items()},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Timings()


def _run(data: dict[str, Any]) -> Run:
    return Run(**{**data, "steps": [StepRun(**entry) for entry in data["steps"]]})


def save(path: Path, timings: Timings) -> None:
    """Replace the record at `path` in one step, if its directory exists.

    A missing directory is left missing: before the first step there is no environment yet, and
    after the last step of `down` there is none any more.
    """
    if not path.parent.is_dir():
        return
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(json.dumps(asdict(timings), indent=2) + "\n")
    partial.replace(path)


def spoken(seconds: float) -> str:
    """Return a duration for people: `0.4 s`, `21 s`, `6 min 13 s`, `1 h 2 min`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
