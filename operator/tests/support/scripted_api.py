"""An API server that answers as the test has written down, and an informer that asks it."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from imooc_operator.client.api import ApiClient, Resource
from imooc_operator.client.config import Token, client_config
from imooc_operator.client.errors import ApiError, refusal
from imooc_operator.runtime.cache import Cache
from imooc_operator.runtime.informer import Decoder, Informer
from imooc_operator.runtime.objects import ObjectMeta
from support.virtual import now

THINGS = Resource("test.imooc.com", "v1", "things")


Object = dict[str, Any]


Step = Object | list[Object] | ApiError | bytes | float | None
"""Of a watch: a line, lines that come at once, a failure, raw bytes, a pause, or the end."""


class RawThing(msgspec.Struct):
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    status: dict[str, str] | None = None


class Thing(msgspec.Struct, frozen=True):
    namespace: str
    name: str
    uid: str
    revision: int


def view(raw: RawThing) -> Thing | None:
    meta = raw.metadata
    if meta.name.startswith("foreign"):
        return None
    return Thing(meta.namespace, meta.name, meta.uid, meta.revision)


class ScriptedApi(ApiClient):
    """Answers as the test has written down; a watch without a script stays open and silent."""

    def __init__(self) -> None:
        super().__init__(client_config("http://nowhere", token=Token(), origin="test"))
        self.pages: list[Object | ApiError] = []
        self.watches: list[Sequence[Step]] = []
        self.asked: list[tuple[float, str, dict[str, str]]] = []
        self.silences: set[float] = set()

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        self.asked.append((now(), path, dict(query or {})))
        answer = self.pages.pop(0)
        if isinstance(answer, ApiError):
            raise answer
        return json.dumps(answer).encode()

    async def watch(
        self, path: str, query: Mapping[str, str], *, silence: float
    ) -> AsyncGenerator[list[bytes], None]:
        self.asked.append((now(), path, dict(query)))
        self.silences.add(silence)
        yield []
        for step in self.watches.pop(0) if self.watches else []:
            match step:
                case None:
                    return
                case ApiError():
                    raise step
                case float():
                    await asyncio.sleep(step)
                case bytes():
                    yield [step]
                case _:
                    lines = step if isinstance(step, list) else [step]
                    yield [json.dumps(line).encode() for line in lines]
        await asyncio.sleep(1e9)

    def times(self) -> list[float]:
        """Return when each request was made."""
        return [when for when, _, _ in self.asked]

    def lists(self) -> list[dict[str, str]]:
        """Return the queries of the requests for everything."""
        return [q for _, _, q in self.asked if "limit" in q or "sendInitialEvents" in q]


def event(kind: str, revision: int, name: str = "a", uid: str = "u") -> Object:
    meta = {"namespace": "n", "name": name, "uid": uid, "resourceVersion": str(revision)}
    return {"type": kind, "object": {"metadata": meta}}


def bookmark(revision: int, *, ends_list: bool = False) -> Object:
    annotations = {"k8s.io/initial-events-end": "true"} if ends_list else None
    meta = {"resourceVersion": str(revision), "annotations": annotations}
    return {"type": "BOOKMARK", "object": {"metadata": meta}}


def page(revision: int, *names: str, rest: str = "") -> Object:
    items = [event("", revision, name)["object"] for name in names]
    return {"metadata": {"resourceVersion": str(revision), "continue": rest}, "items": items}


def failure(code: int, reason: str) -> ApiError:
    body = {"reason": reason, "message": "a message", "code": code}
    return refusal("GET /things", code, json.dumps(body).encode())


def error_event(code: int, reason: str, **fields: str) -> Object:
    status = {"metadata": {}, "code": code, "reason": reason, "message": "a message", **fields}
    return {"type": "ERROR", "object": status}


LISTED: list[Step] = [event("ADDED", 3, "a"), bookmark(5, ends_list=True)]
"""The beginning of a watch that brings one thing as its list."""


class World:
    """An informer at work, its cache and what its listeners heard."""

    def __init__(self, api: ScriptedApi, scope: str, name: str) -> None:
        self.cache: Cache[Thing] = Cache()
        self.changes: list[tuple[Thing | None, Thing | None]] = []
        self.cache.listen(lambda old, new: self.changes.append((old, new)))
        self.informer = Informer(api, THINGS, scope, Decoder(RawThing, view), self.cache, name)


@asynccontextmanager
async def informing(
    *watches: Sequence[Step],
    pages: list[Object | ApiError] | None = None,
    scope: str = "n",
    **name: str,
) -> AsyncIterator[tuple[ScriptedApi, World]]:
    api = ScriptedApi()
    api.watches, api.pages = list(watches), pages or []
    world = World(api, scope, name.get("name", ""))
    task = asyncio.ensure_future(world.informer.run())
    try:
        yield api, world
        assert not task.done(), "the informer ended by itself"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
