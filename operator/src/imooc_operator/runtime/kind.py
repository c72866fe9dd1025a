"""What a kind brings, so that the runtime can serve it without knowing it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from imooc_operator.client.api import Resource

from .cache import Cache
from .controller import Result
from .informer import Decoder
from .objects import Cached, Key, RawObject

R = TypeVar("R", bound=RawObject)
T = TypeVar("T", bound=Cached)


@dataclass(frozen=True, slots=True)
class Watch(Generic[R, T]):
    """A resource type that a kind follows, and whose key to look at when one object changes."""

    resource: Resource
    decoder: Decoder[R, T]
    cache: Cache[T]
    key: Callable[[T], Key]


class Kind(Protocol):
    """One custom kind: what it watches, and how it brings one key to what its spec says."""

    @property
    def name(self) -> str:
        """The name in logs and metrics."""
        ...

    @property
    def watches(self) -> Sequence[Watch[Any, Any]]:
        """What to follow; the first is the kind itself, whose keys a resync goes through."""
        ...

    async def reconcile(self, key: Key) -> Result:
        """Make one pass; safe to repeat at any time, by anyone."""
        ...
