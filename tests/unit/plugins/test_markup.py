"""Markup: what is text stays text."""

from __future__ import annotations

import pytest
from ansible.module_utils.markup import Markup, join, tag


@pytest.mark.parametrize(
    ("written", "text"),
    [
        (tag("p", {}, "a < b & c"), "<p>a &lt; b &amp; c</p>"),
        (tag("p", {}, tag("b", {}, 3), None, [" ", "x"]), "<p><b>3</b> x</p>"),
        (tag("a", {"title": "\"'<"}, "x"), '<a title="&quot;&#x27;&lt;">x</a>'),
        (tag("a", {"x": None, "y": False, "z": True}), "<a z></a>"),
        (tag("rect", {"x": 1.0, "y": 2.5}), '<rect x="1" y="2.5"/>'),
        (join("<", Markup("<i>")), "&lt;<i>"),
    ],
)
def test_text_is_escaped_and_markup_is_not(written: Markup, text: str) -> None:
    assert str(written) == text
