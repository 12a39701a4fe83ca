"""The Stanford diagram: error against protection level, and how many positions were misleading.

A position above the diagonal is bounded as promised; one below it is misleading. Drawn as SVG
without any library, both axes logarithmic.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

SIZE, LEFT, TOP, BOTTOM = 560, 70, 50, 60
CELLS_A_DECADE = 12
LEAST_M, MOST_DECADES = 0.1, 6  # errors below count as this; more decades aren't drawn
CONFIDENCE = 0.95
_RAMP = ("#dbe9f6", "#9ecae1", "#4292c6", "#2171b5", "#08306b")


@dataclass(frozen=True)
class Bounded:
    """A position's error and its protection level, both in metres."""

    error_m: float
    protection_m: float

    @property
    def misleading(self) -> bool:
        return not self.error_m <= self.protection_m


@dataclass(frozen=True)
class Integrity:
    """misleading of positions; at_most: the share of misleading ones that this many speak
    against with 95 % confidence, were they independent."""

    positions: int
    misleading: int
    at_most: float

    def __str__(self) -> str:
        if not self.positions:
            return "no position with a known error"
        share = self.misleading / self.positions
        return (
            f"{self.misleading} of {self.positions} misleading (error above protection level): "
            f"{share:.2g}, at most {self.at_most:.2g} with 95 % confidence if independent"
        )


def integrity(points: Sequence[Bounded]) -> Integrity:
    misleading = sum(p.misleading for p in points)
    return Integrity(len(points), misleading, _largest_share(misleading, len(points)))


def _largest_share(misleading: int, positions: int) -> float:
    """By Poisson's law: the mean that shows so few with probability 1 - CONFIDENCE."""
    if not positions:
        return 1.0
    low, high = 0.0, 10.0 + 3.0 * misleading
    for _ in range(60):
        mean = (low + high) / 2
        terms = (k * math.log(mean) - mean - math.lgamma(k + 1) for k in range(misleading + 1))
        so_few = sum(math.exp(t) for t in terms)
        low, high = (mean, high) if so_few > 1 - CONFIDENCE else (low, mean)
    return min(1.0, high / positions)


def stanford_svg(points: Sequence[Bounded], title: str) -> str:
    """One SVG element."""
    largest = max((max(p.error_m, p.protection_m) for p in points if _drawn(p)), default=10.0)
    decades = min(MOST_DECADES, max(2, math.ceil(math.log10(max(largest, LEAST_M) / LEAST_M))))
    cell = SIZE / (decades * CELLS_A_DECADE)
    cells = Counter(
        (_cell(p.error_m, decades), _cell(p.protection_m, decades))
        for p in points
        if not p.misleading
    )
    most = max(cells.values(), default=1)
    parts = [_frame(decades, title, str(integrity(points)))]
    for (column, row), count in sorted(cells.items()):
        x, y = LEFT + column * cell, TOP + SIZE - (row + 1) * cell
        shade = _RAMP[round(math.log(count) / math.log(most) * 4) if most > 1 else 4]
        parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{cell:.2f}" height="{cell:.2f}" fill="{shade}">'
            f"<title>{count}</title></rect>"
        )
    for p in points:
        if p.misleading:
            x = LEFT + _along(p.error_m, decades)
            y = TOP + SIZE - _along(p.protection_m, decades)
            said = f"error {p.error_m:.1f} m, protection level {p.protection_m:.1f} m"
            parts.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="#d62728">'
                f"<title>{said}</title></circle>"
            )
    return "\n".join([*parts, "</svg>\n"])


def _drawn(p: Bounded) -> bool:
    return math.isfinite(p.error_m) and math.isfinite(p.protection_m)


def _along(metres: float, decades: int) -> float:
    """Pixels from the diagram's corner; what is too large, or no number, lies on the edge."""
    if math.isnan(metres):
        return float(SIZE)
    decade = math.log10(min(max(metres, LEAST_M), LEAST_M * 10.0**decades) / LEAST_M)
    return SIZE * decade / decades


def _cell(metres: float, decades: int) -> int:
    count = decades * CELLS_A_DECADE
    return min(count - 1, int(_along(metres, decades) / SIZE * count))


def _frame(decades: int, title: str, said: str) -> str:
    right, bottom = LEFT + SIZE, TOP + SIZE
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {right + 30} {bottom + BOTTOM}" '
        'font-family="sans-serif" font-size="12" role="img">',
        f'<rect width="{right + 30}" height="{bottom + BOTTOM}" fill="white"/>',
        f'<path d="M{LEFT} {bottom} L{right} {bottom} L{right} {TOP} Z" fill="#fdeaea"/>',
        f'<text x="{LEFT}" y="20" font-size="15">{escape(title)}</text>',
        f'<text x="{LEFT}" y="38">{escape(said)}</text>',
        f'<text x="{LEFT + SIZE * 0.62}" y="{TOP + SIZE * 0.93}" fill="#d62728">misleading</text>',
        f'<text x="{LEFT + SIZE / 2}" y="{bottom + 45}" text-anchor="middle">error, m</text>',
        f'<text transform="translate(20 {TOP + SIZE / 2}) rotate(-90)" text-anchor="middle">'
        "protection level, m</text>",
    ]
    for decade in range(decades + 1):
        at = SIZE * decade / decades
        label = f"{LEAST_M * 10**decade:g}"
        lines += [
            f'<path d="M{LEFT + at:.1f} {TOP} V{bottom} M{LEFT} {bottom - at:.1f} H{right}" '
            'stroke="#ddd" fill="none"/>',
            f'<text x="{LEFT + at:.1f}" y="{bottom + 18}" text-anchor="middle">{label}</text>',
            f'<text x="{LEFT - 8}" y="{bottom - at + 4:.1f}" text-anchor="end">{label}</text>',
        ]
    lines.append(f'<path d="M{LEFT} {bottom} L{right} {TOP}" stroke="#d62728" fill="none"/>')
    return "\n".join(lines)
