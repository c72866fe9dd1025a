"""Virtual time: a test that waits for an hour takes no longer than its computations."""

import asyncio
import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec

import looptime

P = ParamSpec("P")


def virtual_time(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run the async `test` on an event loop whose clock starts at 0 and jumps over every wait."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        # Not asyncio.Runner: it changes the current loop, which pytest-asyncio looks at afterwards.
        loop = looptime.new_event_loop()
        try:
            loop.run_until_complete(test(*args, **kwargs))
        finally:
            loop.close()

    return run


def now() -> float:
    """Return the virtual time."""
    return round(asyncio.get_running_loop().time(), 6)
