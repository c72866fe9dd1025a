"""Read what the project's Markdown pages promise: commands, the output they show, links.

A page shows a command in a fenced ``bash`` block; a ``text`` block after it shows lines of what the
command prints. Nothing else is executable, so nothing has to be marked.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]

_FENCE = re.compile(r"^\s*```(?P<language>\w*)\s*$")
_LINK = re.compile(r"\]\((?P<markdown>[^)\s]+)\)|\b(?:src|href)=\"(?P<html>[^\"]+)\"")
_CODE_SPAN = re.compile(r"`[^`]*`")
_HEADING = re.compile(r"^#+\s+(?P<text>.*?)\s*$")


@dataclass(frozen=True)
class Block:
    """A fenced block, and where its text begins."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(PROJECT)}:{self.line}"


@dataclass(frozen=True)
class Example:
    """Commands of a page and the output that the page shows for them, if any."""

    commands: Block
    shown: Block | None


def tracked(*patterns: str) -> list[Path]:
    """Return the files that git tracks and that still exist, by path."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", *patterns],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [path for name in listed.split("\0") if name and (path := PROJECT / name).is_file()]


def blocks(page: Path) -> list[Block]:
    """Return the fenced blocks of a page in order."""
    found: list[Block] = []
    opened: tuple[int, str] | None = None
    lines = page.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        fence = _FENCE.match(line)
        if fence is None:
            continue
        if opened is None:
            opened = (number + 1, fence["language"])
        else:
            first, language = opened
            found.append(Block(page, first, language, "\n".join(lines[first - 1 : number - 1])))
            opened = None
    if opened is not None:
        raise ValueError(f"{page}:{opened[0] - 1}: the block is never closed")
    return found


def examples(page: Path) -> list[Example]:
    """Return the commands of a page in order, each with the output shown after it."""
    found: list[Example] = []
    for block in blocks(page):
        if block.language == "bash":
            found.append(Example(block, None))
        elif block.language == "text" and found and found[-1].shown is None:
            found[-1] = Example(found[-1].commands, block)
    return found


def links(page: Path) -> Iterator[tuple[int, str]]:
    """Yield line and target of each link outside code."""
    for number, line in _prose(page):
        for link in _LINK.finditer(_CODE_SPAN.sub("", line)):
            yield number, link["markdown"] or link["html"]


def anchors(page: Path) -> set[str]:
    """Return what a link to a heading of the page may name, as GitHub derives it."""
    headings = (_HEADING.match(line) for _, line in _prose(page))
    texts = (heading["text"].lower() for heading in headings if heading)
    return {re.sub(r"[^\w\- ]", "", text).replace(" ", "-") for text in texts}


def levels(page: Path) -> list[int]:
    """Return the level of each heading in order: what a translation has in common with its twin."""
    headings = (_HEADING.match(line) for _, line in _prose(page))
    return [len(heading[0].split()[0]) for heading in headings if heading]


def _prose(page: Path) -> Iterator[tuple[int, str]]:
    inside = False
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        if _FENCE.match(line):
            inside = not inside
        elif not inside:
            yield number, line
