"""Read the newest report of long work; `progress.py` beside this file writes them.

Invariant: whatever is in the file, half a line or none, reading it never fails.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

FILE_NAME = "progress.jsonl"

_TAIL_BYTES = 8192  # room for many lines; only the newest is shown


@dataclass(frozen=True)
class Report:
    """What is being done, and how much of it, where that can be counted."""

    message: str
    done: int | None = None
    total: int | None = None


def size(path: Path) -> int:
    """Return the length of the file in bytes, 0 when there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def newest(path: Path, since: int = 0) -> Report | None:
    """Return the last whole, readable line after byte `since`; None when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(max(since, size(path) - _TAIL_BYTES))
            tail = file.read(_TAIL_BYTES)
    except OSError:
        return None
    # The last piece is empty, or a line that is still being written; the first may be cut off.
    for line in reversed(tail.split(b"\n")[:-1]):
        report = _parse(line)
        if report:
            return report
    return None


def _parse(line: bytes) -> Report | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    if not isinstance(value, dict) or not isinstance(value.get("message"), str):
        return None
    message = " ".join(value["message"].split())
    return Report(message, _count(value.get("done")), _count(value.get("total")))


def _count(value: object) -> int | None:
    return value if isinstance(value, int) else None
