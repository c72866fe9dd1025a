"""Events for people: what `kubectl describe` shows below an object.

Invariant: an event never delays or fails a pass. One that repeats becomes a count on the first one,
and what the API server cannot take in time is dropped: conditions say the same.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import msgspec

from imooc_operator.client.api import ApiClient, Resource
from imooc_operator.client.errors import ApiError, NotFound, Refused

from .rights import Right

log = logging.getLogger(__name__)

EVENTS = Resource("events.k8s.io", "v1", "events")
RIGHTS = (Right(EVENTS, ("create", "patch")),)

WAITING = 256
"""Events waiting to be sent; more than that in a burst tell a person nothing."""

REMEMBERED = 1024
"""Events whose repetition is noticed."""

MAX_NOTE = 1024
"""Bytes the API server takes as a note."""


class Reference(msgspec.Struct, frozen=True, rename="camel"):
    """The object an event is about."""

    api_version: str
    kind: str
    namespace: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Event:
    """One thing worth telling; `reason` and `action` are single CamelCase words."""

    regarding: Reference
    type: Literal["Normal", "Warning"]
    reason: str
    action: str
    note: str


@dataclass(slots=True)
class _Series:
    name: str
    count: int = 1


class Recorder:
    """Sends events one after another, in the background."""

    def __init__(self, client: ApiClient, controller: str, instance: str) -> None:
        """`controller` and `instance` tell who reports."""
        self._client = client
        self._source = {"reportingController": controller, "reportingInstance": instance}
        self._waiting: asyncio.Queue[Event] = asyncio.Queue(WAITING)
        self._sent: OrderedDict[Event, _Series] = OrderedDict()

    def emit(self, event: Event) -> None:
        """Have `event` sent soon."""
        try:
            self._waiting.put_nowait(event)
        except asyncio.QueueFull:
            log.debug("event dropped", extra={"reason": event.reason})

    async def run(self) -> None:
        """Send until cancelled."""
        while True:
            event = await self._waiting.get()
            try:
                await self._send(event)
            except ApiError as error:
                level = logging.DEBUG if isinstance(error, Refused) else logging.WARNING
                log.log(level, "event not sent", extra={"reason": str(error)})

    async def _send(self, event: Event) -> None:
        series = self._sent.get(event)
        if series is not None:
            self._sent.move_to_end(event)
            try:
                await self._count(event, series)
                return
            except NotFound:
                pass  # forgotten by the API server after its hour: tell it anew
        await self._create(event)

    async def _create(self, event: Event) -> None:
        about = event.regarding
        # client-go's form: unique without asking, and it sorts by time below the object's name.
        name = f"{about.name[:200]}.{time.time_ns():x}"
        body = {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": name},
            "eventTime": _now(),
            **self._source,
            "regarding": about,
            "type": event.type,
            "reason": event.reason,
            "action": event.action,
            "note": event.note.encode()[:MAX_NOTE].decode(errors="ignore"),
        }
        await self._client.create(EVENTS.path(about.namespace), msgspec.json.encode(body))
        self._sent[event] = _Series(name)
        if len(self._sent) > REMEMBERED:
            self._sent.popitem(last=False)

    async def _count(self, event: Event, series: _Series) -> None:
        series.count += 1
        body = {"series": {"count": series.count, "lastObservedTime": _now()}}
        path = EVENTS.path(event.regarding.namespace, series.name)
        await self._client.patch(path, msgspec.json.encode(body))


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
