# Charts as SVG, written by hand: bars by group, and lines on logarithmic axes.

import math
from html import escape

from figures import plain, ticks

COLOURS = ["#1f6f8b", "#d1603d", "#7a9e3f", "#8a5aa3", "#c99a2e", "#5b6b7a", "#b0487a", "#3f8f7a", "#7b5e45"]
STYLE = "font-family: sans-serif; font-size: 12px"
LEFT, RIGHT, TOP, BAR, GAP = 150, 60, 40, 14, 16


def text(x: float, y: float, words: str, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def drawing(width: float, height: float, parts: list[str]) -> str:
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} style="{STYLE}">'
    return "\n".join([head, '<rect width="100%" height="100%" fill="white"/>', *parts, "</svg>", ""])


def scale(marks: list[float], length: float):
    """The function that places a value on a logarithmic axis from the first mark to the last."""
    low, high = math.log(marks[0]), math.log(marks[-1] if len(marks) > 1 else 2 * marks[0])
    return lambda value: (math.log(value) - low) / (high - low) * length


def legend(names: list[str], x: float, y: float) -> list[str]:
    """One entry a series, beside each other."""
    parts = []
    for name, colour in zip(names, COLOURS):
        parts.append(f'<rect x="{x:.1f}" y="{y - 10:.1f}" width="10" height="10" fill="{colour}"/>')
        parts.append(text(x + 14, y, name))
        x += 28 + 6.6 * len(name)
    return parts


def bars(groups: dict[str, dict[str, float]], caption: str, width: float = 840) -> str:
    """A group of horizontal bars for each key, one a series, on a logarithmic axis that 1 is marked on."""
    names = list(dict.fromkeys(name for group in groups.values() for name in group))
    values = [value for group in groups.values() for value in group.values()]
    marks = ticks(min(1.0, *values), max(1.0, *values))
    place = scale(marks, width - LEFT - RIGHT)
    parts, y = legend(names, 8, TOP - 16), float(TOP)
    for title, group in groups.items():
        parts.append(text(LEFT - 8, y + BAR * len(group) / 2 + 4, title, "end"))
        for name, value in group.items():
            start, end = sorted((LEFT + place(1.0), LEFT + place(value)))
            colour = COLOURS[names.index(name) % len(COLOURS)]
            parts.append(
                f'<rect x="{start:.1f}" y="{y:.1f}" width="{end - start:.1f}" height="{BAR - 2}" fill="{colour}"/>'
            )
            parts.append(text(end + 4, y + BAR - 4, plain(value)))
            y += BAR
        y += GAP
    for mark in marks:
        x = LEFT + place(mark)
        parts.insert(0, line(x, TOP, x, y, "#222222" if mark == 1 else "#dddddd"))
        parts.append(text(x, y + 16, f"{mark:g}", "middle"))
    parts.append(text(LEFT, y + 36, caption))
    return drawing(width, y + 48, parts)


def lines(series: dict[str, dict[float, float]], across: str, up: str, width: float = 560, height: float = 380) -> str:
    """Each series as points joined by lines, both axes logarithmic."""
    left, right, top, bottom = 70.0, width - 30, 56.0, height - 60
    xs = sorted({x for points in series.values() for x in points})
    ys = [y for points in series.values() for y in points.values()]
    marks = ticks(min(ys), max(ys))
    place_x, place_y = scale(xs, right - left), scale(marks, bottom - top)
    parts = legend(list(series), left, top - 16)
    for x in xs:
        parts.append(line(left + place_x(x), top, left + place_x(x), bottom, "#dddddd"))
        parts.append(text(left + place_x(x), bottom + 18, f"{x:g}", "middle"))
    for mark in marks:
        parts.append(line(left, bottom - place_y(mark), right, bottom - place_y(mark), "#dddddd"))
        parts.append(text(left - 6, bottom - place_y(mark) + 4, f"{mark:g}", "end"))
    for (_, points), colour in zip(series.items(), COLOURS):
        path = " ".join(f"{left + place_x(x):.1f},{bottom - place_y(y):.1f}" for x, y in sorted(points.items()))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
    parts.append(text((left + right) / 2, bottom + 40, across, "middle"))
    parts.append(text(8, 16, up))
    return drawing(width, height, parts)
