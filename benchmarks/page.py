"""The parts of pages that are written from results."""

from __future__ import annotations

from pathlib import Path

PAGE = Path(__file__).with_name("README.md")


def rewrite(name: str, text: str, path: Path | None = None) -> None:
    """Put `text` between the markers `<!-- name:begin -->` and `<!-- name:end -->`.

    Of benchmarks/README.md, or of the page at `path`.
    """
    page_path = path or PAGE
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    page = page_path.read_text()
    before, rest = page.split(begin)
    page_path.write_text(f"{before}{begin}\n{text}\n{end}{rest.split(end)[1]}")
