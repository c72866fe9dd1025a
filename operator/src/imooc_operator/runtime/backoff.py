"""How long to wait before the next attempt.

Invariant: delays grow by a factor of two from `base` to `cap` and start over after a success.
"""

import random
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class KeyedBackoff(Generic[K]):
    """Exponential delay per key, as client-go's item rate limiter: 5 ms doubling to 1000 s."""

    def __init__(self, base: float = 0.005, cap: float = 1000.0) -> None:
        self._base = base
        self._cap = cap
        self._failures: dict[K, int] = {}

    def next(self, key: K) -> float:
        """Return the seconds to wait after one more failure of `key`."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        return min(self._cap, self._base * 2.0 ** min(failures, 64))

    def failures(self, key: K) -> int:
        """Return how often `key` has failed in a row."""
        return self._failures.get(key, 0)

    def forget(self, key: K) -> None:
        """Start over: `key` succeeded or is gone."""
        self._failures.pop(key, None)


class Backoff:
    """Exponential delay of one loop, with jitter so that many operators do not retry as one."""

    def __init__(self, base: float = 0.1, cap: float = 30.0, jitter: float = 0.5) -> None:
        self._keyed = KeyedBackoff[None](base, cap)
        self._jitter = jitter

    def next(self) -> float:
        """Return the seconds to wait after one more failure."""
        spread = 1.0 + self._jitter * random.random()  # noqa: S311 - spreads load, guards nothing
        return self._keyed.next(None) * spread

    def reset(self) -> None:
        """Start over after a success."""
        self._keyed.forget(None)
