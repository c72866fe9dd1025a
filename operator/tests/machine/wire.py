"""One operator's way to the API server: slow, lossy and lying where that was ordered.

Invariant: `told` is what the API server has said to this operator and not taken back, so whatever
the operator asks for can be held against what it had to go on.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from imooc_operator.client.errors import Unreachable
from support.fake_api import Request
from support.memory_api import MemoryApi
from support.store import Object, Refusal, Store

REFUSALS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    413: "RequestEntityTooLarge",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}

KINDS = {"pods": "Pod", "imoocpods": "ImoocPod"}

LATE = 5.0
"""Seconds after which a request arrives whose sender has given up."""


@dataclass
class Order:
    """What happens to the next `left` calls of one kind."""

    verb: str
    resource: str
    fault: str | int
    left: int

    def meets(self, request: Request) -> bool:
        resource = "/".join(filter(None, (request.plural, request.subresource)))
        return self.left > 0 and (self.verb, self.resource) == (request.verb, resource)


@dataclass
class Conditions:
    """The weather that all wires share."""

    orders: list[Order]
    delays: Iterator[float]
    streams: bool = True
    """Whether the API server begins a watch with a list; else lists come in pages."""
    tamper: Callable[[list[bytes]], list[bytes]] | None = None
    old: tuple[int, dict[tuple[str, str, str], Object]] | None = None
    """A past that a lying list may speak of."""

    def order_for(self, request: Request) -> str | int | None:
        order = next((order for order in self.orders if order.meets(request)), None)
        if order is None:
            return None
        order.left -= 1
        return order.fault


class Wire(MemoryApi):
    """A client as the operator gets it; `inspect` sees each request before it is sent."""

    def __init__(
        self, store: Store, conditions: Conditions, inspect: Callable[["Wire", Request], None]
    ) -> None:
        super().__init__(store)
        self.streams = conditions.streams
        self.told: dict[str, Object] = {}
        self.versions: dict[str, list[Object]] = {}
        """All that was ever said, by uid: a pass that has begun goes on with what it knew."""
        self._conditions = conditions
        self._inspect = inspect
        self.ended: dict[str, float] = {}
        """When it was said of each uid that it is gone."""

    async def carry(self, request: Request) -> bytes:
        self._inspect(self, request)
        resets = self._resets
        fault = self._conditions.order_for(request)
        await self._travel(resets)
        answer = await self._served(request, fault)
        await self._travel(resets)
        if fault == "no JSON":
            return b"<html>proxy</html>"
        if answer:
            self._hear(request, json.loads(answer))
        return answer

    async def listing(self, request: Request) -> tuple[bytes, int]:
        await asyncio.sleep(next(self._conditions.delays))
        lines, revision = await super().listing(request)
        items = [json.loads(line)["object"] for line in lines.splitlines()]
        self._hear_all(request.plural, items[:-1], revision)
        return lines, revision

    async def lines(self, request: Request, revision: int) -> tuple[bytes, int]:
        await asyncio.sleep(next(self._conditions.delays))
        lines, revision = await super().lines(request, revision)
        if self._conditions.tamper:
            lines = b"".join(self._conditions.tamper(lines.splitlines(keepends=True)))
        last = 0
        for line in lines.splitlines():
            event = json.loads(line)
            if event["type"] == "ERROR" or _revision(event["object"]) < last:
                break  # what follows is not believed
            last = _revision(event["object"])
            self._note(event["object"], ended=event["type"] == "DELETED")
        return lines, revision

    async def _served(self, request: Request, fault: str | int | None) -> bytes:
        match fault:
            case int():
                raise Refusal(fault, REFUSALS[fault], "a test says so")
            case "lost":
                raise Unreachable("lost on its way", sent=True)
            case "late":
                asyncio.get_running_loop().call_later(LATE, self._arrive, request)
                raise Unreachable("no answer", sent=True)
            case "old" if request.verb == "list" and self._conditions.old and self.told:
                return self._past(request, *self._conditions.old)
        try:
            answer = await super().carry(request)
        except Refusal as error:
            if (request.verb, error.code) == ("get", 404):
                self._forget(request)
            raise
        if fault == "applied, lost":
            raise Unreachable("answer lost", sent=True)
        if fault == "applied, 504":
            raise Refusal(504, "Timeout", "applied or not")
        return answer

    def _arrive(self, request: Request) -> None:
        carrying = super().carry(request)
        with suppress(StopIteration, Refusal):  # it never waits, and nobody hears of it
            carrying.send(None)

    def _past(
        self, request: Request, revision: int, objects: dict[tuple[str, str, str], Object]
    ) -> bytes:
        items = [
            objects[key]
            for key in sorted(objects)
            if key[0] == request.plural and request.namespace in ("", key[1])
        ]
        return json.dumps({"metadata": {"resourceVersion": str(revision)}, "items": items}).encode()

    async def _travel(self, resets: int) -> None:
        await asyncio.sleep(next(self._conditions.delays))
        if self.cut or self._resets != resets:
            raise Unreachable("connection lost", sent=True)

    def _hear(self, request: Request, answer: Object) -> None:
        if request.plural not in KINDS:
            return
        if request.verb != "list":
            if request.verb == "delete":
                answer["metadata"].setdefault("deletionTimestamp", "now")
            self._note(answer)
            return
        revision = int(answer["metadata"]["resourceVersion"])
        self._hear_all(request.plural, answer["items"], revision)

    def _hear_all(self, plural: str, items: list[Object], revision: int) -> None:
        if plural not in KINDS:
            return
        listed = {item["metadata"]["uid"] for item in items}
        for uid, known in list(self.told.items()):
            gone = uid not in listed and _revision(known) <= revision
            if gone and known["kind"] == KINDS[plural]:
                self._note(known, ended=True)
        for item in items:
            self._note(item)

    def _note(self, obj: Object, *, ended: bool = False) -> None:
        uid = obj["metadata"].get("uid")
        if obj.get("kind") not in KINDS.values() or uid in self.ended:
            return
        if ended:
            self.ended[uid] = asyncio.get_running_loop().time()
            self.told.pop(uid, None)
        elif uid not in self.told or _revision(obj) >= _revision(self.told[uid]):
            self.told[uid] = obj
            self.versions.setdefault(uid, []).append(obj)

    def _forget(self, request: Request) -> None:
        for known in list(self.told.values()):
            meta = known["metadata"]
            if (meta["namespace"], meta["name"]) == (request.namespace, request.name) and (
                known["kind"] == KINDS[request.plural]
            ):
                self._note(known, ended=True)


def _revision(obj: Object) -> int:
    return int(obj["metadata"]["resourceVersion"])
