"""Virtual time: a test that waits for an hour takes no longer than its computations."""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, ParamSpec, TypeVarTuple

import looptime

P = ParamSpec("P")
Args = TypeVarTuple("Args")


TICK = 1e-6
"""Seconds between two moments that the virtual clock can tell apart."""


class _Loop(asyncio.SelectorEventLoop):
    """Puts off a timer that is due within the present tick to the next.

    The clock would not move for it, and whoever waits for that moment would wait for ever.
    """

    def call_at(
        self,
        when: float,
        callback: Callable[[*Args], object],
        *args: *Args,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        late = max(when, self.time() + 2 * TICK)
        return super().call_at(late, callback, *args, context=context)


def virtual_loop() -> asyncio.AbstractEventLoop:
    """Return an event loop whose clock starts at 0 and jumps over every wait."""
    loop: asyncio.AbstractEventLoop = looptime.patch_event_loop(_Loop())
    return loop


def virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run the async `test` on an event loop whose clock starts at 0 and jumps over every wait."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        # Not asyncio.Runner: it changes the current loop, which pytest-asyncio looks at afterwards.
        loop = virtual_loop()
        try:
            loop.run_until_complete(test(*args, **kwargs))
        finally:
            loop.close()

    return run


def now() -> float:
    """Return the virtual time."""
    return round(asyncio.get_running_loop().time(), 6)
