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
    """Act on all items at once; raise the first failure when all have ended."""
    if len(items) == 1:
        await act(items[0])
        return
    outcomes = await asyncio.gather(*(act(item) for item in items), return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
