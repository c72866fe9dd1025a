"""What a candidate does not see in time does no harm."""

import asyncio

from imooc_operator.client.errors import Conflict
from support.candidates import Candidate, candidates, leaders, lease, until_killed
from support.store import Store
from support.virtual import virtual_time


@virtual_time
async def test_a_deleted_lease_is_made_anew_without_a_pause() -> None:
    async with candidates("a", "b") as (store, (a, b)):
        store.delete("leases", "home", "lease", {})
        await asyncio.sleep(30)
        assert sum(len(candidate.led) for candidate in (a, b)) <= 2
        assert len(leaders(a, b)) == 1


@virtual_time
async def test_a_change_of_the_lease_that_leaves_it_ours_is_no_loss() -> None:
    """Someone labelled it, and our watch has not told yet: read, then renewed at once."""
    async with candidates("a") as (store, (a,)):
        a.api.blind = True
        body = {"metadata": {"labels": {"seen": "yes"}}}
        store.patch("leases", "home", "lease", body, "")
        await asyncio.sleep(30)
        assert leaders(a) == [a]
        assert len(a.led) == 1
        renewals = [e for e in store.history if "labels" in e.object["metadata"]]
        assert len(renewals) == 1 + 15


@virtual_time
async def test_a_lease_whose_deletion_was_not_seen_is_made_anew() -> None:
    async with candidates("a") as (store, (a,)):
        a.api.blind = True
        store.delete("leases", "home", "lease", {})
        await asyncio.sleep(30)
        assert leaders(a) == [a]
        assert len(a.led) == 1
        assert lease(store)["holderIdentity"] == "a"


@virtual_time
async def test_a_standby_that_sees_nothing_loses_the_race_and_looks() -> None:
    """It believes that the lease is as it was long ago."""
    async with candidates("a", "b") as (store, (a, b)):
        b.api.blind = True
        await asyncio.sleep(60)
        assert leaders(a, b) == [a]
        assert len(a.led) == 1
        assert b.led == []
        assert lease(store)["leaseTransitions"] == 0
        a.kill()
        await asyncio.sleep(40)
        assert leaders(b) == [b]


@virtual_time
async def test_to_look_at_a_lease_that_has_not_changed_is_no_sign_of_life() -> None:
    async with candidates("a", "b") as (_, (a, b)):
        a.kill()
        b.api.error = Conflict("PATCH", 409)
        await asyncio.sleep(20)
        b.api.error = None
        await asyncio.sleep(3)
        assert leaders(b) == [b]


@virtual_time
async def test_a_lost_race_whose_winner_cannot_be_read_is_tried_again() -> None:
    store = Store()
    a = Candidate(store, "a")
    a.api.error, a.api.unreadable = Conflict("POST", 409), True
    async with until_killed(a):
        await asyncio.sleep(10)
        assert not a.leading.done()
        a.api.error = None
        await asyncio.sleep(3)
        assert leaders(a) == [a]
