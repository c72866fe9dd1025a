"""What is asked of etcd: ranges of keys, as one transaction of reads.

Keys are bytes. As text they are UTF-8, with ``\\xff`` for what is not, or cannot be printed, and
``\\\\`` for a backslash; every key has one such text, and is found by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

MOST_RANGES = 128  # operations that etcd takes in a transaction, by default
SORTS = {"key": "KEY", "created": "CREATE", "modified": "MODIFY", "version": "VERSION"}

_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(\\)|)")


class EtcdError(Exception):
    """etcd cannot be read; the message says what was tried, and what to do."""


def key_text(key: bytes) -> str:
    """Return a key as text."""
    text = key.replace(b"\\", b"\\\\").decode(errors="backslashreplace")
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char.encode()) for char in text)


def key_bytes(text: str) -> bytes:
    """Return the key that a text stands for. Errors: EtcdError."""

    def plain(found: re.Match[bytes]) -> bytes:
        if found[1]:
            return bytes.fromhex(found[1].decode())
        if found[2]:
            return b"\\"
        raise EtcdError(
            f"not a key: {text!r}; write \\\\ for a backslash, and \\x with two digits for a byte"
        )

    return _ESCAPE.sub(plain, text.encode())


def _escaped(data: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in data)


@dataclass(frozen=True, slots=True, order=True)
class Range:
    """The keys from ``start`` up to, but not with, ``end``; without an end to the last one."""

    start: bytes
    end: bytes

    @classmethod
    def key(cls, text: str) -> Range:
        """Return the range of one key."""
        key = key_bytes(text)
        return cls(key, key + b"\0")

    @classmethod
    def prefix(cls, text: str) -> Range:
        """Return the range of all keys that begin so."""
        start = key_bytes(text)
        stem = start.rstrip(b"\xff")
        return cls(start, stem[:-1] + bytes([stem[-1] + 1]) if stem else b"")

    @classmethod
    def between(cls, start: str, end: str) -> Range:
        """Return a range by its ends; one that is "" is where the keys begin or end."""
        found = cls(key_bytes(start) or b"\0", key_bytes(end))
        if found.end and found.end <= found.start:
            raise EtcdError(f"no key is from {start!r} and before {end!r}; give them in order")
        return found

    def after(self, key: str) -> Range | None:
        """Return what of the range is after a key; None where nothing is."""
        start = max(self.start, key_bytes(key) + b"\0")
        return None if self.end and start >= self.end else Range(start, self.end)


@dataclass(frozen=True, slots=True)
class Question:
    """Which keys are read, how many of each range (0: all), and in which order.

    ``revision`` is that of the past at which they are read; 0 is now.
    """

    ranges: tuple[Range, ...]
    limit: int = 0
    keys_only: bool = False
    revision: int = 0
    sort: str = "key"
    descending: bool = False

    def transaction(self) -> str:
        """Return it in etcdctl's language: no compares, gets, no alternative. Errors: EtcdError."""
        ranges = list(_distinct(self.ranges))
        if not 0 < len(ranges) <= MOST_RANGES:
            raise EtcdError(
                f"{len(ranges)} keys or prefixes are asked for; etcd answers 1 to {MOST_RANGES} at "
                "once: ask for what they have in common"
            )
        options = ["--keys-only"] if self.keys_only else []
        options += [f"--limit={self.limit}"] if self.limit else []
        options += [f"--rev={self.revision}"] if self.revision else []
        if (self.sort, self.descending) != ("key", False):
            order = "DESCEND" if self.descending else "ASCEND"
            options += [f"--sort-by={SORTS[self.sort]}", f"--order={order}"]
        gets = [" ".join(["get", *options, *_words(part)]) for part in ranges]
        return "\n".join(["", *gets, "", "", ""])


def _words(part: Range) -> list[str]:
    if part.end:
        return ["--", _quoted(part.start), _quoted(part.end)]
    return ["--from-key", "--", _quoted(part.start)]


def _quoted(key: bytes) -> str:
    """Return a key as a text of Go, in which nothing can end it, and no line either."""
    plain = b'"\\'
    return (
        '"'
        + "".join(
            chr(byte) if 32 < byte < 127 and byte not in plain else f"\\x{byte:02x}" for byte in key
        )
        + '"'
    )


def _distinct(ranges: Iterable[Range]) -> Iterable[Range]:
    """Yield the ranges in order; those that share keys are one, so that no key comes twice."""
    last: Range | None = None
    for part in sorted(ranges):
        if last is None:
            last = part
        elif not last.end or part.start < last.end:
            open_ended = not (last.end and part.end)
            last = Range(last.start, b"" if open_ended else max(last.end, part.end))
        else:
            yield last
            last = part
    if last is not None:
        yield last
