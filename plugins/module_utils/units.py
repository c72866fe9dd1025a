"""Numbers for people: bytes, short times, how long ago. Pure."""

from __future__ import annotations

from datetime import datetime

from ansible.module_utils.timings import spoken


def size(count: float | None) -> str:
    """Return bytes as people write them: `14 MB`, `690 MB`, `3.2 kB`; None as a dash."""
    if count is None:
        return "-"
    for unit in ("B", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if count >= 10 or unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def short(seconds: float) -> str:
    """Return the bound of a bucket: `2.5 ms`, `1 s`."""
    return f"{seconds * 1000:g} ms" if seconds < 1 else f"{seconds:g} s"


def ago(moment: datetime, now: datetime) -> str:
    """Return how long ago something was."""
    return f"{spoken(max(0.0, (now - moment).total_seconds()))} ago"
