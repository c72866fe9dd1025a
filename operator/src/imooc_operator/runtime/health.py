"""Whether this process still does its work, judged by progress and not by being able to answer.

Invariant: a dead watch or a stuck pass makes /healthz fail, so that a zombie is restarted.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

WATCH_LIMIT = 300.0
"""Seconds without life on a watch: three silences, each of which should have reopened it."""

PASS_LIMIT = 300.0
"""Seconds one pass may take: every request in it has its own, much shorter timeout."""


class Watched(Protocol):
    """What health needs of an informer."""

    def age(self) -> float: ...
    def is_synced(self) -> bool: ...
    def title(self) -> str: ...


class Health:
    """The two questions a kubelet asks; an empty answer means yes."""

    def __init__(self, informers: Sequence[Watched], oldest_pass: Callable[[], float]) -> None:
        self._informers = informers
        self._oldest_pass = oldest_pass

    def live(self) -> list[str]:
        """Return what has made no progress."""
        faults = [
            f"{informer.title()}: nothing for {informer.age():.0f} s"
            for informer in self._informers
            if informer.age() > WATCH_LIMIT
        ]
        if (oldest := self._oldest_pass()) > PASS_LIMIT:
            faults.append(f"a pass has been running for {oldest:.0f} s")
        return faults

    def ready(self) -> list[str]:
        """Return what has not been listed yet."""
        return [
            f"{informer.title()}: not synced"
            for informer in self._informers
            if not informer.is_synced()
        ]
