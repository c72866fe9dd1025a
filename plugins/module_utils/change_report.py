"""What a run changed, or would change: collected by step, told as a table, kept as data.

Three views of the same changes. `plan`: what `up` would do. `drift`: in which fields the live
objects differ from the wanted ones, and who changed them. `applied`: what a run has done.
"""

from __future__ import annotations

import json
import os
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from ansible.module_utils.changes import ACTIONS, Change, Field, as_data

View = Literal["plan", "drift", "applied"]
VIEWS: tuple[View, ...] = ("plan", "drift", "applied")
UNRECORDED = "not recorded"

_SHOWN = 60  # characters of a value in the table; the data has all of it
_WIDTH = 100
_DIGEST = re.compile(r"(sha256:[0-9a-f]{12})[0-9a-f]{52}")  # as much of it as tells it from others


@dataclass(frozen=True)
class StepChanges:
    """The changes of one step, in the order in which they were told."""

    step: str
    changes: Sequence[Change] = ()


def told_by(task: str, result: dict[str, Any]) -> list[Change]:
    """Return what a task that ended well reports; one of Ansible's own only says that it did.

    ``changes`` counts even where it is empty: a record of the run is written and is no change.
    """
    if "changes" in result:
        return [Change.from_data(change) for change in result["changes"]]
    if not result.get("changed"):
        return []
    if result.get("state") == "absent":
        return [Change(str(result.get("path", task)), "delete")]
    return [Change(task, "update")]


@dataclass(frozen=True)
class Report:
    """All steps of a run, of which the newest may be unfinished where ``complete`` is false."""

    environment: str
    view: View
    steps: Sequence[StepChanges]
    complete: bool = True

    @property
    def counts(self) -> dict[str, int]:
        """How many objects each action is about."""
        actions = [change.action for step in self.steps for change in step.changes]
        return {action: actions.count(action) for action in ACTIONS}

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do, or was."""
        return not any(self.counts.values())

    def save(self, state: Path, *, make: bool) -> None:
        """Replace `<view>.json` in the state directory in one step; it holds no secret.

        Without ``make`` a missing directory is left missing: after `down` there is none any more.
        """
        if make:
            state.mkdir(mode=0o700, parents=True, exist_ok=True)
        elif not state.is_dir():
            return
        path = _file(state, self.view)
        partial = path.with_name(f".{path.name}.{os.getpid()}")
        partial.write_text(json.dumps(self._data(), indent=2) + "\n")
        partial.replace(path)

    def text(self) -> str:
        """Return the table for people, its count in the last line."""
        lines = _drift_lines(self.steps) if self.view == "drift" else _change_lines(self.steps)
        idle = [step.step for step in self.steps if not step.changes]
        if idle and self.view == "plan":
            head = f"{'none':<10}"
            indent = " " * len(head)
            lines += textwrap.wrap(
                ", ".join(idle), _WIDTH, initial_indent=head, subsequent_indent=indent
            )
        return "\n".join([*lines, self._last_line()])

    def _data(self) -> dict[str, Any]:
        data: dict[str, Any] = {"environment": self.environment}
        if self.view == "drift":
            return {**data, "differences": list(_differences(self.steps))}
        steps = [{"step": step.step, "changes": as_data(step.changes)} for step in self.steps]
        return {**data, "complete": self.complete, "counts": self.counts, "steps": steps}

    def _last_line(self) -> str:
        if self.view == "drift":
            found = len(list(_differences(self.steps)))
            again = f"make up{'' if self.environment == 'dev' else f' ENV={self.environment}'}"
            many = f"{found} differences; `{again}` repairs them"
            some = f"1 difference; `{again}` repairs it" if found == 1 else many
            return f"drift: {some if found else 'none'}"
        if self.view == "plan":
            told = ", ".join(f"{count} to {action}" for action, count in self.counts.items())
            return f"plan: {told}; nothing was changed"
        told = ", ".join(f"{count} {action}d" for action, count in self.counts.items())
        return f"done: {told}"


def forget(state: Path, view: View) -> None:
    """Remove what an earlier run said: it would be taken for what a failing one says."""
    _file(state, view).unlink(missing_ok=True)


def _file(state: Path, view: View) -> Path:
    return state / f"{view}.json"


def _change_lines(steps: Sequence[StepChanges]) -> list[str]:
    """Return a line for each object, and below it one for each field."""
    rows = [(step.step, change) for step in steps for change in step.changes]
    return [line for step, change in rows for line in _object_lines(step, change)]


def _object_lines(step: str, change: Change) -> Iterator[str]:
    head = f"{step:<10}{change.action:<9}{change.object}"
    yield f"{head}: {change.reason}" if change.reason else head
    for one in change.fields:
        taken = f" (set by {one.manager})" if one.live == one.wanted else ""
        yield f"{'':<19}  {one.path}: {shown(one.live)} -> {shown(one.wanted)}{taken}"


def _drift_lines(steps: Sequence[StepChanges]) -> list[str]:
    """Return for each object a line, and below it wanted, live and author of each field."""
    return [
        line
        for step in steps
        for change in step.changes
        for line in (f"{step.step:<10}{change.object}", *_drifted_fields(change))
    ]


def _drifted_fields(change: Change) -> Iterator[str]:
    for one in change.fields or (_whole(change),):
        author = " at ".join(filter(None, [one.manager, one.time])) or UNRECORDED
        yield f"{'':<12}{one.path or change.reason}"
        yield f"{'':<14}wanted      {shown(one.wanted)}"
        yield f"{'':<14}live        {shown(one.live)}"
        yield f"{'':<14}changed by  {author}"


def _differences(steps: Sequence[StepChanges]) -> Iterator[dict[str, Any]]:
    """Yield each differing field; an object that is missing or too many is one whole difference."""
    for step in steps:
        for change in step.changes:
            for one in change.fields or (_whole(change),):
                yield {
                    "step": step.step,
                    "object": change.object,
                    "field": one.path,
                    "wanted": one.wanted,
                    "live": one.live,
                    "manager": one.manager,
                    "time": one.time,
                    "action": change.action,
                    "reason": change.reason,
                }


def _whole(change: Change) -> Field:
    there: dict[str, tuple[Any, Any]] = {
        "create": (None, "present"),
        "delete": ("present", None),
        "update": ("different", "as wanted"),
        "replace": ("different", "as wanted"),
    }
    live, wanted = there[change.action]
    return Field("", live, wanted)


def shown(value: Any) -> str:
    """Return a value in one short line."""
    if value is None:
        return "nothing"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    line = _DIGEST.sub(r"\1…", " ".join(text.split())) or '""'
    if len(line) <= _SHOWN:
        return line
    half = (_SHOWN - 3) // 2
    return f"{line[:half]}...{line[-half:]}"
