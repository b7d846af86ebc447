"""A grouped bar chart as SVG text, so that a report needs no plotting library."""

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

COLOURS = ("#9aa5b1", "#4c78a8", "#f58518", "#54a24b")
WIDTH, PANEL = 960, 250
LEFT, HEAD, TOP, BOTTOM = 56, 30, 12, 36
GROUPS_IN_A_ROW = 7


def bars(groups: Mapping[str, Sequence[tuple[float, float]]], names: Sequence[str], title: str) -> str:
    """One group per key, one bar per name: (height in [0, 1], half-width of its interval); seven groups to a row."""
    keys = list(groups)
    rows = [keys[i : i + GROUPS_IN_A_ROW] for i in range(0, len(keys), GROUPS_IN_A_ROW)]
    height = HEAD + PANEL * len(rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"',
        ' font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="white"/>',
        f'<text x="{LEFT}" y="18" font-weight="bold">{escape(title)}, 95 % intervals</text>',
    ]
    for i, name in enumerate(names):
        x = LEFT + 330 + i * 150
        parts.append(f'<rect x="{x}" y="8" width="12" height="12" fill="{COLOURS[i % len(COLOURS)]}"/>')
        parts.append(f'<text x="{x + 18}" y="18">{escape(name)}</text>')
    for number, row in enumerate(rows):
        parts += _panel({key: groups[key] for key in row}, len(names), HEAD + PANEL * number)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(groups: Mapping[str, Sequence[tuple[float, float]]], count: int, top: int) -> list[str]:
    """One row of groups below `top`."""
    floor, scale = top + PANEL - BOTTOM, PANEL - BOTTOM - TOP
    parts = []
    for tenth in range(0, 11, 2):
        y = floor - scale * tenth / 10
        parts.append(f'<line x1="{LEFT}" x2="{WIDTH - 8}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{tenth / 10:.1f}</text>')
    slot = (WIDTH - LEFT - 8) / GROUPS_IN_A_ROW
    width = slot * 0.8 / count
    for place, (group, values) in enumerate(groups.items()):
        start = LEFT + slot * (place + 0.1)
        parts.append(f'<text x="{start + slot * 0.4:.1f}" y="{floor + 18}" text-anchor="middle">{escape(group)}</text>')
        for i, (mean, half) in enumerate(values):
            parts += _bar(start + i * width, width, floor, scale, mean, half, COLOURS[i % len(COLOURS)])
    return parts


def _bar(x: float, width: float, floor: float, scale: float, mean: float, half: float, colour: str) -> list[str]:
    """One bar with its interval."""
    top, middle = floor - scale * mean, x + width / 2
    low, high = floor - scale * max(mean - half, 0.0), floor - scale * (mean + half)
    return [
        f'<rect x="{x:.1f}" y="{top:.1f}" width="{width * 0.92:.1f}" height="{scale * mean:.1f}" fill="{colour}"/>',
        f'<line x1="{middle:.1f}" x2="{middle:.1f}" y1="{low:.1f}" y2="{high:.1f}" stroke="#222"/>',
    ]
