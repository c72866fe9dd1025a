"""A kind of no consequence, for a manager in virtual time: homes, and the cats that live there."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager

import msgspec

from imooc_operator.client.api import Resource
from imooc_operator.client.errors import Unreachable
from imooc_operator.runtime.cache import Cache
from imooc_operator.runtime.controller import Result
from imooc_operator.runtime.election import Election
from imooc_operator.runtime.events import Recorder
from imooc_operator.runtime.informer import Decoder
from imooc_operator.runtime.kind import Watch
from imooc_operator.runtime.manager import Manager
from imooc_operator.runtime.metrics import Registry
from imooc_operator.runtime.objects import ObjectMeta, key_of
from support.fake_api import Request, streamed_list
from support.memory_api import MemoryApi
from support.store import Store
from support.virtual import now

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

    def led_by_another(self, duration: int = 15) -> None:
        """Let somebody hold the lease who does not renew it; `duration` is in seconds."""
        spec = {"holderIdentity": "b", "leaseDurationSeconds": duration}
        self.store.create("leases", "home", {"metadata": {"name": "lease"}, "spec": spec})

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
