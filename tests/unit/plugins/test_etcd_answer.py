"""An answer is read key by key, and one that is cut short is not taken for whole."""

from __future__ import annotations

import contextlib
import io

import pytest
from ansible.module_utils.etcd_answer import Answer, Entry
from ansible.module_utils.etcd_question import EtcdError
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.plugins import etcd_samples as samples


def number(field: int, value: int) -> bytes:
    """Return a number as a field."""
    return samples.varint(field << 3) + samples.varint(value)


def pair(key: bytes, value: bytes) -> bytes:
    """Return a key and its value as etcd tells them."""
    numbers = number(2, 300) + number(3, 400) + number(4, 5) + number(6, 7)
    return samples.field(1, key) + numbers + samples.field(5, value)


def ranged(*pairs: bytes, count: int, more: bool = False) -> bytes:
    """Return the answer to one get."""
    inside = b"".join(samples.field(2, one) for one in pairs)
    inside += (number(3, 1) if more else b"") + number(4, count)
    return samples.field(3, samples.field(1, inside))


HEADER = samples.field(1, number(1, 2**63) + number(2, 1) + number(3, 999) + number(4, 2))
PARTS = [
    HEADER,
    number(2, 1),
    ranged(pair(b"/a", b"one"), pair(b"/\xff", b"x" * 300), count=9, more=True),
    ranged(pair(b"/b", b""), count=1),
]
WHOLE = b"".join(PARTS)
BETWEEN = {len(b"".join(PARTS[:count])) for count in range(len(PARTS))}  # where a part ends


def test_all_of_it_is_told() -> None:
    answer = Answer(io.BytesIO(WHOLE))
    assert list(answer) == [
        Entry("/a", 300, 400, 5, 7, b"one"),
        Entry("/\\xff", 300, 400, 5, 7, b"x" * 300),
        Entry("/b", 300, 400, 5, 7, b""),
    ]
    assert (answer.revision, answer.total, answer.more) == (999, 10, True)


@given(st.integers(0, len(WHOLE) - 1))
def test_an_answer_that_is_cut_within_a_part_is_an_error(length: int) -> None:
    cut = Answer(io.BytesIO(WHOLE[:length]))
    if length in BETWEEN:
        assert len(list(cut)) < 3
    else:
        with pytest.raises(EtcdError, match="cut short"):
            list(cut)


@given(st.binary(max_size=100))
def test_what_is_no_answer_is_an_error_and_no_crash(data: bytes) -> None:
    with contextlib.suppress(EtcdError):
        assert all(isinstance(entry, Entry) for entry in Answer(io.BytesIO(data)))


def test_the_first_key_is_told_before_the_last_has_come() -> None:
    class Pipe(io.BytesIO):
        """Fails when it is read to its end."""

        def read(self, size: int | None = -1, /) -> bytes:
            data = super().read(size)
            assert self.tell() < len(WHOLE) - 20
            return data

    assert next(iter(Answer(Pipe(WHOLE)))).key == "/a"


@pytest.mark.parametrize("data", [b"\x0b", b"\xff" * 11], ids=["group", "long number"])
def test_what_is_no_protobuf_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(EtcdError, match="not one"):
        list(Answer(io.BytesIO(data)))
