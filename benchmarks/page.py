"""The parts of benchmarks/README.md that are written from results."""

from __future__ import annotations

from pathlib import Path

PAGE = Path(__file__).with_name("README.md")


def rewrite(name: str, text: str) -> None:
    """Put `text` between the markers `<!-- name:begin -->` and `<!-- name:end -->`."""
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    page = PAGE.read_text()
    before, rest = page.split(begin)
    PAGE.write_text(f"{before}{begin}\n{text}\n{end}{rest.split(end)[1]}")
