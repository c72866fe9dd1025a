"""Take a picture of the head of a status page, as a desk's screen shows it, light and dark.

make status
python docs/images/report.py state/dev/report.html docs/images/report
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tools.browser import launched

WIDTH, HEIGHT = 1200, 1010


def main() -> None:
    """Write `<pictures>.light.png` and `<pictures>.dark.png`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=Path)
    parser.add_argument("pictures", type=Path, help="path of the pictures without its end")
    arguments = parser.parse_args()
    with launched() as browser:
        for scheme in ("light", "dark"):
            to = arguments.pictures.with_name(f"{arguments.pictures.name}.{scheme}.png")
            dark = scheme == "dark"
            with browser.open(arguments.page, WIDTH, HEIGHT, dark=dark) as page:
                page.picture(to)


if __name__ == "__main__":
    main()
