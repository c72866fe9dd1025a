"""P9: what one pod event costs from its bytes on the watch to its place in the cache.

Runs the operator's own informer, decoder and cache in this process; only the connection is played.
Reads one pod as the API server gives it from standard input, prints microseconds per event.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from typing import Any, cast

from imooc_operator.client.api import ApiClient
from imooc_operator.kinds.imoocpod import observe
from imooc_operator.kinds.imoocpod.observe import PodView, RawPod
from imooc_operator.kinds.imoocpod.reconciler import PODS
from imooc_operator.runtime.cache import Cache
from imooc_operator.runtime.informer import Decoder, Informer

PODS_KNOWN = 1000
ROUNDS = 20


END_OF_LIST = (
    b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"1",'
    b'"annotations":{"k8s.io/initial-events-end":"true"}}}}'
)


class Played:
    """Stands in for the client: a watch with an empty list, then all events, then silence."""

    def __init__(self, batches: list[bytes]) -> None:
        self._batches = batches
        self.seconds = 0.0
        self.done = asyncio.Event()

    async def watch(
        self, path: str, query: Mapping[str, str], *, silence: float
    ) -> AsyncGenerator[list[bytes], None]:
        yield [END_OF_LIST]
        began = time.process_time()
        for batch in self._batches:
            *lines, _ = batch.split(b"\n")  # as the client does
            yield lines
        self.seconds = time.process_time() - began
        self.done.set()
        await asyncio.Event().wait()


def events(pod: dict[str, Any]) -> list[bytes]:
    """Return the watch's bytes: each pod is made, and then changed again and again."""
    revision = 1
    batches = []
    for number in range(ROUNDS):
        lines = []
        for name in range(PODS_KNOWN):
            revision += 1
            meta = pod["metadata"]
            meta |= {"name": f"pod-{name}", "uid": f"uid-{name}", "resourceVersion": str(revision)}
            event = {"type": "MODIFIED" if number else "ADDED", "object": pod}
            lines.append(json.dumps(event, separators=(",", ":")).encode() + b"\n")
        batches.append(b"".join(lines))
    return batches


async def measure(pod: dict[str, Any]) -> float:
    """Return microseconds per event."""
    played = Played(events(pod))
    cache: Cache[PodView] = Cache(index=lambda view: view.owner_uid)
    cache.listen(lambda old, new: None)
    decoder = Decoder(RawPod, observe.view)
    informer = Informer(cast(ApiClient, played), PODS, "", decoder, cache)
    running = asyncio.create_task(informer.run())
    await played.done.wait()
    running.cancel()
    if informer.events != PODS_KNOWN * ROUNDS or len(cache) != PODS_KNOWN:
        raise AssertionError(f"{informer.events} events, {len(cache)} pods: not all was taken over")
    return played.seconds / (PODS_KNOWN * ROUNDS) * 1e6


if __name__ == "__main__":
    print(asyncio.run(measure(json.load(sys.stdin))))
