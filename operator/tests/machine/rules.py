"""What the rules of the machine share: a world, and ways to act in it."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize

from machine.world import World
from support.store import Object
from support.virtual import virtual_loop

T = TypeVar("T")

WAITS = st.sampled_from((0.0, 0.0, 0.001, 0.01, 0.3, 3.0, 40.0, 200.0))
"""Seconds that pass after a step: from less than a request takes to more than a watch lives."""

PICKS = st.integers(0, 9)
"""Which of several things, counted round."""

REPLICAS = st.integers(0, 4)


def pick(things: Sequence[T], number: int) -> T:
    return things[number % len(things)]


class Rules(RuleBasedStateMachine):
    """How every example begins."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = virtual_loop()
        self._world = World(self._loop.time)

    @initialize(
        kind=st.sampled_from(("one", "one", "two that elect", "two that do not know")),
        streams=st.booleans(),
    )
    def begin(self, kind: str, streams: bool) -> None:
        world = self._world
        world.conditions.streams = streams
        world.elects = kind == "two that elect"

        async def start() -> None:
            world.start()
            if kind != "one":
                world.start()

        self._run(start())

    def _run(self, action: Coroutine[Any, Any, None]) -> None:
        self._loop.run_until_complete(action)

    def _pass(self, seconds: float) -> None:
        self._world.store.collect()
        self._run(asyncio.sleep(seconds))

    def _change(self, cr: Object, spec: Object) -> None:
        self._world.change(cr["metadata"]["namespace"], cr["metadata"]["name"], spec)

    def _delete_pod(self, pod: Object, *, graceful: bool) -> None:
        meta = pod["metadata"]
        self._world.doomed.pop(meta["uid"], None)
        options = {} if graceful else {"gracePeriodSeconds": 0}
        self._world.store.delete("pods", meta["namespace"], meta["name"], options)

    def _patch_pod(self, pod: Object, body: Object) -> None:
        meta = pod["metadata"]
        self._world.store.patch("pods", meta["namespace"], meta["name"], body, "")
