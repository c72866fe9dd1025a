"""Decode JSON as Go would: strictly, and never deeper than what comes after can follow.

Invariant: what is returned can be written as JSON and as YAML; anything else is a ValueError.
"""

from __future__ import annotations

import json
from typing import Any

DEEPEST = 200  # levels; a definition of a custom resource has some 40, and recursion ends at 1000

_NOT_BRACKETS = bytes(byte for byte in range(256) if byte not in b"[{")


def decode(raw: bytes) -> Any:
    """Return the one value that ``raw`` holds."""
    try:
        value = _DECODER.decode(raw.decode())
    except RecursionError as error:
        raise ValueError("JSON nests too deep") from error
    if b"\\u" in raw:
        value = _without_lone_surrogates(value)
    if len(raw.translate(None, _NOT_BRACKETS)) > DEEPEST:  # only then it can be too deep
        _check_depth(value)
    return value


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, (dict, list))
        ]
        if not level:
            return
    raise ValueError(f"JSON nests deeper than {DEEPEST} levels")


def _without_lone_surrogates(value: Any) -> Any:
    """Put U+FFFD where an escape names half a character, which no UTF-8 can hold."""
    text = json.dumps(value, ensure_ascii=False)
    return json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))


def _finite(text: str) -> float:
    number = float(text)
    if number - number != 0:
        raise ValueError(f"{text} is not a number of JSON")
    return number


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_finite)
