"""One leader at a time, by the times of client-go, in virtual time."""

import asyncio

import pytest

from imooc_operator.runtime.election import Election
from support.candidates import STEP, Candidate, Told, candidates, leaders, lease, until_killed
from support.memory_api import MemoryApi
from support.store import Store
from support.virtual import now, virtual_time


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
async def test_two_that_begin_at_once_agree() -> None:
    store = Store()
    a, b = Candidate(store, "a"), Candidate(store, "b")
    async with until_killed(a, b):
        await asyncio.sleep(1)
        assert len(leaders(a, b)) == 1
        await asyncio.sleep(30)
        assert len(a.led) + len(b.led) == 1


@virtual_time
async def test_a_standby_resigns_at_once() -> None:
    async with candidates("a", "b") as (_, (a, b)):
        began = now()
        await b.stop()
        assert now() == pytest.approx(began, abs=STEP)
        assert a.election.leading
        assert b.led == []


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
async def test_work_that_is_cut_off_may_clear_up_and_counts_as_leading_until_then() -> None:
    store = Store()
    a = Candidate(store, "a", clears_up=3)
    async with until_killed(a):
        await asyncio.sleep(1)
        store.patch("leases", "home", "lease", {"spec": {"holderIdentity": "b"}}, "")
        await asyncio.sleep(3)
        assert a.election.leading
        await asyncio.sleep(2)
        assert not a.election.leading
        assert a.led == [(pytest.approx(0, abs=STEP), pytest.approx(5, abs=STEP))]


def test_leading_and_standing_by_are_told_once_each(records: Told) -> None:
    @virtual_time
    async def check() -> None:
        async with candidates("a", "b") as (_, (a, b)):
            await asyncio.sleep(10)
            await a.stop()
            await asyncio.sleep(10)
            assert leaders(a, b) == [b]

    check()
    assert records("leading", "identity") == [("INFO", "a"), ("INFO", "b")]
    assert records("standing by", "leader") == [("INFO", "a")]
    assert records("lease released") == [("INFO",)]
    assert records("leadership lost") == []


def test_each_leader_stood_by_for_is_told(records: Told) -> None:
    @virtual_time
    async def check() -> None:
        async with candidates("a", "b", "c") as (_, (a, b, c)):
            await a.stop()
            await asyncio.sleep(10)
            assert len(leaders(b, c)) == 1

    check()
    told = records("standing by", "leader")
    assert told[:2] == [("INFO", "a")] * 2
    assert told[2:] in ([("INFO", "b")], [("INFO", "c")])
