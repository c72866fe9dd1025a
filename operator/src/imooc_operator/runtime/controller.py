"""The loop that hands keys to a reconcile function and owns every retry.

An exception means backoff, `requeue_after` a timer, TerminalError no retry until something changes.
Invariant: a key given out is always given back, whatever the pass did.
"""

import asyncio
import itertools
import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from imooc_operator.client.errors import FAILURES

from .log import pass_id
from .metrics import Registry
from .objects import Key
from .workqueue import WorkQueue

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Result:
    """What a pass that ended well asks for.

    `requeue_after` is in seconds; after 0 the key comes back when those waiting had their turn.
    """

    requeue_after: float | None = None


class TerminalError(Exception):
    """Trying again cannot help until an object changes."""


class Controller:
    """Workers that reconcile the keys of one queue."""

    def __init__(
        self,
        name: str,
        reconcile: Callable[[Key], Awaitable[Result]],
        registry: Registry,
        *,
        workers: int,
    ) -> None:
        self.name = name
        self._reconcile = reconcile
        self._workers = workers
        self._passes = itertools.count(1)
        self._outcomes = registry.counter(
            "controller_runtime_reconcile_total",
            "Passes by outcome.",
            ("controller", "result"),
        )
        self._errors = registry.counter(
            "controller_runtime_reconcile_errors_total", "Passes that failed.", ("controller",)
        )
        self._seconds = registry.histogram(
            "controller_runtime_reconcile_time_seconds", "Duration of a pass.", ("controller",)
        )
        waited = registry.histogram(
            "workqueue_queue_duration_seconds", "Time a key waits for a worker.", ("name",)
        )
        self._retries = registry.counter(
            "workqueue_retries_total", "Keys added again after a failure.", ("name",)
        )
        self.queue = WorkQueue[Key](on_wait=lambda seconds: waited.observe(seconds, name))
        registry.total(
            "workqueue_adds_total",
            "Keys added, without those already waiting.",
            ("name",),
            lambda: {(name,): self.queue.adds},
        )
        registry.gauge(
            "workqueue_depth",
            "Keys waiting for a worker.",
            ("name",),
            lambda: {(name,): len(self.queue)},
        )
        registry.gauge(
            "workqueue_longest_running_processor_seconds",
            "Age of the oldest pass in flight.",
            ("name",),
            lambda: {(name,): self.queue.oldest()},
        )

    async def run(self) -> None:
        """Work until the queue is closed and the passes in flight have ended."""
        async with asyncio.TaskGroup() as group:
            for _ in range(self._workers):
                group.create_task(self._work())

    async def resync(self, keys: Callable[[], list[Key]], period: float) -> None:
        """Enqueue all keys about every `period` seconds, spread over a tenth of it."""
        while True:
            await asyncio.sleep(period * random.uniform(0.9, 1.1))  # noqa: S311 - spreads load, guards nothing
            for key in keys():
                self.queue.add_after(key, random.uniform(0.0, period / 10))  # noqa: S311 - as above

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while (key := await self.queue.get()) is not None:
            pass_id.set(f"{self.name}-{next(self._passes)}")
            began = loop.time()
            try:
                await self._pass(key)
            except asyncio.CancelledError:
                self.queue.add(key)  # the lease is lost; should it come back, this pass is owed
                raise
            finally:
                self._seconds.observe(loop.time() - began, self.name)
                self.queue.done(key)

    async def _pass(self, key: Key) -> None:
        backoff = self.queue.backoff
        try:
            result = await self._reconcile(key)
        except TerminalError as error:
            backoff.forget(key)
            self._outcomes.inc(self.name, "terminal")
            log.warning("pass ended for good", extra={"key": key, "reason": str(error)})
        except Exception as error:
            # Whatever it was, the key comes back: a defect in one pass must not stop the others.
            delay = max(backoff.next(key), getattr(error, "retry_after", None) or 0.0)
            self.queue.add_after(key, delay)
            self._retries.inc(self.name)
            self._errors.inc(self.name)
            self._outcomes.inc(self.name, "error")
            log.log(
                logging.WARNING if isinstance(error, FAILURES) else logging.ERROR,
                "pass failed",
                extra={"key": key, "reason": str(error), "delay": round(delay, 3)},
                exc_info=None if isinstance(error, FAILURES) else error,
            )
        else:
            backoff.forget(key)
            again = result.requeue_after is not None
            self._outcomes.inc(self.name, "requeue_after" if again else "success")
            if result.requeue_after is not None:
                self.queue.add_after(key, result.requeue_after)
