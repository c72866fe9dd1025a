"""The API server's memory behind the client's verbs, without a socket: for virtual time.

Watches wait for writes instead of looking again and again, so an idle hour costs nothing.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress

from imooc_operator.client.api import MERGE_PATCH, ApiClient
from imooc_operator.client.config import Token, client_config
from imooc_operator.client.errors import Silent, Unreachable, refusal
from support.fake_api import Request, carry_out, status_of, streamed_list
from support.store import Refusal, Store

BOOKMARKS = 60.0
"""Seconds between two bookmarks, as of the real one."""


class MemoryApi(ApiClient):
    """A client whose requests end in a Store; while `cut` nothing gets through."""

    streams = True
    """Whether a watch can begin with a list."""

    def __init__(self, store: Store) -> None:
        super().__init__(client_config("http://nowhere", token=Token(), origin="test"))
        self.store = store
        self.cut = False
        self._frozen: set[str] = set()
        self._wakers: list[asyncio.Event] = []
        self._resets = 0

    def freeze(self, plural: str) -> None:
        """Let watches of `plural` bring nothing, not even bookmarks, until thaw()."""
        self._frozen.add(plural)

    def thaw(self) -> None:
        """Let all watches bring what was held back."""
        self._frozen.clear()
        self._wake()

    def reset(self) -> None:
        """Break every connection: the outcome of requests on their way is unknown."""
        self._resets += 1
        self._wake()

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        return await self._exchange("GET", path, query or {})

    async def create(self, path: str, body: bytes) -> bytes:
        return await self._exchange("POST", path, {}, body)

    async def update(self, path: str, body: bytes) -> bytes:
        return await self._exchange("PUT", path, {}, body)

    async def patch(self, path: str, body: bytes, content_type: str = MERGE_PATCH) -> bytes:
        return await self._exchange("PATCH", path, {}, body)

    async def delete(self, path: str, body: bytes) -> bytes:
        return await self._exchange("DELETE", path, {}, body)

    async def carry(self, request: Request) -> bytes:
        """Do what `request` asks for; a watch is only opened. Raises Refusal."""
        if request.streams and not self.streams:
            raise Refusal(422, "Invalid", "sendInitialEvents: Forbidden")
        return (
            b"" if request.verb == "watch" else json.dumps(carry_out(self.store, request)).encode()
        )

    async def listing(self, request: Request) -> tuple[bytes, int]:
        """Return the list that a watch begins with, and the revision it is of."""
        lines = streamed_list(self.store, request)
        return b"".join(json.dumps(line).encode() + b"\n" for line in lines), self.store.revision

    async def lines(self, request: Request, revision: int) -> tuple[bytes, int]:
        """Return what a watch from `revision` has to bring now, and to which revision it comes."""
        try:
            events = self.store.since(request.plural, request.namespace, revision)
        except Refusal as error:
            return json.dumps({"type": "ERROR", "object": status_of(error)}).encode() + b"\n", 0
        whole = [
            json.dumps({"type": event.type, "object": event.object}).encode() + b"\n"
            for event in events
            if request.selects(event.object)
        ]
        return b"".join(whole), events[-1].revision if events else revision

    async def watch(
        self, path: str, query: Mapping[str, str], *, silence: float
    ) -> AsyncGenerator[list[bytes], None]:
        resets = self._resets
        await self._exchange("GET", path, {**query, "watch": "true"})
        yield []
        request = Request("GET", path, {**query, "watch": "true"}, {}, {})
        loop, news = asyncio.get_running_loop(), asyncio.Event()
        listed, heard = not request.streams, loop.time()
        revision = int(query["resourceVersion"]) if listed else 0
        end = heard + float(query.get("timeoutSeconds", "600"))
        self._wakers.append(news)
        self.store.watchers.append(news.set)
        try:
            while loop.time() < end:
                if self._resets != resets:
                    raise Unreachable("connection lost", sent=True)
                news.clear()
                held = self.cut or request.plural in self._frozen
                lines = b""
                if not held and not listed:
                    lines, revision = await self.listing(request)
                    listed = True
                elif not held:
                    lines, revision = await self.lines(request, revision)
                    due = loop.time() >= heard + BOOKMARKS
                    if not lines and due and revision <= self.store.revision:
                        # As the real one: nothing at all for a watch from the future.
                        lines, revision = _bookmark(self.store.revision), self.store.revision
                if lines:
                    heard = loop.time()
                    yield lines.splitlines()
                    continue
                if loop.time() >= heard + silence:
                    raise Silent(f"nothing for {silence:g} s", sent=True)
                wake = heard + (silence if held else BOOKMARKS)
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(min(end, wake)):
                        await news.wait()
        finally:
            self._wakers.remove(news)
            self.store.watchers.remove(news.set)

    async def _exchange(
        self, method: str, path: str, query: Mapping[str, str], body: bytes = b"{}"
    ) -> bytes:
        if self.cut:
            raise Unreachable("cut", sent=False)
        try:
            return await self.carry(Request(method, path, dict(query), json.loads(body), {}))
        except Refusal as error:
            status = json.dumps(status_of(error)).encode()
            raise refusal(f"{method} {path}", error.code, status) from error

    def _wake(self) -> None:
        for news in self._wakers:
            news.set()


def _bookmark(revision: int) -> bytes:
    event = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(revision)}}}
    return json.dumps(event).encode() + b"\n"
