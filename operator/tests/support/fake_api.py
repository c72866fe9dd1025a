"""A stand-in API server: real HTTP on a real socket, a store in memory, faults on request.

It knows just enough for the conformance cases; those run on the real one too, which is what keeps
this one honest.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

from support.store import Object, Refusal, Store


@dataclass
class Request:
    """What a client asked for."""

    method: str
    path: str
    query: dict[str, str]
    body: Object
    headers: dict[str, str]

    @property
    def verb(self) -> str:
        """The verb as RBAC names it."""
        if self.method == "GET":
            if "watch" in self.query:
                return "watch"
            return "get" if self.name else "list"
        return {"POST": "create", "PUT": "update", "DELETE": "delete", "PATCH": "patch"}[
            self.method
        ]

    @property
    def streams(self) -> bool:
        """Whether a watch is asked for that begins with a list."""
        return "sendInitialEvents" in self.query

    def selects(self, obj: Object) -> bool:
        """Return whether the field selector, by name if any, lets `obj` through."""
        _, _, name = self.query.get("fieldSelector", "").partition("metadata.name=")
        return name in ("", obj["metadata"]["name"])

    @property
    def _parts(self) -> list[str]:
        parts = self.path.strip("/").split("/")
        return parts[2:] if parts[0] == "api" else parts[3:]

    @property
    def namespace(self) -> str:
        return self._parts[1] if self._parts[0] == "namespaces" else ""

    @property
    def _tail(self) -> list[str]:
        return self._parts[2:] if self.namespace else self._parts

    @property
    def plural(self) -> str:
        return self._tail[0]

    @property
    def name(self) -> str:
        return self._tail[1] if len(self._tail) > 1 else ""

    @property
    def subresource(self) -> str:
        return self._tail[2] if len(self._tail) > 2 else ""


def carry_out(store: Store, request: Request, page: int = 500) -> Object:
    """Do what `request` asks for, watches apart; a list has pages of at most `page` objects."""
    where = (request.plural, request.namespace)
    match request.verb:
        case "get":
            return store.get(*where, request.name)
        case "create":
            return store.create(*where, request.body)
        case "delete":
            return store.delete(*where, request.name, request.body)
        case "patch":
            return store.patch(*where, request.name, request.body, request.subresource)
        case "update":
            return store.update(*where, request.name, request.body, request.subresource)
        case _:
            return _list(store, request, page)


def _list(store: Store, request: Request, page: int) -> Object:
    items = [i for i in store.all(request.plural, request.namespace) if request.selects(i)]
    start = int(request.query.get("continue", "0"))
    size = min(int(request.query["limit"]), page) if "limit" in request.query else 10**6
    more = str(start + size) if start + size < len(items) else ""
    return {
        "metadata": {"resourceVersion": str(store.revision), "continue": more},
        "items": items[start : start + size],
    }


class Cut(Exception):
    """Raised by a fault: the connection ends without an answer."""


Fault = Callable[[Request, Callable[[], Object]], Awaitable[Object]]
"""Gets the request and the function that carries it out; returns the answer, or raises."""


@dataclass
class FakeApi:
    """The server; `requests` has all that was asked, `faults` are tried before each request."""

    store: Store = field(default_factory=Store)
    requests: list[Request] = field(default_factory=list)
    faults: list[tuple[Callable[[Request], bool], Fault]] = field(default_factory=list)
    frozen: set[str] = field(default_factory=set)
    """Plurals whose watches bring nothing, not even bookmarks."""
    bookmarks: float = 0.1
    """Seconds between two bookmarks."""
    page: int | None = None
    """The largest page of a list that is asked for in pages."""
    streams: Literal["served", "refused", "unheard of"] = "served"
    """What becomes of the wish for a watch that begins with a list."""

    async def __aenter__(self) -> "FakeApi":
        self._server = await asyncio.start_server(self._connection, "127.0.0.1", 0)
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        await self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        port: int = self._server.sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    async def cut(self) -> None:
        """Reset every connection, and let the clients notice."""
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.sleep(0.03)

    def fault(self, when: Callable[[Request], bool], fault: Fault) -> None:
        """Let `fault` answer the requests for which `when` holds."""
        self.faults.append((when, fault))

    def count(self, verb: str, plural: str) -> int:
        """Return how many such requests came."""
        return sum(r.verb == verb and r.plural == plural for r in self.requests)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            while True:
                await self._exchange(await _read(reader), writer)
        except (asyncio.IncompleteReadError, ConnectionError, Cut, asyncio.CancelledError):
            pass  # the client is gone, or a fault wants it to think that we are
        finally:
            writer.transport.abort()
            self._writers.discard(writer)
            self._tasks.discard(task)

    async def _exchange(self, request: Request, writer: asyncio.StreamWriter) -> None:
        self.requests.append(request)
        code = 201 if request.method == "POST" else 200
        headers = ""
        try:
            fault = next((fault for when, fault in self.faults if when(request)), None)
            if fault is not None:
                answer = await fault(request, lambda: self._answer(request))
            elif request.verb == "watch":
                await self._watch(request, writer)
                return
            else:
                answer = self._answer(request)
        except Refusal as refusal:
            code = refusal.code
            answer = status_of(refusal)
            headers = "Retry-After: 1\r\n" if code == 429 else ""
        body = json.dumps(answer).encode()
        writer.write(
            f"HTTP/1.1 {code} X\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body
        )
        await writer.drain()

    def _answer(self, request: Request) -> Object:
        return carry_out(self.store, request, self.page or 500)

    async def _watch(self, request: Request, writer: asyncio.StreamWriter) -> None:
        if request.streams and self.streams == "refused":
            raise Refusal(422, "Invalid", "sendInitialEvents: Forbidden")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        if request.streams:
            revision = self.store.revision
            lines = streamed_list(self.store, request)
            for line in lines[:-1] if self.streams == "unheard of" else lines:
                _chunk(writer, line)
        else:
            revision = int(request.query["resourceVersion"])
        loop = asyncio.get_running_loop()
        end = loop.time() + float(request.query.get("timeoutSeconds", "600"))
        bookmark = loop.time() + self.bookmarks
        while loop.time() < end:
            if request.plural in self.frozen:
                await asyncio.sleep(0.005)
                continue
            try:
                events = self.store.since(request.plural, request.namespace, revision)
            except Refusal as refusal:
                _chunk(writer, {"type": "ERROR", "object": status_of(refusal)})
                break
            for event in events:
                revision = event.revision
                if request.selects(event.object):
                    _chunk(writer, {"type": event.type, "object": event.object})
            if loop.time() > bookmark and revision <= self.store.revision:
                # As the real one: nothing at all for a watch from the future.
                revision = self.store.revision
                meta = {"metadata": {"resourceVersion": str(revision)}}
                _chunk(writer, {"type": "BOOKMARK", "object": meta})
                bookmark += self.bookmarks
            await writer.drain()
            await asyncio.sleep(0.005)
        writer.write(b"0\r\n\r\n")


def streamed_list(store: Store, request: Request) -> list[dict[str, Any]]:
    """Return the first lines of a watch that begins with a list."""
    items = store.all(request.plural, request.namespace)
    meta = {
        "resourceVersion": str(store.revision),
        "annotations": {"k8s.io/initial-events-end": "true"},
    }
    return [
        *({"type": "ADDED", "object": item} for item in items if request.selects(item)),
        {"type": "BOOKMARK", "object": {"metadata": meta}},
    ]


async def _read(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    first, *lines = head.strip().split("\r\n")
    method, target, _ = first.split(" ")
    headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines)}
    raw = await reader.readexactly(int(headers.get("content-length", "0")))
    url = urlsplit(target)
    query = {k: v[0] for k, v in parse_qs(url.query).items()}
    return Request(method, url.path, query, json.loads(raw or b"{}"), headers)


def _chunk(writer: asyncio.StreamWriter, event: dict[str, Any]) -> None:
    line = json.dumps(event, separators=(",", ":")).encode() + b"\n"
    writer.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")


def status_of(refusal: Refusal) -> Object:
    """Return the Status object that says `refusal`."""
    return {
        "kind": "Status",
        "metadata": {},
        "status": "Failure",
        "code": refusal.code,
        "reason": refusal.reason,
        "message": str(refusal),
        "details": {"causes": [{"reason": cause} for cause in refusal.causes]},
    }
