"""Reports of long work: one JSON line each in the file of IMOOC_PROGRESS_FILE.

A callback plugin prints them while the task runs. Invariant: a report never
fails and never slows the work, whatever the state of the file.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path

VARIABLE = "IMOOC_PROGRESS_FILE"


def report(message: str, done: int | None = None, total: int | None = None) -> None:
    """Append what is being done now; `done` of `total` where that can be counted."""
    path = os.environ.get(VARIABLE)
    if not path:
        return
    line: dict[str, object] = {"time": time.time(), "message": message}
    if done is not None:
        line["done"] = done
    if total is not None:
        line["total"] = total
    # One write call per line: reports of several processes do not interleave.
    with contextlib.suppress(OSError):
        Path(path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with Path(path).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(line) + "\n")
