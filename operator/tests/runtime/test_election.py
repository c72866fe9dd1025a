"""One leader at a time, by the times of client-go, in virtual time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from imooc_operator.runtime.election import Election
from support.memory_api import MemoryApi
from support.store import Object, Store
from support.virtual import now, virtual_time

STEP = 0.1
"""Seconds by which a watch or a task may be behind."""


class Candidate:
    """An election with work that notes when it runs; `work_ends` lets it end by itself."""

    def __init__(self, store: Store, identity: str) -> None:
        self.api = MemoryApi(store)
        self.election = Election(self.api, "home", "lease", identity)
        self.led: list[tuple[float, float | None]] = []
        self.work_ends = asyncio.Event()
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
    try:
        yield store, found
    finally:
        for candidate in found:
            candidate.kill()
        await asyncio.gather(*(c.leading for c in found), return_exceptions=True)


@virtual_time
async def test_the_first_leads_and_renews_every_two_seconds() -> None:
    async with candidates("a", "b") as (store, (a, b)):
        await asyncio.sleep(60)
        assert [began for began, _ in a.led] == [pytest.approx(0, abs=STEP)]
        assert b.led == []
        assert leaders(a, b) == [a]
        spec = lease(store)
        assert (spec["holderIdentity"], spec["leaseDurationSeconds"]) == ("a", 15)
        renewals = [e for e in store.history if e.plural == "leases" and e.type == "MODIFIED"]
        assert len(renewals) == 30


@virtual_time
async def test_a_standby_takes_over_when_the_duration_has_passed() -> None:
    async with candidates("a", "b") as (store, (a, b)):
        await asyncio.sleep(9.5)
        last_renewal = 10.0
        a.kill()
        await asyncio.sleep(30)
        ((began, _),) = b.led
        assert began == pytest.approx(last_renewal + 15, abs=STEP)
        assert lease(store)["leaseTransitions"] == 1


@virtual_time
async def test_a_release_is_taken_over_at_once() -> None:
    async with candidates("a", "b", "c") as (store, (a, b, c)):
        await a.stop()
        stopped = now()
        await asyncio.sleep(1)
        (leader,) = leaders(b, c)
        assert leader.led[0][0] == pytest.approx(stopped, abs=STEP)
        assert lease(store)["leaseTransitions"] == 1


@virtual_time
async def test_a_leader_that_cannot_renew_stops_before_anyone_may_follow() -> None:
    async with candidates("a", "b") as (_, (a, b)):
        await asyncio.sleep(9.5)
        a.api.cut = True
        await asyncio.sleep(30)
        ((_, ended),) = a.led
        ((began, _),) = b.led
        assert ended is not None
        assert ended < began
        a.api.cut = False
        await asyncio.sleep(30)
        assert len(a.led) == 1, "the other one leads now"


@virtual_time
async def test_when_the_api_server_was_away_for_all_one_of_them_leads_again() -> None:
    async with candidates("a", "b") as (_, (a, b)):
        a.api.cut = b.api.cut = True
        await asyncio.sleep(60)
        assert leaders(a, b) == []
        a.api.cut = b.api.cut = False
        await asyncio.sleep(60)
        assert len(leaders(a, b)) == 1


@virtual_time
async def test_a_lease_that_someone_else_took_is_given_up() -> None:
    async with candidates("a") as (store, (a,)):
        body = {"spec": {"holderIdentity": "thief"}}
        store.patch("leases", "home", "lease", body, "")
        await asyncio.sleep(3)
        assert not a.election.leading
        await asyncio.sleep(20)
        assert len(a.led) == 2, "the thief did not renew"


@virtual_time
async def test_a_deleted_lease_is_made_anew_without_a_pause() -> None:
    async with candidates("a", "b") as (store, (a, b)):
        store.delete("leases", "home", "lease", {})
        await asyncio.sleep(30)
        assert sum(len(candidate.led) for candidate in (a, b)) <= 2
        assert len(leaders(a, b)) == 1


@virtual_time
async def test_a_standby_resigns_at_once() -> None:
    async with candidates("a", "b") as (_, (a, b)):
        began = now()
        await b.stop()
        assert now() == pytest.approx(began, abs=STEP)
        assert a.election.leading


@virtual_time
async def test_what_ends_the_work_ends_the_candidacy() -> None:
    store = Store()
    api = MemoryApi(store)
    election = Election(api, "home", "lease", "a")
    informing = asyncio.ensure_future(election.informer.run())

    async def broken() -> None:
        raise RuntimeError("a defect")

    with pytest.raises(RuntimeError, match="a defect"):
        await election.lead(broken)
    assert lease(store)["holderIdentity"] == ""
    informing.cancel()


@virtual_time
async def test_an_answer_that_is_no_json_is_a_failure_like_any_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with candidates("a") as (_, (a,)):
        nonsense = iter([b"<html>proxy</html>"] * 2)
        patch = a.api.patch

        async def answered(path: str, body: bytes) -> bytes:
            answer = await patch(path, body)
            return next(nonsense, answer)

        monkeypatch.setattr(a.api, "patch", answered)
        await asyncio.sleep(60)
        assert next(nonsense, None) is None
        assert leaders(a) == [a]
        assert len(a.led) == 1, "it went on leading"
