"""Ask several things at once, and be done when the time is over.

Invariant: the answer comes within the time given, whatever hangs, and each question has one: what
was read, or `{"missing": why}`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

Facts = dict[str, Any]


def together(reads: Mapping[str, Callable[[], Facts]], seconds: float) -> dict[str, Facts]:
    """Return what each of ``reads`` returns, by its name.

    One that raises, or takes longer than ``seconds``, is missing. Its thread is left to itself: a
    daemon, so that nobody waits for it at the end of the process either.
    """
    found: dict[str, Facts] = {}

    def ask(name: str, read: Callable[[], Facts]) -> None:
        try:
            found[name] = read()
        except Exception as error:  # whatever one of them meets, the others are told
            found[name] = {"missing": str(error) or type(error).__name__}

    threads = [threading.Thread(target=ask, args=item, daemon=True) for item in reads.items()]
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    late = f"no answer within {seconds:g} s"
    return {name: found.get(name, {"missing": late}) for name in reads}
