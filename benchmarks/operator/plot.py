"""Lines as SVG: enough for the three plots of the benchmark, and nothing to install."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape

Points = Sequence[tuple[float, float]]

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 64, 110, 40, 48
COLOURS = ("#666666", "#d62728", "#1f77b4", "#17becf", "#2ca02c", "#9467bd", "#ff7f0e")


def lines(title: str, x_label: str, y_label: str, series: Mapping[str, Points]) -> str:
    """Return a plot with one line for each of the series, both axes from zero."""
    x_ticks = ticks(max(x for points in series.values() for x, _ in points))
    y_ticks = ticks(max(y for points in series.values() for _, y in points))
    across, down = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def place(x: float, y: float) -> tuple[float, float]:
        right, up = across * x / x_ticks[-1], down * y / y_ticks[-1]
        return round(LEFT + right, 1), round(HEIGHT - BOTTOM - up, 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        _text(WIDTH / 2, 22, title, size=15),
        _text(LEFT + across / 2, HEIGHT - 10, x_label),
        _text(LEFT, TOP - 8, y_label),
    ]
    for tick in x_ticks:
        x, y = place(tick, 0)
        parts += [_grid(x, TOP, x, y), _text(x, y + 16, f"{tick:g}")]
    for tick in y_ticks:
        x, y = place(0, tick)
        parts += [_grid(x, y, LEFT + across, y), _text(x - 6, y + 4, f"{tick:g}", anchor="end")]
    for number, (name, points) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{x},{y}" for x, y in (place(*point) for point in points))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        where = (LEFT + across + 12, TOP + 14 + 18 * number)
        parts.append(_text(*where, name, anchor="start", colour=colour))
    return "\n".join([*parts, "</svg>", ""])


def ticks(greatest: float) -> list[float]:
    """Return about five round numbers from 0 to what is not less than `greatest`."""
    rough = max(greatest, 1e-9) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    return [round(number * step, 10) for number in range(math.ceil(greatest / step * 0.999) + 1)]


def _grid(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" stroke="#dddddd"/>'


def _text(
    x: float, y: float, text: str, *, size: int = 12, anchor: str = "middle", colour: str = "black"
) -> str:
    where = f'x="{x:g}" y="{y:g}" font-size="{size}"'
    return f'<text {where} text-anchor="{anchor}" fill="{colour}">{escape(text)}</text>'
