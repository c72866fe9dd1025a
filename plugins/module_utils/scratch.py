"""Hand out folders for work in progress, next to where the result will lie.

Invariant: what a killed run left is removed by a later one, and never while it may still be in use.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

_PREFIX = ".scratch-"
_LONGEST_USE_SECONDS = 3600


@contextlib.contextmanager
def scratch(parent: Path) -> Iterator[Path]:
    """Yield an empty folder in ``parent`` that is gone afterwards."""
    parent.mkdir(parents=True, exist_ok=True)
    oldest = time.time() - _LONGEST_USE_SECONDS
    for left in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(FileNotFoundError):  # another run removes it too
            if left.stat().st_mtime < oldest:
                shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=parent, prefix=_PREFIX) as folder:
        yield Path(folder)
