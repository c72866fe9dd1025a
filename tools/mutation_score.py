#!/usr/bin/env python3
"""Write the score of the last `mutmut run` into its page, and hold it to what the page explains.

Invariant: every mutant that survived stands on the page below the reason why it may, and nothing
stands there that did not survive. Fails otherwise, and below the least score.
"""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

OPERATOR = Path(__file__).resolve().parents[1] / "operator"
PAGE = OPERATOR / "tests/mutation/README.md"
PACKAGE = "src/imooc_operator/"
LEAST = 90.0

BEGIN = "<!-- score:begin -->"
END = "<!-- score:end -->"

KILLED = ("killed", "timeout")
"""A mutant that never ends is noticed, too."""


@dataclass(frozen=True)
class Mutant:
    """A change of one module: the lines that went, and those that came."""

    module: str
    was: tuple[str, ...]
    becomes: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"- {line}" for line in self.was] + [f"+ {line}" for line in self.becomes]
        return "\n".join([f"# {self.module}", *lines])


def results(text: str) -> dict[str, str]:
    """Return the outcome of each mutant by its name, from `mutmut results`."""
    pairs = (line.strip().rpartition(": ") for line in text.splitlines() if ": " in line)
    return {name: outcome for name, _, outcome in pairs}


def mutant(text: str) -> Mutant:
    """Return the mutant that a diff shows; context does not count, nor does indentation."""
    lines = text.splitlines()
    header = next(index for index, line in enumerate(lines) if line.startswith("+++ "))
    module = lines[header].removeprefix("+++ ").removeprefix(PACKAGE)
    return Mutant(module, _marked(lines[header + 1 :], "-"), _marked(lines[header + 1 :], "+"))


def explained(page: str) -> dict[Mutant, str]:
    """Return the reason of each mutant on the page: the heading above it."""
    found: dict[Mutant, str] = {}
    for section in re.split(r"^### ", page, flags=re.M)[1:]:
        reason, _, rest = section.partition("\n")
        for block in re.findall(r"^```diff\n(.*?)^```", rest, flags=re.M | re.S):
            for part in re.split(r"^# ", block, flags=re.M)[1:]:
                module, *lines = part.splitlines()
                change = Mutant(module, _marked(lines, "-"), _marked(lines, "+"))
                found[change] = reason
    return found


def table(outcomes: Mapping[str, str]) -> str:
    """Return the Markdown table of mutants and kills by module."""
    made: Counter[str] = Counter()
    killed: Counter[str] = Counter()
    for name, outcome in outcomes.items():
        module = name.removeprefix("imooc_operator.").rpartition(".")[0].replace(".", "/") + ".py"
        for where in (module, "**all**"):
            made[where] += 1
            killed[where] += outcome in KILLED
    rows = [
        f"| {where} | {made[where]} | {killed[where]} | {100 * killed[where] / made[where]:.1f} |"
        for where in sorted(made, key=lambda where: (where == "**all**", where))
    ]
    return "\n".join(["| module | mutants | killed | % |", "| --- | ---: | ---: | ---: |", *rows])


def score(outcomes: Mapping[str, str]) -> float:
    """Return how many percent of the mutants were killed."""
    return 100 * sum(outcome in KILLED for outcome in outcomes.values()) / len(outcomes)


def page_with(page: str, text: str) -> str:
    """Return the page with `text` between its markers."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}"


def faults(
    outcomes: Mapping[str, str], survivors: Iterable[Mutant], reasons: Mapping[Mutant, str]
) -> list[str]:
    """Return what keeps the page from being true, as one text each."""
    left = set(survivors)
    found = [f"survived, and no reason is given:\n{change}" for change in left - reasons.keys()]
    found += [f"explained, but it does not survive:\n{change}" for change in reasons.keys() - left]
    if unknown := [name for name, outcome in outcomes.items() if outcome == "not checked"]:
        found.append(f"the run is not complete: {len(unknown)} mutants are not checked")
    if score(outcomes) < LEAST:
        found.append(f"{score(outcomes):.1f} % killed, at least {LEAST:g} are wanted")
    return sorted(found)


def main() -> int:
    """Write the score; say what is wrong with it."""
    outcomes = results(_mutmut("results", "--all", "true"))
    left = [name for name, outcome in outcomes.items() if outcome not in KILLED]
    survivors = [mutant(_mutmut("show", name)) for name in left]
    page = PAGE.read_text()
    day = datetime.now(UTC).date()
    tools = ", ".join(f"{name} {version(name)}" for name in ("mutmut", "pytest", "hypothesis"))
    text = f"{table(outcomes)}\n\n{day}, {tools}, Python {platform.python_version()}."
    PAGE.write_text(page_with(page, text))
    wrong = faults(outcomes, survivors, explained(page))
    print("\n\n".join([*wrong, f"{score(outcomes):.1f} % of {len(outcomes)} mutants killed"]))
    return 1 if wrong else 0


def _marked(lines: Iterable[str], mark: str) -> tuple[str, ...]:
    return tuple(line[1:].strip() for line in lines if line.startswith(mark) and line[1:].strip())


def _mutmut(*arguments: str) -> str:
    done = subprocess.run(
        ["mutmut", *arguments], cwd=OPERATOR, check=True, capture_output=True, text=True
    )
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
