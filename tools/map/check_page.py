"""The page of `map check`: one HTML file that needs no network and no script."""

from __future__ import annotations

import base64
import html
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from maps.localizability.assess import Assessment
from maps.localizability.drawing import COLOURS_BGR, Canvas, canvas_of, draw_places
from maps.localizability.model import LOW
from maps.localizability.route import RouteFigures, fix_sigma_m
from onboard.pack.map_pack import MapPack

_STYLE = Path(__file__).parent.parent / "report.css"
_CHART_PX = (1100, 170)
MOST_STRETCHES = 40  # of the table; the longest ones
MOST_SHOWN_POINTS = 2000  # of a line in a chart

_TEMPLATE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title><style>{style}
.map svg {{ height: auto; max-height: 80vh; cursor: default; }}
.verdict {{ font-size: 18px; margin: 10px 0; padding: 10px 14px; border-left: 5px solid; }}
.verdict.good {{ border-color: var(--good); }} .verdict.bad {{ border-color: var(--bad); }}
.legend i.scale {{ width: 180px; height: 12px; border-radius: 3px;
 margin: 0 5px; vertical-align: middle; background: linear-gradient(to right, {scale}); }}
.limit {{ stroke: var(--bad); stroke-dasharray: 5 4; }}
.gone {{ fill: var(--bad); opacity: .18; }}
</style></head><body>
<header><h1>{title}</h1><p class="verdict {mood}">{verdict}</p><ul>{notes}</ul></header><main>
<section class="tiles">{tiles}</section>
<section><h2>Where a frame is located</h2>
<p class="legend">chance, with a position known to {prior:.0f} m: 0 % <i class="scale"></i> 100 %
{route_legend}</p><div class="map">{map}</div></section>
{charts}{stretches}
<section><h2>What makes places hard</h2><table>{reasons}</table></section>
<section><h2>Figures</h2><table>{figures}</table></section>
</main></body></html>
"""


def verdict(assessment: Assessment, figures: RouteFigures | None) -> str:
    """In one sentence."""
    if figures is None:
        return (
            f"{assessment.localizable:.0%} of the map can be localized on (a frame has a chance "
            f"of {LOW:.0%} or more there)"
        )
    longest = figures.longest
    blind = (
        "with no blind stretch"
        if longest is None
        else f"the longest blind stretch is {longest.length_m:.0f} m "
        f"({longest.seconds:.0f} s, {longest.why})"
    )
    share = f"{figures.localizable:.0%} of the way can be localized, {blind}"
    if figures.is_flyable:
        return (
            f"flyable: {share}, and the position stays within {figures.worst_sigma_m:.0f} m "
            f"(one sigma, limit {figures.limit_m:g} m)"
        )
    return (
        f"NOT flyable without GNSS: {share}, and the position becomes uncertain by "
        f"{figures.worst_sigma_m:.0f} m (one sigma, limit {figures.limit_m:g} m)"
    )


def check_page(
    pack: MapPack, assessment: Assessment, figures: RouteFigures | None, notes: Sequence[str]
) -> str:
    """The whole page."""
    what = assessment.what
    title = (
        f"{pack.manifest.name}: will it work here? Level {what.level}, "
        f"{what.footprint.agl_m:.0f} m above ground"
    )
    bad = figures is not None and not figures.is_flyable
    canvas = canvas_of(assessment.predictions)
    return _TEMPLATE.format(
        title=html.escape(title),
        style=_STYLE.read_text(encoding="utf-8"),
        scale=", ".join(f"rgb({r},{g},{b})" for b, g, r in COLOURS_BGR),
        mood="bad" if bad else "good",
        verdict=html.escape(verdict(assessment, figures)),
        notes="".join(f"<li>{html.escape(n)}</li>" for n in notes),
        tiles=_tiles(assessment, figures),
        prior=what.prior_sigma_m,
        route_legend="" if figures is None else "; the way: white, red where it is blind",
        map=_map(pack, assessment, figures, canvas),
        charts="" if figures is None else _charts(figures),
        stretches="" if figures is None else _stretches(figures),
        reasons=_rows(_reasons(assessment)),
        figures=_rows(_figures(pack, assessment, figures)),
    )


def _tiles(assessment: Assessment, figures: RouteFigures | None) -> str:
    shown = [("of the map can be localized", f"{assessment.localizable:.0%}")]
    if figures is not None:
        longest = figures.longest
        shown = [
            ("of the way can be localized", f"{figures.localizable:.0%}"),
            ("longest blind stretch", f"{longest.length_m:.0f} m" if longest else "none"),
            ("of it in time", f"{longest.seconds:.0f} s" if longest else "-"),
            ("position, one sigma, median", f"{figures.median_sigma_m:.1f} m"),
            ("and at worst", f"{figures.worst_sigma_m:.0f} m"),
            *shown,
        ]
    return "".join(f"<div><b>{b}</b><span>{html.escape(a)}</span></div>" for a, b in shown)


def _map(
    pack: MapPack, assessment: Assessment, figures: RouteFigures | None, canvas: Canvas
) -> str:
    png = base64.b64encode(draw_places(pack, assessment.predictions, canvas)).decode()
    w, h = canvas.size_px
    lines = []
    if figures is not None:
        points = figures.points[:: max(1, len(figures.points) // MOST_SHOWN_POINTS)]
        at = [canvas.pixel(p.lat_deg, p.lon_deg) for p in points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
        lines.append(f'<polyline points="{path}" fill="none" stroke="#000" stroke-width="5"/>')
        lines.append(f'<polyline points="{path}" fill="none" stroke="#fff" stroke-width="3"/>')
        for a, b, p in zip(at, at[1:], points[1:], strict=False):
            if p.is_blind:
                lines.append(
                    f'<line x1="{a[0]:.1f}" y1="{a[1]:.1f}" x2="{b[0]:.1f}" y2="{b[1]:.1f}" '
                    'stroke="#f03" stroke-width="3"/>'
                )
    return (
        f'<svg viewBox="0 0 {w} {h}" role="img"><image href="data:image/png;base64,{png}" '
        f'width="{w}" height="{h}"/>{"".join(lines)}</svg>'
    )


def _charts(figures: RouteFigures) -> str:
    top = max(figures.limit_m, figures.worst_sigma_m) * 1.1
    sigma = _chart(figures, [p.sigma_m / top for p in figures.points], figures.limit_m / top)
    chance = _chart(figures, [p.chance for p in figures.points], LOW)
    return (
        f"<section><h2>Expected accuracy along the way (one sigma, 0 to {top:.0f} m; dashed: the "
        f'limit)</h2><div class="chart">{sigma}</div></section>'
        f'<section><h2>Chance of a frame along the way (dashed: {LOW:.0%})</h2><div class="chart">'
        f"{chance}</div></section>"
    )


def _chart(figures: RouteFigures, values: Sequence[float], limit: float) -> str:
    """values and limit: shares of the height. Blind stretches are shaded."""
    w, h = _CHART_PX
    step = max(1, len(values) // MOST_SHOWN_POINTS)
    scale = w / max(figures.length_m, 1e-9)
    path = " ".join(
        f"{p.along_m * scale:.1f},{h * (1 - min(1.0, v)):.1f}"
        for p, v in zip(figures.points[::step], values[::step], strict=True)
    )
    shade = "".join(
        f'<rect class="gone" x="{b.start_m * scale:.1f}" y="0" '
        f'width="{b.length_m * scale:.1f}" height="{h}"/>'
        for b in figures.blind
    )
    y = h * (1 - limit)
    return (
        f'<svg viewBox="0 0 {w} {h + 18}">{shade}<line class="grid" x1="0" y1="{h}" x2="{w}" '
        f'y2="{h}"/><line class="limit" x1="0" y1="{y:.1f}" x2="{w}" y2="{y:.1f}"/>'
        f'<polyline class="estimate" stroke-width="2" points="{path}"/>'
        f'<text x="0" y="{h + 14}">0</text><text x="{w}" y="{h + 14}" text-anchor="end">'
        f"{figures.length_m:.0f} m</text></svg>"
    )


def _stretches(figures: RouteFigures) -> str:
    if not figures.blind:
        return ""
    longest = sorted(figures.blind, key=lambda b: -b.length_m)[:MOST_STRETCHES]
    rows = [
        (f"from {b.start_m:.0f} m", f"{b.length_m:.0f} m, {b.seconds:.0f} s: {b.why}")
        for b in longest
    ]
    return f"<section><h2>Blind stretches, longest first</h2><table>{_rows(rows)}</table></section>"


def _reasons(assessment: Assessment) -> list[tuple[str, str]]:
    low = [p for p in assessment.predictions if p.chance < LOW]
    counts = Counter(p.why[0].value for p in low if p.why)
    total = len(assessment.predictions)
    rows = [(why, f"{n} places, {n / total:.0%} of the map") for why, n in counts.most_common()]
    return rows or [("nothing", "every place has a good chance")]


def _figures(
    pack: MapPack, assessment: Assessment, figures: RouteFigures | None
) -> list[tuple[str, str]]:
    what, predictions = assessment.what, assessment.predictions
    mean = sum(p.chance for p in predictions) / len(predictions)
    alone = sum(p.chance_alone for p in predictions) / len(predictions)
    sigmas = sorted(p.sigma_m for p in predictions if p.sigma_m is not None)
    rows = [
        ("mean chance of a frame with a prior", f"{mean:.0%}"),
        ("without", f"{alone:.0%}"),
        ("footprint", f"{what.footprint.width_m:.0f} x {what.footprint.height_m:.0f} m"),
    ]
    if sigmas:
        middle, agl_m = sigmas[len(sigmas) // 2], what.footprint.agl_m
        fix = fix_sigma_m(middle, agl_m, 0.0, pack.manifest.map_sigma_m)
        rows.append(("a fix without the camera's direction error, one sigma", f"{fix:.1f} m"))
    if assessment.age_years is not None:
        rows.append(("age of the imagery", f"{assessment.age_years:.1f} years"))
    rows += [
        (f"imagery {s.name}", f"{s.date}, {s.licence}, {s.attribution}")
        for s in pack.manifest.imagery
    ]
    rows.append(("the map's own error", pack.manifest.map_error_said))
    if figures is not None:
        rows += [
            ("length of the way", f"{figures.length_m:.0f} m"),
            ("of it off the map", f"{figures.off_map_m:.0f} m"),
            ("of it with the position beyond the limit", f"{figures.silent_m:.0f} m"),
        ]
    return rows


def _rows(rows: Sequence[tuple[str, str]]) -> str:
    return "".join(f"<tr><td>{html.escape(a)}</td><td>{html.escape(b)}</td></tr>" for a, b in rows)
