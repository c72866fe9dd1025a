"""The deduplicating queue of keys, by the laws of client-go's workqueue.

A key that is waiting is not added twice; a key that is being processed is not handed to a second
worker, and an add meanwhile makes it run once more afterwards. A delayed add becomes a plain one
when its time comes; of several the earliest counts.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from .backoff import KeyedBackoff

K = TypeVar("K")


class WorkQueue(Generic[K]):
    """Keys waiting for a worker."""

    def __init__(
        self,
        backoff: KeyedBackoff[K] | None = None,
        on_wait: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        """`on_wait` hears how many seconds each key waited for a worker."""
        self.backoff = backoff or KeyedBackoff[K]()
        self.adds = 0
        self._on_wait = on_wait
        self._order: deque[K] = deque()
        self._dirty: dict[K, float] = {}
        self._processing: dict[K, float] = {}
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._getters: deque[asyncio.Future[None]] = deque()
        self._closed = False

    def __len__(self) -> int:
        return len(self._order)

    def add(self, key: K) -> None:
        """Have `key` processed soon."""
        if self._closed or key in self._dirty:
            return
        self.adds += 1
        self._dirty[key] = self._now()
        if key not in self._processing:
            self._order.append(key)
            self._wake()

    def add_after(self, key: K, delay: float) -> None:
        """Have `key` processed in `delay` seconds, or earlier when it was so planned."""
        if delay <= 0:
            self.add(key)
            return
        if self._closed:
            return
        due = self._now() + delay
        if (timer := self._timers.get(key)) is not None:
            if timer.when() <= due:
                return
            timer.cancel()
        self._timers[key] = asyncio.get_running_loop().call_at(due, self._ripe, key)

    async def get(self) -> K | None:
        """Return the next key, now owned by the caller until done(); None after close()."""
        while not self._order:
            if self._closed:
                return None
            getter = asyncio.get_running_loop().create_future()
            self._getters.append(getter)
            try:
                await getter
            except asyncio.CancelledError:
                if getter.done() and not getter.cancelled():
                    self._wake()  # this wake-up was ours; hand it on
                raise
            finally:
                if getter in self._getters:
                    self._getters.remove(getter)
        if self._closed:
            return None
        key = self._order.popleft()
        now = self._now()
        self._on_wait(now - self._dirty.pop(key))
        self._processing[key] = now
        return key

    def done(self, key: K) -> None:
        """Give `key` back; it runs once more when it was added meanwhile."""
        del self._processing[key]
        if key in self._dirty:
            self._order.append(key)
            self._wake()

    def oldest(self) -> float:
        """Return for how many seconds the longest pass has been running; 0 when none is."""
        return self._now() - min(self._processing.values()) if self._processing else 0.0

    def close(self) -> None:
        """Hand out no more keys; waiting workers get None."""
        self._closed = True
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        for getter in self._getters:
            if not getter.done():
                getter.set_result(None)

    def _ripe(self, key: K) -> None:
        del self._timers[key]
        self.add(key)

    def _wake(self) -> None:
        while self._getters:
            getter = self._getters.popleft()
            if not getter.done():
                getter.set_result(None)
                return

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
