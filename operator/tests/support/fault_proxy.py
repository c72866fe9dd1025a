"""Stands between the operator and a real API server, and does what networks and servers do.

HTTPS on both sides, HTTP/1.1, one exchange at a time per connection. Rules are tried in order on
each request; the first that matches decides. Invariant: without a rule bytes pass as they are.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httptools


@dataclass
class Call:
    """A request on its way; `index` counts the calls for which the same rule was asked."""

    method: str
    path: str
    query: dict[str, str]
    headers: bytes
    body: bytes

    @property
    def parts(self) -> list[str]:
        parts = self.path.strip("/").split("/")
        return parts[2:] if parts[0] == "api" else parts[3:]

    @property
    def namespace(self) -> str:
        return self.parts[1] if self.parts[:1] == ["namespaces"] else ""

    @property
    def tail(self) -> list[str]:
        return self.parts[2:] if self.namespace else self.parts

    @property
    def resource(self) -> str:
        """Plural, with the subresource if there is one: `imoocpods/status`; "" for discovery."""
        return "/".join([*self.tail[:1], *self.tail[2:]])

    @property
    def verb(self) -> str:
        """The verb as RBAC names it."""
        if self.method == "GET":
            if "watch" in self.query:
                return "watch"
            return "get" if len(self.tail) > 1 else "list"
        return {"POST": "create", "PUT": "update", "DELETE": "delete", "PATCH": "patch"}[
            self.method
        ]

    @property
    def writes(self) -> bool:
        return self.method != "GET"


class Cut(Exception):
    """Raised by a rule: the connection ends here and now."""


Answer = tuple[int, bytes, bytes]
"""Status, further header lines, body."""

Send = Callable[[], Awaitable[Answer]]

Rule = Callable[[Call, Send], Awaitable[Answer]]
"""Answers a call: by what `send` brings from the API server, changed or not, or by its own."""

Match = Callable[[Call], bool]

Tamper = Callable[[list[bytes]], list[bytes]]
"""Gets the whole lines of a watch that have arrived, returns those to pass on, in that order."""


@dataclass
class FaultProxy:
    """The proxy; `calls` has every request that came."""

    host: str
    port: int
    trust: ssl.SSLContext
    identity: ssl.SSLContext
    calls: list[Call] = field(default_factory=list)
    rules: list[tuple[Match, Rule]] = field(default_factory=list)
    tampers: list[tuple[Match, Tamper]] = field(default_factory=list)
    thawed: dict[str, asyncio.Event] = field(default_factory=dict)
    _dripping: Call | None = None

    async def start(self) -> None:
        self._server = await asyncio.start_server(
            self._connection, "127.0.0.1", 0, ssl=self.identity
        )
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def stop(self) -> None:
        self._server.close()
        self.cut()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        port: int = self._server.sockets[0].getsockname()[1]
        return f"https://127.0.0.1:{port}"

    def cut(self) -> None:
        """Reset every connection of the operator."""
        for writer in list(self._writers):
            writer.transport.abort()

    def rule(self, match: Match, rule: Rule) -> None:
        """Let `rule` answer the calls for which `match` holds."""
        self.rules.append((match, rule))

    def tamper(self, match: Match, tamper: Tamper) -> None:
        """Let `tamper` change what watches bring."""
        self.tampers.append((match, tamper))

    def drip(self, call: Call) -> None:
        """Let the body of the answer to `call` come by one byte a second."""
        self._dripping = call

    def freeze(self, resource: str) -> None:
        """Let watches of `resource` bring nothing, not even bookmarks, until thaw()."""
        self.thawed[resource] = asyncio.Event()

    def thaw(self, resource: str) -> None:
        """Let what was held back pass."""
        self.thawed.pop(resource).set()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        upstream: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        try:
            while True:
                await self._exchange(await _request(reader), writer, upstream)
        except (
            asyncio.CancelledError,
            asyncio.IncompleteReadError,
            ConnectionError,
            ssl.SSLError,
            Cut,
        ):
            pass  # one side is gone, or a rule wants the operator to think so
        finally:
            for _, other in upstream:
                other.transport.abort()
            writer.transport.abort()
            self._writers.discard(writer)
            self._tasks.discard(task)

    async def _exchange(
        self,
        call: Call,
        writer: asyncio.StreamWriter,
        upstream: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]],
    ) -> None:
        self.calls.append(call)
        rule = next((rule for match, rule in self.rules if match(call)), None)
        if rule is None and call.verb == "watch":
            await self._watch(call, writer)
            return

        async def send() -> Answer:
            if not upstream:
                upstream.append(await self._connect())
                # The API server's end of a connection is the operator's, idle or not.
                ending = asyncio.gather(upstream[0][1].wait_closed(), return_exceptions=True)
                ending.add_done_callback(lambda _: writer.transport.abort())
            return await _forward(call, *upstream[0])

        status, headers, body = await (rule(call, send) if rule else send())
        head = b"HTTP/1.1 %d X\r\n%sContent-Length: %d\r\n\r\n" % (status, headers, len(body))
        if self._dripping is call:
            writer.write(head)
            for byte in body:
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(1)
            return
        writer.write(head + body)
        await writer.drain()

    async def _watch(self, call: Call, writer: asyncio.StreamWriter) -> None:
        reader, other = await self._connect()
        try:
            other.write(_head(call))
            stream = _Stream(reader)
            status = await stream.status()
            head = b"HTTP/1.1 %d X\r\n%sTransfer-Encoding: chunked\r\n\r\n"
            writer.write(head % (status, stream.headers))
            tamper = next((tamper for match, tamper in self.tampers if match(call)), None)
            async for piece in stream.lines():
                while (thawed := self.thawed.get(call.resource)) is not None:
                    await thawed.wait()
                lines = tamper(piece) if tamper else piece
                if data := b"".join(lines):
                    writer.write(b"%x\r\n%s\r\n" % (len(data), data))
                    await writer.drain()
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        finally:
            other.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection(self.host, self.port, ssl=self.trust, limit=1 << 24)


class _Stream:
    """An answer of the API server, parsed as it comes."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._parser: Any = httptools.HttpResponseParser(self)
        self._body = bytearray()
        self._begun = self._complete = False
        self.headers = b""

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() in (b"retry-after", b"content-type"):
            self.headers += b"%s: %s\r\n" % (name, value)

    def on_headers_complete(self) -> None:
        self._begun = True

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self._complete = True

    async def status(self) -> int:
        while not self._begun:
            await self._more()
        code: int = self._parser.get_status_code()
        return code

    async def body(self) -> bytes:
        while not self._complete:
            await self._more()
        return bytes(self._body)

    async def lines(self) -> AsyncIterator[list[bytes]]:
        while True:
            whole, newline, rest = bytes(self._body).rpartition(b"\n")
            self._body = bytearray(rest)
            if newline:
                yield (whole + newline).splitlines(keepends=True)
            if self._complete:
                return
            await self._more()

    async def _more(self) -> None:
        data = await self._reader.read(1 << 16)
        if not data:
            raise ConnectionError("the API server closed the connection")
        self._parser.feed_data(data)


async def _request(reader: asyncio.StreamReader) -> Call:
    head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    method, target, _ = first.decode().split(" ")
    length = 0
    kept = [first]
    for line in lines:
        name, _, value = line.partition(b": ")
        if name.lower() == b"content-length":
            length = int(value)
        if name.lower() != b"accept-encoding":  # what is compressed cannot be tampered with
            kept.append(line)
    url = urlsplit(target)
    query = {key: values[0] for key, values in parse_qs(url.query).items()}
    body = await reader.readexactly(length)
    return Call(method, url.path, query, b"\r\n".join(kept) + b"\r\n\r\n", body)


def _head(call: Call) -> bytes:
    return call.headers + call.body


async def _forward(
    call: Call, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Answer:
    writer.write(_head(call))
    stream = _Stream(reader)
    status = await stream.status()
    return status, stream.headers, await stream.body()


def refusal(status: int, reason: str, headers: bytes = b"") -> Answer:
    """Return what the API server answers when it refuses."""
    body = {"kind": "Status", "status": "Failure", "code": status, "reason": reason}
    headers += b"Content-Type: application/json\r\n"
    return status, headers, json.dumps({**body, "message": f"a test says {reason}"}).encode()


@asynccontextmanager
async def fault_proxy(port: int, certificate: Path, key: Path) -> AsyncIterator[FaultProxy]:
    """Run a proxy to the API server on `port`, under the same certificate."""
    identity = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    identity.load_cert_chain(certificate, key)
    trust = ssl.create_default_context(cafile=str(certificate))
    proxy = FaultProxy("127.0.0.1", port, trust, identity)
    await proxy.start()
    try:
        yield proxy
    finally:
        with suppress(asyncio.CancelledError):
            await proxy.stop()
