"""Doing one thing to many items, at the pace that failures allow.

Invariant: every call that was started has ended when the function returns or raises.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


async def slow_start(items: Sequence[T], act: Callable[[T], Awaitable[None]]) -> None:
    """Act on 1, 2, 4, 8, … items at once; stop after the first batch with a failure and raise it.

    A quota or an admission rule that refuses one refuses all: this meets it with few requests.
    """
    done, size = 0, 1
    while done < len(items):
        batch = items[done : done + size]
        await in_parallel(batch, act)
        done += len(batch)
        size *= 2


async def in_parallel(items: Sequence[T], act: Callable[[T], Awaitable[None]]) -> None:
    """Act on all of one item or more at once; raise the first failure when all have ended."""
    loop = asyncio.get_running_loop()
    # The first needs no task of its own: this one is free.
    others = [loop.create_task(_outcome(act, item)) for item in items[1:]]
    try:
        outcomes = [await _outcome(act, items[0]), *[await task for task in others]]
    except BaseException:
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        raise
    for outcome in outcomes:
        if outcome is not None:
            raise outcome


async def _outcome(act: Callable[[T], Awaitable[None]], item: T) -> Exception | None:
    try:
        await act(item)
    except Exception as error:
        return error
    return None
