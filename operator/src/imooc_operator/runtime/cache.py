"""What the operator knows of one resource type, in memory.

Filled by informers (one scope each: a namespace, or "" for all of them) and by the answers to the
operator's own writes. Invariant: for each key the newest version that was seen wins, so a pass
always reads its own writes, whether or not the watch has caught up.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

from .objects import Cached, Key, key_of

T = TypeVar("T", bound=Cached)

Listener = Callable[[T | None, T | None], None]
"""Called with the old and the new version after each change an informer brings."""


class Regression(Exception):
    """The API server spoke of a past this cache has already left behind."""


class Cache(Generic[T]):
    """Objects by key, with an index by a value of the kind's choice."""

    def __init__(self, index: Callable[[T], str] = lambda obj: "") -> None:
        self._index_of = index
        self._objects: dict[Key, T] = {}
        self._index: dict[str, dict[Key, T]] = {}
        self._revisions: dict[str, int] = {}
        self._listeners: list[Listener[T]] = []

    def __len__(self) -> int:
        return len(self._objects)

    def get(self, key: Key) -> T | None:
        """Return the newest version known of `key`."""
        return self._objects.get(key)

    def keys(self) -> list[Key]:
        """Return all keys."""
        return list(self._objects)

    def indexed(self, value: str) -> Sequence[T]:
        """Return the objects whose index value is `value`."""
        return list(self._index.get(value, {}).values())

    def listen(self, listener: Listener[T]) -> None:
        """Call `listener` after each change that an informer brings."""
        self._listeners.append(listener)

    def revision(self, scope: str) -> int:
        """Return how far the informer of `scope` has come; 0 before its first list."""
        return self._revisions.get(scope, 0)

    # Written by informers

    def replace(self, scope: str, objects: Iterable[T], revision: int, *, rewind: bool) -> None:
        """Make `scope` equal to a list taken at `revision`.

        Versions newer than the list are this operator's own writes and stay: the list was on its
        way when they were made. Of the others the list knows better, even where its version is
        older: that is a restored etcd which has moved on since. Raises Regression for a list older
        than what was seen, unless `rewind` accepts that the API server has gone back; then nothing
        stays.
        """
        if revision < self.revision(scope):
            if not rewind:
                raise Regression(f"list at {revision}, but {self.revision(scope)} was seen")
            for obj in self._within(scope):
                self._change(key_of(obj), obj, None)
        listed: dict[Key, T] = {key_of(obj): obj for obj in objects}
        for old in self._within(scope):
            key = key_of(old)
            if key not in listed and old.revision <= revision:
                self._change(key, old, None)
        for key, new in listed.items():
            known = self._objects.get(key)
            if known is None or (known.revision <= revision and known != new):
                self._change(key, known, new)
        self._revisions[scope] = revision

    def apply(self, scope: str, key: Key, uid: str, new: T | None, revision: int) -> None:
        """Take over one watch event: `new` is None when the object is deleted or not ours any more.

        Raises Regression for an event older than one already taken over: order is broken, so
        events may be missing too, and only a new list helps.
        """
        self.progress(scope, revision)
        old = self._objects.get(key)
        if new is None:
            # The end of this very object counts whatever its revision: the answer to our own
            # delete may carry the same one.
            if old is not None and (old.uid == uid or old.revision < revision):
                self._change(key, old, None)
        elif old is None or old.revision < revision:
            self._change(key, old, new)

    def progress(self, scope: str, revision: int) -> None:
        """Note that the watch of `scope` has come to `revision` (an event or a bookmark)."""
        if revision < self.revision(scope):
            raise Regression(f"event at {revision} after {self.revision(scope)}")
        self._revisions[scope] = revision

    # Written from the answers to our own requests

    def learn(self, written: T, scope: str) -> None:
        """Take over the answer to an own write, silently: the writer knows.

        A watch that is already past the write has brought it, and perhaps its deletion too.
        """
        if written.revision <= self.revision(scope):
            return
        key = key_of(written)
        old = self._objects.get(key)
        if old is None or old.revision < written.revision:
            self._store(key, old, written)

    def forget(self, known: T) -> None:
        """Drop an object that the API server says is gone, unless a newer one took its name."""
        key = key_of(known)
        old = self._objects.get(key)
        if old is not None and old.uid == known.uid:
            self._store(key, old, None)

    def _within(self, scope: str) -> list[T]:
        return [obj for obj in self._objects.values() if scope in ("", obj.namespace)]

    def _change(self, key: Key, old: T | None, new: T | None) -> None:
        self._store(key, old, new)
        for listener in self._listeners:
            listener(old, new)

    def _store(self, key: Key, old: T | None, new: T | None) -> None:
        if old is not None and (new is None or self._index_of(old) != self._index_of(new)):
            value = self._index_of(old)
            members = self._index[value]
            del members[key]
            if not members:
                del self._index[value]
        if new is None:
            self._objects.pop(key, None)
            return
        self._objects[key] = new
        value = self._index_of(new)
        if value not in self._index:
            self._index[value] = {}
        self._index[value][key] = new
