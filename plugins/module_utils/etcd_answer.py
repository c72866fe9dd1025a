"""Read etcd's answer to a transaction, key by key, while it comes.

etcdctl writes it as protobuf: no Base64, and it can be read without having been read whole.
https://github.com/etcd-io/etcd/blob/main/api/etcdserverpb/rpc.proto

Invariant: no more than one key and its value is held.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from ansible.module_utils.etcd_question import EtcdError, key_text

# Fields by number and wire type, of the messages that lead to a key.
_HEADER, _RESPONSE, _RANGE = 1 << 3 | 2, 3 << 3 | 2, 1 << 3 | 2  # TxnResponse, ResponseOp
_PAIR, _MORE, _COUNT = 2 << 3 | 2, 3 << 3, 4 << 3  # RangeResponse
_REVISION = 3 << 3  # ResponseHeader
_KEY, _CREATED, _MODIFIED, _VERSION, _VALUE, _LEASE = 10, 16, 24, 32, 42, 48  # KeyValue


@dataclass(frozen=True, slots=True)
class Entry:
    """One key as etcd holds it; ``raw`` is empty where only keys were asked for."""

    key: str
    create_revision: int
    mod_revision: int
    version: int
    lease: int
    raw: bytes


class Answer:
    """An iterator of entries; when it has ended, what there is beside them.

    ``revision`` is that at which etcd answered, ``total`` counts what a limit left out, too, and
    ``more`` says whether a limit left something out.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._position = 0
        self.revision = 0
        self.total = 0
        self.more = False

    def __iter__(self) -> Iterator[Entry]:
        while (tag := self._varint(at_end=True)) is not None:
            if tag == _HEADER:
                self._header(self._end())
            elif tag == _RESPONSE:
                yield from self._response(self._end())
            else:
                self._skip(tag)

    def _header(self, end: int) -> None:
        while self._position < end:
            tag = self._number()
            if tag == _REVISION:
                self.revision = self._number()
            else:
                self._skip(tag)

    def _response(self, end: int) -> Iterator[Entry]:
        while self._position < end:
            tag = self._number()
            if tag == _RANGE:
                yield from self._range(self._end())
            else:
                self._skip(tag)

    def _range(self, end: int) -> Iterator[Entry]:
        while self._position < end:
            tag = self._number()
            if tag == _PAIR:
                yield _entry(self._take(self._number()))
            elif tag == _COUNT:
                self.total += self._number()
            elif tag == _MORE:
                self.more = bool(self._number()) or self.more
            else:
                self._skip(tag)

    def _end(self) -> int:
        size = self._number()
        return self._position + size

    def _number(self) -> int:
        number = self._varint()
        if number is None:
            raise _cut_short()
        return number

    def _varint(self, *, at_end: bool = False) -> int | None:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._file.read(1)
            if not byte:
                if at_end and not shift:
                    return None
                raise _cut_short()
            self._position += 1
            value |= (byte[0] & 0x7F) << shift
            if byte[0] < 128:
                return value
        raise EtcdError("etcdctl's answer is not one: a number in it is longer than 64 bits")

    def _take(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) < size:
            raise _cut_short()
        self._position += size
        return data

    def _skip(self, tag: int) -> None:
        wire = tag & 7
        if wire == 0:
            self._number()
        elif wire == 2:
            self._take(self._number())
        else:
            raise EtcdError("etcdctl's answer is not one: it is no protobuf of etcd's")


def _cut_short() -> EtcdError:
    return EtcdError("etcdctl's answer was cut short; ask again, or for less at once")


def _entry(data: bytes) -> Entry:
    """Return a KeyValue; what etcd leaves out is zero."""
    numbers, texts = {_CREATED: 0, _MODIFIED: 0, _VERSION: 0, _LEASE: 0}, {_KEY: b"", _VALUE: b""}
    at, end = 0, len(data)
    while at < end:
        tag = data[at]  # all of KeyValue's take one byte
        value = shift = 0
        while True:
            at += 1
            value |= (data[at] & 0x7F) << shift
            shift += 7
            if data[at] < 128:
                break
        at += 1
        if tag in numbers:
            numbers[tag] = value
        elif tag in texts:
            texts[tag] = data[at : at + value]
            at += value
    return Entry(
        key=key_text(texts[_KEY]),
        create_revision=numbers[_CREATED],
        mod_revision=numbers[_MODIFIED],
        version=numbers[_VERSION],
        lease=numbers[_LEASE],
        raw=texts[_VALUE],
    )
