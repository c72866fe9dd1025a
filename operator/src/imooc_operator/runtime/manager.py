"""Runs kinds: informers for what they watch, a controller for each, all under one lease.

Invariant: nothing is reconciled before every cache is filled; whatever should never end ends the
process when it does.
"""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from typing import Any

from imooc_operator.client.api import ApiClient

from .controller import Controller
from .election import Election
from .events import Recorder
from .health import Health
from .informer import Informer
from .kind import Kind, Watch
from .metrics import Registry

log = logging.getLogger(__name__)

RESYNC = 600.0
"""Seconds between two looks at every key, should an event ever have been missed."""

GRACE = 0.8
"""Seconds that passes in flight and the release of the lease get after SIGTERM."""


class Manager:
    """Everything that runs besides the endpoints."""

    def __init__(
        self,
        client: ApiClient,
        registry: Registry,
        *,
        scopes: Sequence[str],
        workers: int,
        recorder: Recorder,
        election: Election | None,
    ) -> None:
        """`scopes` are namespaces, or "" for all; `workers` is the number of passes at a time."""
        self._client = client
        self._registry = registry
        self._scopes = scopes
        self._workers = workers
        self._recorder = recorder
        self._election = election
        self._controllers: list[tuple[Kind, Controller]] = []
        self._informers: list[Informer[Any, Any]] = []
        if election is not None:
            registry.gauge(
                "leader_election_master_status",
                "1 while this process holds the lease.",
                ("name",),
                lambda: {(election.name,): float(election.leading)},
            )

    def add(self, kind: Kind) -> None:
        """Serve `kind` too."""
        controller = Controller(kind.name, kind.reconcile, self._registry, workers=self._workers)
        for watch in kind.watches:
            watch.cache.listen(_enqueuer(watch, controller))
            for scope in self._scopes:
                self._follow(watch, scope)
            self._count(watch)
        self._controllers.append((kind, controller))

    def health(self) -> Health:
        """Return what answers the probes; call it when all kinds are added."""
        lease = [self._election.informer] if self._election else []
        return Health([*self._informers, *lease], self._oldest_pass)

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set, then end within a second; raise what ended it otherwise."""
        background = [_task(informer.run()) for informer in self._informers]
        background.append(_task(self._recorder.run()))
        if self._election is not None:
            background.append(_task(self._election.informer.run()))
        work = _task(self._work())
        stopped = _task(stop.wait())
        try:
            # Whatever ends first: the wish to stop, or a task that should never end.
            await asyncio.wait([stopped, work, *background], return_when=asyncio.FIRST_COMPLETED)
            log.info("stopping")
            for _, controller in self._controllers:
                controller.queue.close()
            if self._election is not None:
                self._election.resign()
            await asyncio.wait([work], timeout=GRACE)
        finally:
            for task in (work, stopped, *background):
                task.cancel()
            outcomes = await asyncio.gather(work, *background, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, Exception):
                raise outcome

    async def _work(self) -> None:
        for informer in self._informers:
            await informer.synced.wait()
        log.info("synced", extra={"objects": sum(len(w.cache) for w in self._watches())})
        if self._election is None:
            await self._control()
        else:
            await self._election.lead(self._control)

    async def _control(self) -> None:
        """Reconcile until the queues are closed."""
        resyncs = [
            _task(controller.resync(kind.watches[0].cache.keys, RESYNC))
            for kind, controller in self._controllers
        ]
        try:
            async with asyncio.TaskGroup() as group:
                for _, controller in self._controllers:
                    group.create_task(controller.run())
        finally:
            for resync in resyncs:
                resync.cancel()

    def _follow(self, watch: Watch[Any, Any], scope: str) -> None:
        informer = Informer(self._client, watch.resource, scope, watch.decoder, watch.cache)
        self._informers.append(informer)
        labels, series = ("resource", "scope"), (watch.resource.plural, scope)
        self._registry.gauge(
            "imooc_watch_age_seconds",
            "Seconds since the API server last gave a sign of life on a watch.",
            labels,
            lambda: {series: informer.age()},
        )
        self._registry.total(
            "imooc_watch_events_total",
            "Events taken from a watch since the start.",
            labels,
            lambda: {series: informer.events},
        )
        self._registry.total(
            "imooc_watch_lists_total",
            "Full lists made for a watch since the start.",
            labels,
            lambda: {series: informer.relists},
        )

    def _count(self, watch: Watch[Any, Any]) -> None:
        self._registry.gauge(
            "imooc_cache_objects",
            "Objects in the cache.",
            ("resource",),
            lambda: {(watch.resource.plural,): len(watch.cache)},
        )

    def _watches(self) -> Sequence[Watch[Any, Any]]:
        return [watch for kind, _ in self._controllers for watch in kind.watches]

    def _oldest_pass(self) -> float:
        return max(controller.queue.oldest() for _, controller in self._controllers)


def _enqueuer(watch: Watch[Any, Any], controller: Controller) -> Any:
    def changed(old: Any, new: Any) -> None:
        # Both: an object that changed hands concerns the one who had it, too.
        for obj in (old, new):
            if obj is not None:
                controller.queue.add(watch.key(obj))

    return changed


def _task(coroutine: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
    return asyncio.get_running_loop().create_task(coroutine)
