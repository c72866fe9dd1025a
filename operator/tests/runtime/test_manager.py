"""The manager: what runs when, and how it ends. Virtual time, with a kind of no consequence."""

import asyncio
import json
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager

import msgspec
import pytest

from imooc_operator.client.api import Resource
from imooc_operator.client.errors import Unreachable
from imooc_operator.runtime.cache import Cache
from imooc_operator.runtime.controller import Result
from imooc_operator.runtime.election import Election
from imooc_operator.runtime.events import Event, Recorder, Reference
from imooc_operator.runtime.informer import Decoder
from imooc_operator.runtime.kind import Watch
from imooc_operator.runtime.manager import Manager
from imooc_operator.runtime.metrics import Registry
from imooc_operator.runtime.objects import ObjectMeta, key_of
from support.fake_api import Request, streamed_list
from support.memory_api import MemoryApi
from support.store import Store
from support.virtual import now, virtual_time

HOMES = Resource("test.imooc.com", "v1", "homes")
CATS = Resource("test.imooc.com", "v1", "cats")


class Raw(msgspec.Struct):
    metadata: ObjectMeta


class Thing(msgspec.Struct, frozen=True):
    namespace: str
    name: str
    uid: str
    revision: int
    home: str


def view(raw: Raw) -> Thing:
    meta = raw.metadata
    home = (meta.annotations or {}).get("home", "")
    return Thing(meta.namespace, meta.name, meta.uid, meta.revision, home)


class Homes:
    """Looks after homes, each of which some cats call theirs."""

    name = "home"

    def __init__(self) -> None:
        decoder = Decoder(Raw, view)
        self.homes: Cache[Thing] = Cache()
        self.watches = (
            Watch(HOMES, decoder, self.homes, key_of),
            Watch(CATS, decoder, Cache[Thing](), lambda cat: f"{cat.namespace}/{cat.home}"),
        )
        self.passes: list[tuple[float, str]] = []
        self.ended: list[tuple[float, str]] = []
        self.takes = 0.0

    async def reconcile(self, key: str) -> Result:
        self.passes.append((now(), key))
        await asyncio.sleep(self.takes)
        self.ended.append((now(), key))
        return Result()

    def keys(self) -> list[str]:
        """Return what was passed over since the last call."""
        keys = sorted(key for _, key in self.passes)
        self.passes.clear()
        return keys


class Api(MemoryApi):
    """Brings no bookmarks, and does not let anyone watch what is in `held`."""

    held = ""
    pace = 0.05
    """Seconds between two looks of a watch: more of them make long tests cheap."""

    async def watch(
        self, path: str, query: Mapping[str, str], *, silence: float
    ) -> AsyncGenerator[list[bytes], None]:
        if self.cut or (self.held and self.held in path):
            raise Unreachable("held", sent=False)
        request = Request("GET", path, dict(query), {}, {})
        revision = int(query.get("resourceVersion", self.store.revision))
        yield []
        if request.streams:
            for line in streamed_list(self.store, request):
                yield [json.dumps(line).encode()]
        while True:
            await asyncio.sleep(self.pace)
            for event in self.store.since(request.plural, request.namespace, revision):
                revision = event.revision
                yield [json.dumps({"type": event.type, "object": event.object}).encode()]


class World:
    """A manager of one kind in the namespace `n`, or more."""

    def __init__(self, *scopes: str, election: bool = False, workers: int = 2) -> None:
        self.store = Store()
        self.api = Api(self.store)
        self.registry = Registry()
        self.recorder = Recorder(self.api, "test", "i")
        self.election = Election(self.api, "home", "lease", "a") if election else None
        self.manager = Manager(
            self.api,
            self.registry,
            scopes=scopes or ("n",),
            workers=workers,
            recorder=self.recorder,
            election=self.election,
        )
        self.kind = Homes()
        self.manager.add(self.kind)
        self.health = self.manager.health()
        self.stop = asyncio.Event()

    def make(self, plural: str, name: str, namespace: str = "n", home: str = "") -> None:
        meta = {"name": name, "annotations": {"home": home}}
        self.store.create(plural, namespace, {"metadata": meta})

    def move(self, cat: str, home: str) -> None:
        body = {"metadata": {"annotations": {"home": home}}}
        self.store.patch("cats", "n", cat, body, "")

    def shown(self, name: str) -> list[str]:
        """Return the series of one metric."""
        lines = self.registry.exposition().splitlines()
        return [line for line in lines if line.startswith(f"{name}{{")]


@asynccontextmanager
async def running(world: World) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.ensure_future(world.manager.run(world.stop))
    try:
        yield task
    finally:
        world.stop.set()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@virtual_time
async def test_a_change_concerns_the_key_of_each_object_it_touches() -> None:
    world = World()
    world.make("homes", "red")
    world.make("cats", "tom", home="red")
    async with running(world):
        await asyncio.sleep(1)
        assert world.kind.keys() == ["n/red"], "once, though two objects speak for it"
        world.move("tom", "blue")
        await asyncio.sleep(1)
        assert world.kind.keys() == ["n/blue", "n/red"], "the one it left, too"
        world.store.delete("cats", "n", "tom", {})
        await asyncio.sleep(1)
        assert world.kind.keys() == ["n/blue"]


@virtual_time
async def test_only_the_scopes_are_followed() -> None:
    world = World("n", "m")
    for namespace in ("n", "m", "o"):
        world.make("homes", "red", namespace)
    async with running(world):
        await asyncio.sleep(1)
        assert world.kind.keys() == ["m/red", "n/red"]


@virtual_time
async def test_as_many_passes_at_a_time_as_there_are_workers() -> None:
    world = World(workers=3)
    for number in range(5):
        world.make("homes", str(number))
    world.kind.takes = 10
    async with running(world):
        await asyncio.sleep(5)
        assert len(world.kind.passes) == 3


@pytest.mark.parametrize("held", ["homes", "cats"])
def test_nothing_is_reconciled_before_every_cache_is_filled(
    held: str, caplog: pytest.LogCaptureFixture
) -> None:
    @virtual_time
    async def check() -> None:
        world = World()
        world.api.held, world.api.pace = held, 0.5
        world.make("homes", "red")
        world.make("cats", "tom", home="red")
        async with running(world):
            await asyncio.sleep(30)
            assert world.kind.keys() == []
            assert world.health.ready() == [f"{held} in n: not synced"]
            assert told() == []
            world.api.held = ""
            await asyncio.sleep(60)
            assert world.kind.keys() == ["n/red"]
            assert world.health.ready() == []

    def told() -> list[logging.LogRecord]:
        return [r for r in caplog.records if r.getMessage() == "synced"]

    with caplog.at_level(logging.INFO, "imooc_operator"):
        check()
    (record,) = told()
    assert vars(record)["objects"] == 2


@virtual_time
async def test_every_home_is_looked_at_again_about_every_ten_minutes() -> None:
    world = World()
    world.make("homes", "red")
    world.make("cats", "tom", home="blue")
    world.api.pace = 5
    async with running(world):
        await asyncio.sleep(500)
        world.kind.keys()
        await asyncio.sleep(230)
        assert world.kind.keys() == ["n/red"]


@virtual_time
async def test_a_stop_lets_the_pass_in_flight_finish_and_begins_none() -> None:
    world = World(workers=1)
    world.make("homes", "red")
    world.make("homes", "blue")
    world.kind.takes = 0.7
    async with running(world) as task:
        await asyncio.sleep(0.1)
        world.stop.set()
        await task
        assert len(world.kind.passes) == len(world.kind.ended) == 1
        assert now() == pytest.approx(0.7, abs=0.1)


def test_a_stop_waits_less_than_a_second(caplog: pytest.LogCaptureFixture) -> None:
    @virtual_time
    async def check() -> None:
        world = World()
        world.make("homes", "red")
        world.kind.takes = 1000
        async with running(world) as task:
            await asyncio.sleep(10)
            world.stop.set()
            await task
            assert 10.5 < now() < 11
            assert world.kind.ended == []
            assert len(asyncio.all_tasks()) == 1, "nothing is left running"

    with caplog.at_level(logging.INFO, "imooc_operator"):
        check()
    assert "stopping" in [r.getMessage() for r in caplog.records]


@virtual_time
async def test_what_should_never_end_ends_the_manager_when_it_does() -> None:
    world = World()

    def broken(raw: Raw) -> Thing:
        raise ZeroDivisionError("a defect in a view")

    world.kind.watches[0].decoder.view = broken
    world.make("homes", "red")
    async with running(world) as task:
        with pytest.raises(ZeroDivisionError, match="a defect in a view"):
            await task
        assert now() < 1


@virtual_time
async def test_events_are_sent_meanwhile() -> None:
    world = World()
    async with running(world):
        world.recorder.emit(Event(Reference("v1", "Home", "n", "red", "u"), "Normal", "R", "A", ""))
        await asyncio.sleep(1)
        assert len(world.store.all("events", "n")) == 1


@virtual_time
async def test_only_the_leader_works_and_a_stop_releases_the_lease() -> None:
    world = World(election=True)
    assert world.election is not None
    held = {"holderIdentity": "b", "leaseDurationSeconds": 15}
    world.store.create("leases", "home", {"metadata": {"name": "lease"}, "spec": held})
    world.make("homes", "red")
    async with running(world) as task:
        await asyncio.sleep(10)
        assert world.kind.keys() == []
        assert world.shown("leader_election_master_status") == [
            'leader_election_master_status{name="lease"} 0'
        ]
        await asyncio.sleep(10)
        assert world.kind.keys() == ["n/red"]
        assert world.shown("leader_election_master_status") == [
            'leader_election_master_status{name="lease"} 1'
        ]
        world.stop.set()
        await task
        assert world.store.get("leases", "home", "lease")["spec"]["holderIdentity"] == ""
        assert now() < 21


@virtual_time
async def test_a_standby_stops_at_once() -> None:
    world = World(election=True)
    held = {"holderIdentity": "b", "leaseDurationSeconds": 15}
    world.store.create("leases", "home", {"metadata": {"name": "lease"}, "spec": held})
    async with running(world) as task:
        await asyncio.sleep(10)
        world.stop.set()
        await task
        assert now() == pytest.approx(10, abs=0.1)


@virtual_time
async def test_a_pass_cut_by_the_loss_of_the_lease_is_made_when_it_is_back() -> None:
    world = World(election=True)
    world.make("homes", "red")
    world.kind.takes = 20
    world.api.pace = 0.5
    async with running(world):
        await asyncio.sleep(1)
        world.api.cut = True
        await asyncio.sleep(15)
        assert world.kind.ended == []
        assert len(world.kind.passes) == 1
        world.api.cut = False
        await asyncio.sleep(60)
        assert len(world.kind.passes) == len(world.kind.ended) + 1 == 2
        world.api.pace = 5
        await asyncio.sleep(400)
        world.kind.passes.clear()
        await asyncio.sleep(350)
        assert len(world.kind.passes) == 1, "one resync: the first one ended with the lease"


@virtual_time
async def test_health_looks_at_watches_lease_and_passes() -> None:
    world = World(election=True)
    world.make("homes", "red")
    world.kind.takes = 1000
    world.api.pace = 1
    async with running(world):
        await asyncio.sleep(300)
        assert world.health.live() == []
        await asyncio.sleep(10)
        assert world.health.live() == [
            "homes in n: nothing for 310 s",
            "cats in n: nothing for 310 s",
            "a pass has been running for 310 s",
        ]


@virtual_time
async def test_a_dead_watch_of_the_lease_is_a_fault() -> None:
    world = World(election=True)
    held = {"holderIdentity": "b", "leaseDurationSeconds": 100_000}
    world.store.create("leases", "home", {"metadata": {"name": "lease"}, "spec": held})
    world.api.pace = 5
    async with running(world):
        await asyncio.sleep(310)
        assert world.health.live()[-1] == "leases in home: nothing for 310 s"


@virtual_time
async def test_without_an_election_no_lease_is_followed_or_shown() -> None:
    world = World()
    world.api.pace = 5
    async with running(world):
        await asyncio.sleep(400)
        assert world.health.live() == [
            "homes in n: nothing for 400 s",
            "cats in n: nothing for 400 s",
        ]
        assert "leader_election" not in world.registry.exposition()


@virtual_time
async def test_watches_and_caches_are_shown() -> None:
    world = World("n", "m")
    world.make("homes", "red")
    world.make("homes", "red", "m")
    async with running(world):
        await asyncio.sleep(1)
        world.make("homes", "blue")
        await asyncio.sleep(1)
        series = {
            name: {labels: float(value) for labels, value in found}
            for name in ("age_seconds", "events_total", "lists_total")
            if (found := re.findall(rf"imooc_watch_{name}{{(.*)}} (\S+)", _text(world)))
        }
        homes, others = 'resource="homes",scope="n"', 'resource="homes",scope="m"'
        assert series["events_total"][homes] == 1
        assert series["events_total"][others] == 0
        assert series["lists_total"] == dict.fromkeys(
            (homes, others, homes.replace("homes", "cats"), others.replace("homes", "cats")), 1
        )
        assert series["age_seconds"][homes] == pytest.approx(1, abs=0.1)
        assert series["age_seconds"][others] == pytest.approx(2, abs=0.1)
        assert world.shown("imooc_cache_objects") == [
            'imooc_cache_objects{resource="homes"} 3',
            'imooc_cache_objects{resource="cats"} 0',
        ]
        assert world.shown("workqueue_depth") == ['workqueue_depth{name="home"} 0']


@virtual_time
async def test_help_says_what_each_metric_is() -> None:
    helps = dict(re.findall(r"# HELP (\S+) (.+)", _text(World(election=True))))
    assert helps == {
        "controller_runtime_reconcile_errors_total": "Passes that failed.",
        "controller_runtime_reconcile_time_seconds": "Duration of a pass.",
        "controller_runtime_reconcile_total": "Passes by outcome.",
        "imooc_cache_objects": "Objects in the cache.",
        "imooc_watch_age_seconds": (
            "Seconds since the API server last gave a sign of life on a watch."
        ),
        "imooc_watch_events_total": "Events taken from a watch since the start.",
        "imooc_watch_lists_total": "Full lists made for a watch since the start.",
        "leader_election_master_status": "1 while this process holds the lease.",
        "workqueue_adds_total": "Keys added, without those already waiting.",
        "workqueue_depth": "Keys waiting for a worker.",
        "workqueue_longest_running_processor_seconds": "Age of the oldest pass in flight.",
        "workqueue_queue_duration_seconds": "Time a key waits for a worker.",
        "workqueue_retries_total": "Keys added again after a failure.",
    }


def _text(world: World) -> str:
    return world.registry.exposition()
