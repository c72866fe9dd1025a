"""One keep-alive HTTP/1.1 connection with at most one exchange on it.

Invariant: a connection whose last exchange did not end cleanly is closed, never reused.
"""

import asyncio
import socket
from collections.abc import AsyncGenerator
from typing import Protocol

import httptools

from .errors import Silent, Unreachable
from .transport import Transport

HIGH_WATER = 1 << 20
"""Bytes of an unread stream at which the socket is no longer read."""


class _Parser(Protocol):
    def feed_data(self, data: bytes) -> None: ...
    def get_status_code(self) -> int: ...
    def should_keep_alive(self) -> bool: ...


class Answer:
    """Status, the one header we use, and the body as far as it has arrived."""

    __slots__ = ("body", "complete", "keep_alive", "retry_after", "status")

    def __init__(self) -> None:
        self.status = 0
        self.retry_after: str | None = None
        self.body = bytearray()
        self.complete = False
        self.keep_alive = False


class Connection:
    """A transport, an HTTP parser, and the answer being received."""

    def __init__(self, sock: socket.socket) -> None:
        """`sock` is connected, and belongs to this connection from now on."""
        self._transport = Transport(sock, self._receive, self._fail)
        self._parser: _Parser = httptools.HttpResponseParser(self)
        self._answer: Answer | None = None
        self._arrived: asyncio.Future[None] | None = None
        self._streaming = False
        self._failure: str | None = None
        self._kind = Unreachable
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self._overdue: tuple[str, type[Unreachable]] = ("", Unreachable)

    @property
    def reusable(self) -> bool:
        """Whether a next exchange may use this connection."""
        return self._failure is None and self._answer is None

    async def exchange(self, request: bytes, within: float) -> Answer:
        """Send `request` and return the whole answer; raise Unreachable after `within` seconds."""
        answer = self._begin(request, streaming=False)
        self._expect(within, "no answer within")
        try:
            while not answer.complete:
                await self._arrival()
        finally:
            self._end(answer)
        return answer

    async def stream(
        self, request: bytes, within: float, silence: float
    ) -> AsyncGenerator[tuple[Answer, bytes], None]:
        """Yield the answer with each piece of its body; the first piece may be empty.

        Raises Unreachable when no header arrives within `within` seconds, Silent when later
        nothing at all does for `silence` seconds. A consumer that stops early closes the
        connection.
        """
        answer = self._begin(request, streaming=True)
        opened = False
        try:
            while True:
                if opened:
                    self._expect(silence, "nothing for", Silent)
                else:
                    self._expect(within, "nothing for")
                while not (answer.body or answer.complete or (answer.status and not opened)):
                    await self._arrival()
                opened = True
                piece = bytes(answer.body)
                answer.body.clear()
                self._transport.resume()
                yield answer, piece
                if answer.complete and not answer.body:
                    return
        finally:
            self._end(answer)

    def close(self) -> None:
        """Drop the connection now."""
        self._fail("closed by this client")

    def _begin(self, request: bytes, *, streaming: bool) -> Answer:
        if not self.reusable:
            raise Unreachable(self._failure or "connection is busy", sent=False)
        self._answer = answer = Answer()
        self._streaming = streaming
        self._transport.write(request)
        return answer

    def _end(self, answer: Answer) -> None:
        self._answer = None
        if not answer.keep_alive:
            self.close()

    def _expect(self, within: float, what: str, kind: type[Unreachable] = Unreachable) -> None:
        """Let the connection fail if what is waited for now does not come `within` seconds.

        One timer serves exchange after exchange: it looks when the first would be overdue, and
        then again. To set and cancel one for each costs a twentieth of a request.
        """
        self._due = asyncio.get_running_loop().time() + within
        self._overdue = f"{what} {within:g} s", kind
        if self._timer is None or self._timer.when() > self._due:
            self._look_when_due()

    def _look_when_due(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_at(self._due, self._look)

    def _look(self) -> None:
        self._timer = None
        if self._answer is None:
            return
        if asyncio.get_running_loop().time() < self._due:
            self._look_when_due()
            return
        self._fail(*self._overdue)

    async def _arrival(self) -> None:
        if self._failure is not None:
            raise self._kind(self._failure, sent=True)
        self._arrived = asyncio.get_running_loop().create_future()
        try:
            await self._arrived
        finally:
            self._arrived = None

    def _wake(self) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)

    def _fail(self, why: str, kind: type[Unreachable] = Unreachable) -> None:
        if self._failure is None:
            self._failure, self._kind = why, kind
            if self._timer is not None:
                self._timer.cancel()
            self._transport.close()
        self._wake()

    def _receive(self, data: bytes) -> bool:
        """Return whether more may follow at once; after a whole answer nothing does."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            self._fail(f"answer is not HTTP: {error}")
            return False
        answer = self._answer
        if answer is None:
            self._fail("bytes outside of an exchange")
            return False
        if self._streaming:
            if len(answer.body) > HIGH_WATER:
                self._transport.pause()
            self._wake()
        return not answer.complete

    # httptools callbacks

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._answer is not None and name.lower() == b"retry-after":
            self._answer.retry_after = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        if self._answer is not None:
            self._answer.status = self._parser.get_status_code()

    def on_body(self, body: bytes) -> None:
        if self._answer is not None:
            self._answer.body += body

    def on_message_complete(self) -> None:
        if self._answer is not None:
            self._answer.complete = True
            # Only here: the parser forgets it with the end of the message.
            self._answer.keep_alive = self._parser.should_keep_alive()
            self._wake()
