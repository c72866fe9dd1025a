"""What cannot be written is tried again, and what is not ours any more is left alone."""

import asyncio
from itertools import pairwise

import pytest

from imooc_operator.client.errors import Forbidden, ServerFailure
from support.candidates import STEP, Candidate, Told, candidates, leaders, lease, until_killed
from support.store import Object, Store
from support.virtual import now, virtual_time


@virtual_time
async def test_a_lease_that_someone_else_took_is_given_up() -> None:
    async with candidates("a") as (store, (a,)):
        body = {"spec": {"holderIdentity": "thief"}}
        store.patch("leases", "home", "lease", body, "")
        await asyncio.sleep(3)
        assert a.election.leading is False
        await asyncio.sleep(20)
        assert len(a.led) == 2, "the thief did not renew"


LOSSES = [
    pytest.param({"holderIdentity": "thief"}, "held by thief", id="taken"),
    pytest.param({"holderIdentity": ""}, "held by nobody", id="released"),
]


@pytest.mark.parametrize("blind", [False, True], ids=["seen", "unseen"])
@pytest.mark.parametrize(("spec", "reason"), LOSSES)
def test_a_lease_that_is_not_ours_any_more_is_not_written(
    spec: Object, reason: str, blind: bool, records: Told
) -> None:
    @virtual_time
    async def check() -> None:
        async with candidates("a") as (store, (a,)):
            a.api.blind = blind
            stolen = store.patch("leases", "home", "lease", {"spec": spec}, "")
            await asyncio.sleep(1.05)
            assert store.get("leases", "home", "lease") == stolen or reason == "held by nobody"
            assert a.led[0][1] == pytest.approx(2, abs=STEP), "at the next renewal"

    check()
    assert records("leadership lost", "reason")[0] == ("WARNING", reason)


def test_a_renewal_that_fails_is_tried_again_until_the_deadline(records: Told) -> None:
    @virtual_time
    async def check() -> None:
        async with candidates("a") as (_, (a,)):
            await asyncio.sleep(1.5)
            a.api.error = ServerFailure("PATCH", 500, message="not now")
            await asyncio.sleep(6)
            a.api.error = None
            await asyncio.sleep(20)
            assert leaders(a) == [a]
            a.api.error = ServerFailure("PATCH", 500, message="not now")
            before = now()
            await asyncio.sleep(15)
            assert leaders(a) == []
            ((_, ended),) = a.led
            assert ended is not None
            assert 8 <= ended - before <= 10.1

    check()
    failures = records("lease not renewed", "reason")
    assert len(failures) == 3 + 4
    assert set(failures) == {("WARNING", "PATCH: 500 refused: not now")}
    assert records("leadership lost", "reason") == [("WARNING", "not renewed for 10 s")]


def test_a_renewal_without_an_answer_is_waited_for_until_the_deadline(records: Told) -> None:
    @virtual_time
    async def check() -> None:
        async with candidates("a") as (_, (a,)):
            await asyncio.sleep(9.5)  # the last renewal was at 10
            a.api.hangs = True
            await asyncio.sleep(20)
            ((_, ended),) = a.led
            assert ended == pytest.approx(20, abs=STEP)

    check()
    reason = "no answer within 10 s of the last renewal"
    assert records("leadership lost", "reason") == [("WARNING", reason)]


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


def test_a_lease_that_cannot_be_taken_is_tried_again_about_every_two_seconds(
    records: Told,
) -> None:
    @virtual_time
    async def check() -> None:
        store = Store()
        a = Candidate(store, "a")
        a.api.error = Forbidden("POST", 403, message="no right")
        async with until_killed(a):
            await asyncio.sleep(60)
            gaps = [later - sooner for sooner, later in pairwise(a.api.writes)]
            assert len(gaps) > 20
            assert 2.0 <= min(gaps) < max(gaps) <= 2.4 + STEP
            a.api.error = None
            await asyncio.sleep(3)
            assert leaders(a) == [a]

    check()
    assert set(records("lease not acquired", "reason")) == {
        ("WARNING", "POST: 403 refused: no right")
    }


def test_a_release_that_fails_does_not_keep_us(records: Told) -> None:
    @virtual_time
    async def check() -> None:
        async with candidates("a") as (store, (a,)):
            a.api.error = ServerFailure("PATCH", 500, message="not now")
            await a.stop()
            assert now() == 1
            assert lease(store)["holderIdentity"] == "a"

    check()
    assert records("lease not released", "reason") == [("WARNING", "PATCH: 500 refused: not now")]
    assert records("lease released") == []


@virtual_time
async def test_a_lease_of_someone_else_is_not_released() -> None:
    async with candidates("a") as (store, (a,)):
        store.patch("leases", "home", "lease", {"spec": {"holderIdentity": "b"}}, "")
        await asyncio.sleep(0.1)
        await a.stop()
        assert lease(store)["holderIdentity"] == "b"
