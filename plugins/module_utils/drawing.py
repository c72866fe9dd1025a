"""Draw boxes, words, arrows and signs as SVG. Pure; the style sheet gives the classes their looks.

A sign tells a state by its shape: full, half, crossed, or an empty dashed square.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ansible.module_utils.markup import Attributes, Child, Markup, tag

OK, WAITING, BAD, GONE = "ok", "waiting", "bad", "gone"
SIGN = 13  # pixels of a side


@dataclass(slots=True)
class Drawing:
    """What was drawn so far; ``head`` is the id of the marker at the end of its arrows."""

    head: str = ""
    parts: list[Markup] = field(default_factory=list)

    def rect(self, x: float, y: float, width: float, height: float, kind: str) -> None:
        """Draw a box of a class of the style sheet."""
        self.parts.append(box(x, y, width, height, kind))

    def text(self, x: float, y: float, text: str, kind: str = "", end: bool = False) -> None:
        """Write a line; with ``end`` it ends at ``x``."""
        self.parts.append(words(x, y, text, kind, end))

    def arrow(self, path: str, label: str, x: float, y: float) -> None:
        """Draw a line with a head, and a word beside it where there is one."""
        attributes = {"class": "edge", "d": path, "marker-end": f"url(#{self.head})"}
        self.parts.append(tag("path", attributes))
        if label:
            self.text(x, y, label, "word")

    def link(self, href: str, label: str, draw: Callable[[Drawing], None]) -> None:
        """Draw something that leads to a place of the page, and is read as ``label``."""
        inner = Drawing()
        draw(inner)
        self.parts.append(tag("a", {"href": href, "aria-label": label}, inner.parts))


def mark(state: str, x: float, y: float, side: float = SIGN) -> Markup:
    """Return the sign of a state: full, half, crossed, or an empty dashed square."""
    square = box(x, y, side, side, f"chip {state}", 3)
    if state == WAITING:
        half = f"M{x} {y + side}V{y}L{x + side} {y + side}z"
        return tag("g", {}, square, tag("path", {"class": "chip-half", "d": half}))
    if state == BAD:
        a, b, c, d = x + 3.5, x + side - 3.5, y + 3.5, y + side - 3.5
        cross = f"M{a} {c}L{b} {d}M{b} {c}L{a} {d}"
        return tag("g", {}, square, tag("path", {"class": "chip-cross", "d": cross}))
    return square


def box(x: float, y: float, width: float, height: float, kind: str, radius: int = 6) -> Markup:
    """Return a box with round corners."""
    radius = 2 if kind.startswith("meter") else radius
    attributes: Attributes = {
        "class": kind,
        "x": float(x),
        "y": float(y),
        "width": float(width),
        "height": float(height),
        "rx": radius,
    }
    return tag("rect", attributes)


def words(x: float, y: float, text: Child, kind: str = "", end: bool = False) -> Markup:
    """Return a line of text that begins, or with ``end`` ends, at ``x``."""
    attributes: Attributes = {
        "class": f"{kind} end" if end else kind or None,
        "x": float(x),
        "y": float(y),
    }
    return tag("text", attributes, text)


def cut(text: str, characters: int) -> str:
    """Return a text in at most so many characters."""
    return text if len(text) <= characters else f"{text[: max(1, characters - 1)]}…"
