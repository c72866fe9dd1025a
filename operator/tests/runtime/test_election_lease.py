"""The lease is as other programs know it."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from imooc_operator.runtime.election import Pace
from support.candidates import Candidate, candidates, leaders, lease, until_killed
from support.store import Store
from support.virtual import virtual_time

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
"""metav1.MicroTime."""


@pytest.mark.usefixtures("two_hours_east")
@virtual_time
async def test_the_lease_is_as_other_programs_know_it() -> None:
    async with candidates("a") as (store, _):
        made = store.history[0].object
        assert made["apiVersion"] == "coordination.k8s.io/v1"
        assert made["kind"] == "Lease"
        assert made["metadata"]["name"] == "lease"
        spec = dict(made["spec"])
        times = spec.pop("acquireTime"), spec.pop("renewTime")
        for time in times:
            assert TIME.fullmatch(time)
            assert abs(datetime.fromisoformat(time) - datetime.now(UTC)) < timedelta(minutes=5)
        assert spec == {"holderIdentity": "a", "leaseDurationSeconds": 15, "leaseTransitions": 0}
        await asyncio.sleep(10)
        assert lease(store)["acquireTime"] == times[0]
        assert lease(store)["renewTime"] > times[1]
        assert lease(store)["leaseTransitions"] == 0


@virtual_time
async def test_a_take_over_says_since_when_and_is_counted() -> None:
    async with candidates("a", "b", "c") as (store, (a, b, c)):
        since = lease(store)["acquireTime"]
        for transitions, leader in ((1, a), (2, None)):
            (leader,) = [leader] if leader else leaders(a, b, c)
            await leader.stop()
            await asyncio.sleep(1)
            assert lease(store)["leaseTransitions"] == transitions
            assert lease(store)["acquireTime"] > since
            since = lease(store)["acquireTime"]


@virtual_time
async def test_the_same_candidate_again_is_no_transition() -> None:
    async with candidates("a") as (store, (a,)):
        a.api.cut = True
        await asyncio.sleep(20)
        a.api.cut = False
        await asyncio.sleep(20)
        assert len(a.led) == 2
        assert lease(store)["leaseTransitions"] == 0


@virtual_time
async def test_a_lease_without_a_duration_or_a_count_is_free() -> None:
    store = Store()
    body = {"metadata": {"name": "lease"}, "spec": {"holderIdentity": "old"}}
    store.create("leases", "home", body)
    a = Candidate(store, "a")
    async with until_killed(a):
        await asyncio.sleep(1)
        assert leaders(a) == [a]
        assert lease(store)["leaseTransitions"] == 1


@virtual_time
async def test_the_pace_is_as_it_is_set() -> None:
    store = Store()
    a = Candidate(store, "a", Pace(duration=60, deadline=40, retry=5))
    async with until_killed(a):
        await asyncio.sleep(61)
        assert lease(store)["leaseDurationSeconds"] == 60
        assert [round(later - sooner) for sooner, later in pairwise(a.api.writes)] == [5] * 12


@virtual_time
async def test_a_release_says_that_the_lease_may_be_taken_by_anyone() -> None:
    async with candidates("a") as (store, (a,)):
        await a.stop()
        assert lease(store)["holderIdentity"] == ""
        assert lease(store)["leaseDurationSeconds"] == 1


@virtual_time
async def test_no_lease_but_its_own_is_watched() -> None:
    """It has no right to others."""
    async with candidates("a") as (_, (a,)):
        assert {query["fieldSelector"] for query in a.api.queries} == {"metadata.name=lease"}
