"""The pieces that a page is made of: tables, bars, histograms, and words with a sign. Pure.

Each is readable without its picture: a bar has its number, a sign its word.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible.module_utils.markup import Child, Markup, join, tag
from ansible.module_utils.operator_metrics import within
from ansible.module_utils.units import short

Facts = dict[str, Any]


def table(
    caption: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[Child]],
    kind: str | None = None,
) -> Markup:
    """Return a table that scrolls by itself where it is wider than the screen."""
    head = [tag("th", {"scope": "col"}, column) for column in columns]
    lines = [tag("tr", {}, [tag("td", {}, cell) for cell in row]) for row in rows]
    table = tag(
        "table",
        {"class": kind},
        tag("caption", {}, caption),
        tag("thead", {}, tag("tr", {}, head)),
        tag("tbody", {}, lines),
    )
    scroller = {"class": "scroll", "role": "region", "aria-label": caption, "tabindex": "0"}
    return tag("div", scroller, table)


def bars(rows: Sequence[tuple[str, str, float, str]], kind: str = "bars") -> Markup:
    """Return rows of name, note, value and its text as bars of one scale."""
    most = max((value for _, _, value, _ in rows), default=0) or 1
    items = [
        tag(
            "li",
            {},
            tag("span", {"class": "what"}, name, tag("small", {}, note) if note else None),
            tag(
                "span",
                {"class": "track"},
                tag("span", {"class": "span changed", "style": f"width:{100 * value / most:.2f}%"}),
            ),
            tag("span", {"class": "number"}, text),
        )
        for name, note, value, text in rows
    ]
    return tag("ul", {"class": kind}, items)


def histogram(title: str, histogram: Facts) -> Markup:
    """Return the counts between the bounds as bars; bounds that nothing reached are left out."""
    counts, before = [], 0
    for bucket in histogram["buckets"]:
        counts.append((bucket["within"], bucket["count"] - before))
        before = bucket["count"]
    filled = [number for number, (_, count) in enumerate(counts) if count]
    shown = counts[filled[0] : filled[-1] + 1] if filled else []
    most = max((count for _, count in shown), default=0)
    bars = [
        tag(
            "li",
            {},
            tag("span", {"class": "count"}, count),
            tag("span", {"class": "bar", "style": f"height:{max(1, 56 * count // most)}px"}),
            tag("span", {"class": "bound"}, "more" if bound is None else short(bound)),
        )
        for bound, count in shown
    ]
    half, most_of = within(histogram, 0.5), within(histogram, 0.99)
    told = f"half within {short(half)}, 99 % within {short(most_of)}" if half and most_of else ""
    return tag(
        "figure",
        {"aria-label": title},
        tag("figcaption", {}, tag("b", {}, title), " ", told or "nothing yet"),
        tag(
            "ol", {"class": "histogram", "aria-label": f"{title}: how many within each bound"}, bars
        )
        if bars
        else None,
    )


def flag(well: bool | None, word: str) -> Markup:
    """Return a word with the sign of its state."""
    kind = {True: "well", False: "ill", None: "plain"}[well]
    return tag("span", {"class": f"flag {kind}"}, word)


def pair(name: str, value: str) -> Markup:
    """Return one row of a list of facts."""
    return tag("div", {}, tag("dt", {}, name), tag("dd", {}, value))


def more(summary: str, body: Child) -> Markup:
    """Return what is shown when asked for."""
    return tag("details", {}, tag("summary", {}, summary), body)


def nothing(*told: Child) -> Markup:
    """Return why there is nothing to show."""
    return tag("p", {"class": "nothing"}, join(*told))
