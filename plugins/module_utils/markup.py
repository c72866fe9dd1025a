"""Write HTML and SVG. Invariant: what is not `Markup` is text, and is escaped; so nothing that a
cluster holds, such as a name or a message, can become an element of a page.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from typing import TypeAlias

_EMPTY = frozenset({"meta", "br", "rect", "path", "circle", "line"})  # elements without an end


class Markup(str):
    """Text that is markup already."""

    __slots__ = ()


Child: TypeAlias = "str | int | Iterable[Child] | None"
Attributes: TypeAlias = Mapping[str, "str | float | bool | None"]


def tag(name: str, attributes: Attributes | None = None, *children: Child) -> Markup:
    """Return an element. An attribute that is None or False is left out, True has no value."""
    head = f"<{name}{''.join(_attribute(*item) for item in (attributes or {}).items())}"
    if name in _EMPTY:
        return Markup(f"{head}/>")  # which SVG asks for, and HTML allows
    return Markup(f"{head}>{join(*children)}</{name}>")


def join(*children: Child) -> Markup:
    """Return children one after the other: markup as it is, text escaped, None left out."""
    parts = []
    for child in children:
        if child is None:
            continue
        if isinstance(child, Markup):
            parts.append(child)
        elif isinstance(child, str | int):
            parts.append(Markup(html.escape(str(child))))
        else:
            parts.append(join(*child))
    return Markup("".join(parts))


def _attribute(name: str, value: str | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    if value is True:
        return f" {name}"
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return f' {name}="{html.escape(text)}"'
