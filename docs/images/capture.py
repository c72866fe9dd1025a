"""Draw the end of a run's output, as a terminal shows it, as an SVG.

ANSIBLE_FORCE_COLOR=1 make up 2>&1 | tee run.log
python docs/images/capture.py run.log docs/images/run.svg --since 'PLAY RECAP' --title 'make up'
"""

from __future__ import annotations

import argparse
import io
import re
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT  # exported under no public name
from rich.console import Console
from rich.text import Text

# rich's template fetches a font. A picture in a page may not, and every system has one that fits.
_FONT_FACE = re.compile(r"\s*@font-face \{\{.*?\}\}\n", re.DOTALL)
_TEMPLATE = _FONT_FACE.sub("\n", CONSOLE_SVG_FORMAT).replace(
    "font-family: Fira Code, monospace",
    "font-family: ui-monospace, SFMono-Regular, DejaVu Sans Mono, Menlo, monospace",
)


def main() -> None:
    """Write the picture of the output's last part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path, help="what was printed, with its colours")
    parser.add_argument("picture", type=Path)
    parser.add_argument("--since", required=True, help="the picture begins at the last such line")
    parser.add_argument("--title", required=True)
    arguments = parser.parse_args()

    lines = arguments.output.read_text(encoding="utf-8").splitlines()
    first = max(number for number, line in enumerate(lines) if arguments.since in line)
    shown = Text.from_ansi("\n".join(lines[first:]))
    width = max(line.cell_len for line in shown.split())
    console = Console(width=width, record=True, file=io.StringIO(), force_terminal=True)
    console.print(shown)
    svg = console.export_svg(title=arguments.title, code_format=_TEMPLATE, unique_id="run")
    arguments.picture.write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
