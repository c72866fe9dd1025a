"""Candidates for one lease, each with work to do while it leads, in virtual time."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from imooc_operator.client.api import MERGE_PATCH
from imooc_operator.client.errors import ApiError, ServerFailure
from imooc_operator.runtime.election import Election, Pace
from support.memory_api import MemoryApi
from support.store import Object, Store
from support.virtual import now

STEP = 0.1
"""Seconds by which a watch or a task may be behind."""


class Api(MemoryApi):
    """Fails at writes, leaves them without an answer, or lets the watch bring nothing."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.error: ApiError | None = None
        self.hangs = self.blind = self.unreadable = False
        self.writes: list[float] = []
        self.queries: list[Mapping[str, str]] = []

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        if self.unreadable:
            raise ServerFailure("GET", 500)
        return await super().get(path, query)

    async def create(self, path: str, body: bytes) -> bytes:
        await self._written()
        return await super().create(path, body)

    async def patch(self, path: str, body: bytes, content_type: str = MERGE_PATCH) -> bytes:
        await self._written()
        return await super().patch(path, body, content_type)

    async def watch(
        self, path: str, query: Mapping[str, str], *, silence: float
    ) -> AsyncGenerator[list[bytes], None]:
        self.queries.append(query)
        async for lines in super().watch(path, query, silence=silence):
            if not self.blind:
                yield lines

    async def _written(self) -> None:
        self.writes.append(now())
        if self.error is not None:
            raise self.error
        if self.hangs:
            await asyncio.sleep(1e9)


class Candidate:
    """An election with work that notes when it runs; `work_ends` lets it end by itself."""

    def __init__(
        self, store: Store, identity: str, pace: Pace | None = None, clears_up: float = 0.0
    ) -> None:
        """`clears_up` is how many seconds the work takes to end."""
        self.api = Api(store)
        self.election = Election(self.api, "home", "lease", identity, pace)
        self.led: list[tuple[float, float | None]] = []
        self.work_ends = asyncio.Event()
        self._clears_up = clears_up
        self._informing = asyncio.ensure_future(self.election.informer.run())
        self.leading = asyncio.ensure_future(self.election.lead(self._work))

    async def stop(self) -> None:
        """End as the manager does on SIGTERM."""
        self.work_ends.set()
        self.election.resign()
        await self.leading
        self._informing.cancel()

    def kill(self) -> None:
        """End without a word."""
        self.leading.cancel()
        self._informing.cancel()

    async def _work(self) -> None:
        self.led.append((now(), None))
        try:
            await self.work_ends.wait()
        finally:
            if self._clears_up:
                await asyncio.sleep(self._clears_up)
            self.led[-1] = (self.led[-1][0], now())


def leaders(*candidates: Candidate) -> list[Candidate]:
    """Return those who believe that they lead."""
    return [candidate for candidate in candidates if candidate.election.leading]


def lease(store: Store) -> Object:
    """Return the spec of the lease."""
    spec: Object = store.get("leases", "home", "lease")["spec"]
    return spec


@asynccontextmanager
async def candidates(*identities: str) -> AsyncIterator[tuple[Store, list[Candidate]]]:
    """Candidates that came one second after another; the first leads."""
    store = Store()
    found = []
    for identity in identities:
        found.append(Candidate(store, identity))
        await asyncio.sleep(1)
    async with until_killed(*found):
        yield store, found


@asynccontextmanager
async def until_killed(*found: Candidate) -> AsyncIterator[None]:
    """Kill the candidates at the end, whatever has become of them."""
    try:
        yield
    finally:
        for candidate in found:
            candidate.kill()
        await asyncio.gather(*(c.leading for c in found), return_exceptions=True)


Records = list[tuple[object, ...]]


class Told:
    """What the election's log says."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog

    def __call__(self, message: str, *fields: str) -> Records:
        """Return level and fields of the records with `message`; each names its lease."""
        found = [r for r in self._caplog.records if r.getMessage() == message]
        assert {vars(r)["lease"] for r in found} <= {"home/lease"}
        return [(r.levelname, *(vars(r)[field] for field in fields)) for r in found]
