"""Keeps one scope of a cache equal to the API server: list, then watch, for ever.

Where the API server serves it, the list comes as the first events of the watch (KEP-3157): one
request for any number of objects, of which a few at a time are in memory. Elsewhere it comes in
pages. Invariant: the cache never moves to an older revision unnoticed, and a watch that brings
nothing, not even bookmarks, is followed by a new list.
"""

import asyncio
import logging
import random
from collections.abc import Callable, Iterable
from contextlib import aclosing
from typing import Any, Generic, TypeVar, cast

import msgspec

from imooc_operator.client.api import ApiClient, Resource
from imooc_operator.client.errors import (
    FAILURES,
    BadRequest,
    Gone,
    Invalid,
    Refused,
    Silent,
    refusal,
)

from .backoff import Backoff
from .cache import Cache, Regression
from .objects import Cached, EventType, Key, ObjectList, ObjectMeta, RawObject, WatchEvent

log = logging.getLogger(__name__)

R = TypeVar("R", bound=RawObject)
T = TypeVar("T", bound=Cached)

PAGE = 500
SILENCE = 90.0
"""Seconds without a byte after which a watch counts as dead: bookmarks come about every minute."""

WATCH_MIN, WATCH_MAX = 300, 600
"""The API server ends each watch after a time between these, which spreads the reconnects."""

STEADY = 1.0
"""Seconds after which a watch that breaks counts as one that had worked."""

_STREAMED = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
"""Asks for a watch that begins with all there is; no version asked means the newest."""

_END_OF_LIST = "k8s.io/initial-events-end"
"""The annotation on the bookmark that ends a streamed list."""

REWIND_AFTER = 3
"""Lists in a row older than what was seen, until we believe that etcd was restored."""


class Decoder(Generic[R, T]):
    """How the bytes of one resource type become the view a kind keeps of it."""

    def __init__(self, raw: type[R], view: Callable[[R], T | None]) -> None:
        """`view` returns None for an object that does not concern the kind."""
        self.view = view
        self.object = msgspec.json.Decoder(raw)
        # The types are chosen at run time, which a type checker cannot follow.
        lists, events = cast(Any, ObjectList)[raw], cast(Any, WatchEvent)[raw]
        self.list: msgspec.json.Decoder[ObjectList[R]] = msgspec.json.Decoder(lists)
        self.event: msgspec.json.Decoder[WatchEvent[R]] = msgspec.json.Decoder(events)
        self.event_type = msgspec.json.Decoder(EventType)


class _NotStreamed(Exception):
    """The API server does not begin a watch with a list."""


class Informer(Generic[R, T]):
    """Lists and watches one resource type in one scope (a namespace, or "" for all)."""

    def __init__(
        self,
        client: ApiClient,
        resource: Resource,
        scope: str,
        decoder: Decoder[R, T],
        cache: Cache[T],
        name: str = "",
    ) -> None:
        """`name` narrows the scope to the one object of that name."""
        self.resource = resource
        self.scope = scope
        self.synced = asyncio.Event()
        self.events = 0
        self.relists = 0
        self._client = client
        self._decoder = decoder
        self._cache = cache
        self._selector = {"fieldSelector": f"metadata.name={name}"} if name else {}
        self._older = 0
        self._streams = True
        self._listed = False
        self._listing: dict[Key, T] | None = None
        self._active_at = asyncio.get_running_loop().time()

    def age(self) -> float:
        """Return the seconds since the API server last gave any sign of life here."""
        return asyncio.get_running_loop().time() - self._active_at

    def is_synced(self) -> bool:
        """Return whether the first list is in the cache."""
        return self.synced.is_set()

    def title(self) -> str:
        """Return what is watched, for people."""
        return f"{self.resource.plural} in {self.scope or 'all namespaces'}"

    async def run(self) -> None:
        """List and watch until cancelled."""
        loop = asyncio.get_running_loop()
        backoff = Backoff()
        while True:
            began, events = loop.time(), self.events
            try:
                if not self._listed and not self._streams:
                    await self._list()
                await self._watch()
                if self.events > events:
                    continue
                reason = "watch ended without an event"
            except _NotStreamed as error:
                log.info("listing in pages", extra={"of": self.title(), "reason": str(error)})
                self._streams = False
                continue
            except (Gone, Regression, Silent) as error:
                # A silent watch may be one from the future, after etcd was restored: a list tells.
                self._listed = False
                reason = str(error)
            except FAILURES as error:
                reason = str(error)
                if isinstance(error, Refused):
                    self._active_at = loop.time()  # it answers; a restart would not change its mind
            if loop.time() - began >= STEADY:
                backoff.reset()
            delay = backoff.next()
            log.log(
                logging.DEBUG if reason.startswith("watch ended") else logging.WARNING,
                "watch interrupted",
                extra={
                    "resource": self.resource.plural,
                    "namespace": self.scope,
                    "reason": reason,
                    "relist": not self._listed,
                    "delay": round(delay, 3),
                },
            )
            await asyncio.sleep(delay)

    async def _list(self) -> None:
        """Replace the scope by a fresh list, page by page."""
        objects: list[T] = []
        query = {"limit": str(PAGE), **self._selector}
        while True:
            page = self._decoder.list.decode(
                await self._client.get(self.resource.path(self.scope), query)
            )
            self._active_at = asyncio.get_running_loop().time()
            objects += [seen for item in page.items if (seen := self._decoder.view(item))]
            if not page.metadata.continue_:
                break
            query["continue"] = page.metadata.continue_
        self._replace(objects, int(page.metadata.resource_version))

    def _replace(self, objects: Iterable[T], revision: int) -> None:
        self.relists += 1
        rewind = self._older + 1 >= REWIND_AFTER
        try:
            self._cache.replace(self.scope, objects, revision, rewind=rewind)
        except Regression:
            self._older += 1
            raise
        self._older = 0
        self._listed = True
        self.synced.set()

    async def _watch(self) -> None:
        """Follow the scope from a list, or from its last revision, until the watch ends."""
        start = {"resourceVersion": str(self._cache.revision(self.scope))}
        self._listing = None if self._listed else {}
        streamed, seen = not self._listed, self.events
        query = {
            **(start if self._listed else _STREAMED),
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(random.randint(WATCH_MIN, WATCH_MAX)),  # noqa: S311 - spreads load, guards nothing
            **self._selector,
        }
        watch = self._client.watch(self.resource.path(self.scope), query, silence=SILENCE)
        try:
            async with aclosing(watch) as batches:
                async for lines in batches:
                    self._active_at = asyncio.get_running_loop().time()
                    for line in lines:
                        self._take(line)
        except (BadRequest, Invalid, Silent) as error:
            if self._listing is None:
                raise
            raise _NotStreamed(str(error)) from error
        except Regression as error:
            if not streamed or self.events != seen + 1:
                raise
            # What follows a list cannot be older: the list's end had overtaken what it ends.
            self._listed = False
            raise _NotStreamed(str(error)) from error

    def _take(self, line: bytes) -> None:
        try:
            event = self._decoder.event.decode(line)
        except msgspec.ValidationError:
            self._raise_if_error(line)  # a Status need not fit the shape of the resource
            raise
        meta = event.object.metadata
        if event.type == "ERROR":
            self._raise_if_error(line)
        if event.type == "BOOKMARK":
            self._mark(meta)
            return
        new = None if event.type == "DELETED" else self._decoder.view(event.object)
        key = f"{meta.namespace}/{meta.name}"
        if self._listing is None:
            self.events += 1
            self._cache.apply(self.scope, key, meta.uid, new, meta.revision)
        elif new is None:
            self._listing.pop(key, None)
        else:
            self._listing[key] = new

    def _mark(self, meta: ObjectMeta) -> None:
        """Note how far the watch has come; the first bookmark of a streamed list ends the list."""
        if self._listing is None:
            self._cache.progress(self.scope, meta.revision)
            return
        if _END_OF_LIST not in (meta.annotations or {}):
            raise _NotStreamed("the API server does not know of lists in watches")
        listing, self._listing = self._listing, None
        self._replace(listing.values(), meta.revision)

    def _raise_if_error(self, line: bytes) -> None:
        event = self._decoder.event_type.decode(line)
        if event.type == "ERROR":
            raise refusal(f"watch {self.resource.plural}", 0, bytes(event.object))
