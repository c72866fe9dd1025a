#!/usr/bin/env python3
"""Write the operator's flags and metrics into its reference page from the code, or check them.

Invariant: the tables say what `--help` and `/metrics` say; `--check` fails where they do not.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from imooc_operator.__main__ import build
from imooc_operator.client.config import Token, client_config
from imooc_operator.runtime.metrics import Registry
from imooc_operator.settings import flags, parse

PAGE = Path(__file__).resolve().parents[1] / "docs/reference/operator.md"


def flag_table() -> str:
    """Return the Markdown table of the flags, in the order of --help."""
    options = flags({})._actions  # argparse has no public list of what was added to a parser
    return _table(
        ("flag", "what it does"), ((_usage(option), str(option.help)) for option in options)
    )


def metric_table() -> str:
    """Return the Markdown table of all metrics of an operator that takes part in elections."""
    # With a factory the loop is the runner's own, and one that the caller has set stays.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        registry = runner.run(_registered())
    return _table(
        ("metric", "type", "labels", "what it is"),
        (
            (f"`{metric.name}`", metric.kind, ", ".join(metric.labels), metric.text)
            for metric in registry
        ),
    )


async def _registered() -> Registry:
    registry = Registry()
    nowhere = client_config("http://nowhere", token=Token(), origin="reference")
    build(parse(["--leader-elect"], {}), nowhere, registry, "reference")
    return registry


def page_with(page: str, table: str, text: str) -> str:
    """Return the page with `text` between the markers of `table`; ValueError without both."""
    begin, end = f"<!-- {table}:begin -->", f"<!-- {table}:end -->"
    if page.count(begin) != 1 or page.count(end) != 1:
        raise ValueError(f"the page needs one {begin} and one {end}")
    before, rest = page.split(begin)
    return f"{before}{begin}\n{text}\n{end}{rest.split(end)[1]}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit status: 0 where the page is as the code says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, fail where stale")
    parser.add_argument("--page", type=Path, default=PAGE, help="the page with the markers")
    chosen = parser.parse_args(arguments)
    page = chosen.page.read_text()
    wanted = page_with(page_with(page, "flags", flag_table()), "metrics", metric_table())
    if page == wanted:
        return 0
    if chosen.check:
        print(f"{chosen.page.name}: a table is stale; run: make docs", file=sys.stderr)
        return 1
    chosen.page.write_text(wanted)
    return 0


def _usage(option: argparse.Action) -> str:
    value = "|".join(option.choices or ()) or option.metavar or ""
    return f"`{' '.join((*option.option_strings, str(value))).rstrip()}`"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


if __name__ == "__main__":
    sys.exit(main())
