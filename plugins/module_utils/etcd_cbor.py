"""Decode CBOR (RFC 8949), in which an API server may store custom resources.

Kubernetes writes text as byte strings, and bytes under a tag that says how JSON would show them.
https://github.com/kubernetes/apimachinery/tree/master/pkg/runtime/serializer/cbor

Invariant: what is not well formed raises ValueError; nothing is read past the end.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from typing import Any

from ansible.module_utils.etcd_json import DEEPEST

MAGIC = b"\xd9\xd9\xf7"  # tag 55799, "self-described CBOR": how such a value begins

_BYTES, _TEXT, _OTHER = 2, 3, 7  # major types that are named below
_SIMPLE = {20: False, 21: True, 22: None, 23: None}
_FLOATS = {25: ">e", 26: ">f", 27: ">d"}
_INDEFINITE, _BREAK = 31, 0xFF

_AS_TEXT: dict[int, Callable[[bytes], str]] = {  # by the tags of "expected later encoding"
    21: lambda data: base64.urlsafe_b64encode(data).decode().rstrip("="),
    22: lambda data: base64.b64encode(data).decode(),
    23: bytes.hex,
}


def decode(data: bytes) -> Any:
    """Return the one value that ``data`` holds, as JSON would have it."""
    reader = _Reader(data)
    try:
        value = reader.item(0)
    except (IndexError, struct.error) as error:
        raise ValueError("CBOR ends too early") from error
    if reader.position != len(data):
        raise ValueError(f"{len(data) - reader.position} bytes follow the CBOR value")
    return value


def _text(data: bytes) -> str:
    return data.decode(errors="replace")


class _Reader:
    """A position in the data, moving on with every item that is read."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    def item(self, depth: int, as_text: Callable[[bytes], str] = _text) -> Any:
        """Return the next value, whole; ``as_text`` makes JSON of byte strings in it."""
        if depth > DEEPEST:
            raise ValueError(f"CBOR nests deeper than {DEEPEST} levels")
        major, info = self._head()
        if major == _OTHER:
            return self._simple(info)
        if info == _INDEFINITE:
            return self._indefinite(major, depth, as_text)
        argument = self._argument(info)
        match major:
            case 0:
                return argument
            case 1:
                return -1 - argument
            case 2:  # bytes
                return as_text(self._take(argument))
            case 3:  # text
                return self._take(argument).decode()
            case 4:
                return [self.item(depth + 1, as_text) for _ in range(argument)]
            case 5:
                return dict(self._pair(depth, as_text) for _ in range(argument))
        return self.item(depth + 1, _AS_TEXT.get(argument, as_text))  # a tag

    def _pair(self, depth: int, as_text: Callable[[bytes], str]) -> tuple[str, Any]:
        """Return the next two values: a key as JSON has it, and what is under it."""
        return str(self.item(depth + 1)), self.item(depth + 1, as_text)

    def _indefinite(self, major: int, depth: int, as_text: Callable[[bytes], str]) -> Any:
        """Return a value whose length is not told beforehand; a break byte ends it."""
        match major:
            case 2:
                return as_text(b"".join(self._until_break(lambda: self._chunk(_BYTES))))
            case 3:
                return b"".join(self._until_break(lambda: self._chunk(_TEXT))).decode()
            case 4:
                return self._until_break(lambda: self.item(depth + 1, as_text))
            case 5:
                return dict(self._until_break(lambda: self._pair(depth, as_text)))
        raise ValueError(f"CBOR type {major} has no indefinite length")

    def _until_break(self, read: Callable[[], Any]) -> list[Any]:
        values = []
        while self._data[self.position] != _BREAK:
            values.append(read())
        self.position += 1
        return values

    def _chunk(self, wanted: int) -> bytes:
        """Return the bytes of a part of a string, which has a length and its whole's type."""
        major, info = self._head()
        if major != wanted:
            raise ValueError(f"CBOR type {major} is no part of a string of type {wanted}")
        return self._take(self._argument(info))

    def _head(self) -> tuple[int, int]:
        head = self._data[self.position]
        self.position += 1
        return head >> 5, head & 31

    def _simple(self, info: int) -> Any:
        if info in _FLOATS:
            layout = _FLOATS[info]
            number: float = struct.unpack(layout, self._take(struct.calcsize(layout)))[0]
            if number - number != 0:
                raise ValueError(f"{number} is not a number of JSON")
            return number
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
            raise IndexError
        self.position += count
        return taken
