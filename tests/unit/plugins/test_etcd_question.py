"""Keys are asked for as they are, whatever they hold; and nothing but reads is asked."""

from __future__ import annotations

import pytest
from ansible.module_utils.etcd_question import (
    EtcdError,
    Question,
    Range,
    _distinct,
    key_bytes,
    key_text,
)
from hypothesis import given
from hypothesis import strategies as st


@given(st.binary())
def test_every_key_has_a_text_that_finds_it(key: bytes) -> None:
    text = key_text(key)
    assert text.isprintable()
    assert key_bytes(text) == key


@pytest.mark.parametrize(
    ("key", "text"),
    [
        (b"/registry/pods/a", "/registry/pods/a"),
        ("/é".encode(), "/é"),
        (b"/\xff\x00\n", "/\\xff\\x00\\x0a"),
        (b"/a\\x41", "/a\\\\x41"),
    ],
)
def test_keys_as_text(key: bytes, text: str) -> None:
    assert key_text(key) == text


@pytest.mark.parametrize("text", ["\\", "\\n", "\\x4", "/a\\xzz"])
def test_a_backslash_that_stands_for_nothing_is_refused(text: str) -> None:
    with pytest.raises(EtcdError, match="not a key"):
        key_bytes(text)


@given(st.binary(min_size=1, max_size=4), st.binary(max_size=6))
def test_a_prefix_is_the_range_of_all_that_begins_so(prefix: bytes, key: bytes) -> None:
    found = Range.prefix(key_text(prefix))
    inside = found.start <= key and (not found.end or key < found.end)
    assert inside == key.startswith(prefix)


def test_the_transaction_has_gets_only() -> None:
    ranges = (Range.prefix("/b/"), Range.key("/a"), Range.prefix("/b/c"), Range.between("/x", ""))
    question = Question(ranges, 5, True, 7, "modified", True)
    options = "--keys-only --limit=5 --rev=7 --sort-by=MODIFY --order=DESCEND"
    assert question.transaction() == (
        f'\nget {options} -- "/a" "/a\\x00"\n'
        f'get {options} -- "/b/" "/b0"\n'
        f'get {options} --from-key -- "/x"\n\n\n'
    )


def test_no_key_ends_the_line_or_the_text_it_is_in() -> None:
    asked = Question((Range.prefix('/a"\n\ndel "/'),)).transaction().strip()
    assert asked == 'get -- "/a\\x22\\x0a\\x0adel\\x20\\x22/" "/a\\x22\\x0a\\x0adel\\x20\\x220"'


RANGES = st.lists(
    st.builds(Range.prefix, st.sampled_from(["/", "/a", "/a/b", "/b", "\\xff", "/a\\xff"]))
    | st.builds(Range.key, st.sampled_from(["/a", "/a/b", "/b", "\\xff"])),
    min_size=1,
)


@given(
    RANGES, st.sampled_from([b"/", b"/a", b"/a/b", b"/a/b/c", b"/a\xff\xff", b"/b", b"\xff", b"0"])
)
def test_a_key_of_several_ranges_is_asked_for_once(ranges: list[Range], key: bytes) -> None:
    def holding(parts: list[Range]) -> int:
        return sum(part.start <= key and (not part.end or key < part.end) for part in parts)

    assert holding(list(_distinct(ranges))) == min(holding(ranges), 1)


def test_after_a_page_comes_the_rest() -> None:
    part = Range.prefix("/a/")
    assert part.after("/a/x") == Range(b"/a/x\0", b"/a0")
    assert part.after("/A") == part
    assert part.after("/b") is None


@pytest.mark.parametrize(
    ("ranges", "words"), [((), "0 keys"), (tuple(Range.key(f"/{n}") for n in range(129)), "129")]
)
def test_more_than_etcd_takes_at_once_is_refused(ranges: tuple[Range, ...], words: str) -> None:
    with pytest.raises(EtcdError, match=words):
        Question(ranges).transaction()


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(EtcdError, match="give them in order"):
        Range.between("/b", "/a")
