"""One leader at a time, by the times of client-go, in virtual time."""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from imooc_operator.client.api import MERGE_PATCH
from imooc_operator.client.errors import ApiError, Conflict, Forbidden, ServerFailure
from imooc_operator.runtime.election import Election, Pace
from support.memory_api import MemoryApi
from support.store import Object, Store
from support.virtual import now, virtual_time

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
        assert a.election.leading is False
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


TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
"""metav1.MicroTime."""

Records = list[tuple[object, ...]]


@pytest.fixture
def records(caplog: pytest.LogCaptureFixture) -> "Told":
    caplog.set_level(logging.INFO, "imooc_operator.runtime.election")
    return Told(caplog)


class Told:
    """What the election's log says."""

    def __init__(self, caplog: pytest.LogCaptureFixture) -> None:
        self._caplog = caplog

    def __call__(self, message: str, *fields: str) -> Records:
        """Return level and fields of the records with `message`; each names its lease."""
        found = [r for r in self._caplog.records if r.getMessage() == message]
        assert {vars(r)["lease"] for r in found} <= {"home/lease"}
        return [(r.levelname, *(vars(r)[field] for field in fields)) for r in found]


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
async def test_a_release_says_that_the_lease_may_be_taken_by_anyone() -> None:
    async with candidates("a") as (store, (a,)):
        await a.stop()
        assert lease(store)["holderIdentity"] == ""
        assert lease(store)["leaseDurationSeconds"] == 1


@virtual_time
async def test_a_lease_of_someone_else_is_not_released() -> None:
    async with candidates("a") as (store, (a,)):
        store.patch("leases", "home", "lease", {"spec": {"holderIdentity": "b"}}, "")
        await asyncio.sleep(0.1)
        await a.stop()
        assert lease(store)["holderIdentity"] == "b"


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
async def test_no_lease_but_its_own_is_watched() -> None:
    """It has no right to others."""
    async with candidates("a") as (_, (a,)):
        assert {query["fieldSelector"] for query in a.api.queries} == {"metadata.name=lease"}


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
