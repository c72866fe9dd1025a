"""Decode CBOR (RFC 8949), in which an API server may store custom resources.

Invariant: what is not well formed raises ValueError; nothing is read past the end.
"""

from __future__ import annotations

import base64
import struct
from typing import Any

MAGIC = b"\xd9\xd9\xf7"  # tag 55799, "self-described CBOR": how such a value begins

_SIMPLE = {20: False, 21: True, 22: None, 23: None}
_FLOATS = {25: ">e", 26: ">f", 27: ">d"}
_INDEFINITE, _BREAK = 31, 0xFF


def decode(data: bytes) -> Any:
    """Return the one value that ``data`` holds, as JSON would have it: bytes become base64."""
    reader = _Reader(data)
    try:
        value = reader.item()
    except (IndexError, struct.error, RecursionError) as error:
        raise ValueError(f"CBOR ends too early or nests too deep: {error}") from error
    if reader.position != len(data):
        raise ValueError(f"{len(data) - reader.position} bytes follow the CBOR value")
    return value


class _Reader:
    """A position in the data, moving on with every item that is read."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    def item(self) -> Any:
        """Return the next value, whole."""
        head = self._data[self.position]
        self.position += 1
        major, info = head >> 5, head & 31
        if major == 7:
            return self._simple(info)
        if info == _INDEFINITE:
            return self._indefinite(major)
        argument = self._argument(info)
        match major:
            case 0:
                return argument
            case 1:
                return -1 - argument
            case 2:
                return base64.b64encode(self._take(argument)).decode()
            case 3:
                return self._take(argument).decode()
            case 4:
                return [self.item() for _ in range(argument)]
            case 5:
                return {self._key(): self.item() for _ in range(argument)}
        return self.item()  # a tag says what the value means; here the value itself is enough

    def _key(self) -> str:
        """Return the next value as the key of a JSON object; Kubernetes' are bytes or text."""
        start = self.position
        key = self.item()
        if self._data[start] >> 5 == 2:
            return base64.b64decode(key).decode()
        return str(key)

    def _indefinite(self, major: int) -> Any:
        """Return a value whose length is not told beforehand; a break byte ends it."""
        if major not in (2, 3, 4, 5):
            raise ValueError(f"CBOR type {major} has no indefinite length")
        values: list[Any] = []
        while self._data[self.position] != _BREAK:
            values.append((self._key(), self.item()) if major == 5 else self.item())
        self.position += 1
        match major:
            case 2:
                return base64.b64encode(b"".join(map(base64.b64decode, values))).decode()
            case 3:
                return "".join(values)
            case 5:
                return dict(values)
        return values

    def _simple(self, info: int) -> Any:
        if info in _FLOATS:
            layout = _FLOATS[info]
            return struct.unpack(layout, self._take(struct.calcsize(layout)))[0]
        if info not in _SIMPLE:
            raise ValueError(f"CBOR simple value {info} means nothing in JSON")
        return _SIMPLE[info]

    def _argument(self, info: int) -> int:
        """Return the number in or after a head byte."""
        if info < 24:
            return info
        if info > 27:
            raise ValueError(f"CBOR length {info} is reserved")
        return int.from_bytes(self._take(1 << (info - 24)), "big")

    def _take(self, count: int) -> bytes:
        taken = self._data[self.position : self.position + count]
        if len(taken) < count:
            raise IndexError(f"{count} bytes wanted, {len(taken)} left")
        self.position += count
        return taken
