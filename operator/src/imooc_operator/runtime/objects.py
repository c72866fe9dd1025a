"""The part of any Kubernetes object that the runtime works with.

Invariant: decoding never fails on fields it does not know, and keeps none of them.
"""

from typing import Generic, Protocol, TypeVar

import msgspec

Key = str
"""`namespace/name`."""


class Cached(Protocol):
    """What a cache must know of an object it holds."""

    @property
    def namespace(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def uid(self) -> str: ...
    @property
    def revision(self) -> int:
        """resourceVersion as a number: comparable within one resource type (KEP-5504)."""
        ...


class OwnerReference(msgspec.Struct, rename="camel", gc=False):
    """A reference to the object that owns this one."""

    api_version: str = ""
    kind: str = ""
    name: str = ""
    uid: str = ""
    controller: bool = False


class ObjectMeta(msgspec.Struct, rename="camel", gc=False):
    """The metadata the operator reads."""

    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str = ""
    deletion_timestamp: str | None = None
    annotations: dict[str, str] | None = None
    owner_references: list[OwnerReference] | None = None

    @property
    def revision(self) -> int:
        """resourceVersion as a number; 0 when there is none."""
        return int(self.resource_version or 0)

    def controller(self) -> OwnerReference | None:
        """Return the one owner reference that controls the object."""
        return next((ref for ref in self.owner_references or () if ref.controller), None)


class RawObject(Protocol):
    """A decoded object before a kind makes its view of it."""

    @property
    def metadata(self) -> ObjectMeta: ...


R = TypeVar("R")


class ListMeta(msgspec.Struct, rename="camel"):
    """Where a list stands and where its next page begins."""

    resource_version: str = ""
    continue_: str = msgspec.field(name="continue", default="")


class ObjectList(msgspec.Struct, Generic[R]):
    """One page of a list."""

    metadata: ListMeta
    items: list[R]


class WatchEvent(msgspec.Struct, Generic[R], gc=False):
    """One line of a watch."""

    type: str
    object: R


class EventType(msgspec.Struct):
    """A line of a watch without its object."""

    type: str
    object: msgspec.Raw


def key_of(obj: Cached) -> Key:
    """Return `namespace/name`."""
    return f"{obj.namespace}/{obj.name}"


def split_key(key: Key) -> tuple[str, str]:
    """Return namespace and name."""
    namespace, _, name = key.partition("/")
    return namespace, name
