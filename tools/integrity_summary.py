"""What the cases of an integrity study add up to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tools.scores import share, spread
from tools.stanford import Bounded, integrity

Row = Mapping[str, Any]


def bounded(rows: Sequence[Row]) -> list[Bounded]:
    """The fixes' errors and protection levels; refused frames have none."""
    return [Bounded(r["error_m"], r["protection_m"]) for r in rows if r.get("error_m") is not None]


def frame_figures(rows: Sequence[Row]) -> dict[str, Any]:
    """Of single frames: fixes, misleading ones, the ellipse, refusals by reason."""
    fixes = [r for r in rows if r["refused"] is None]
    counted = integrity(bounded(fixes))
    errors, levels = (spread(r[k] for r in fixes) for k in ("error_m", "protection_m"))
    return {
        "frames": len(rows),
        "off_map": sum(not r["on_map"] for r in rows),
        "fixes": counted.positions,
        "misleading": counted.misleading,
        "misleading_at_most": counted.at_most,
        "in_95_ellipse": share(r["inside"] for r in fixes),
        "error_median_m": errors.median if errors else None,
        "error_p95_m": errors.p95 if errors else None,
        "protection_median_m": levels.median if levels else None,
        "refused": dict(Counter(r["refused"] for r in rows if r["refused"]).most_common()),
    }


def flight_figures(rows: Sequence[Row]) -> dict[str, Any]:
    """Of whole flights, by mode: claims, misleading ones, in how many flights, the ellipse."""
    figures: dict[str, Any] = {"flights": len({r["flight"] for r in rows})}
    for mode in sorted({r["mode"] for r in rows}):
        claims = [r for r in rows if r["mode"] == mode]
        figures[mode] = {"claims": len(claims)}
        known = [r for r in claims if r.get("protection_m") is not None]
        if not known:
            continue
        errors = spread(r["error_m"] for r in known)
        assert errors is not None
        figures[mode] |= {
            "with_protection_level": len(known),
            "misleading": sum(p.misleading for p in bounded(known)),
            "flights_with_misleading": len(
                {r["flight"] for r in known if r["error_m"] > r["protection_m"]}
            ),
            "in_95_ellipse": share(r["inside"] for r in known),
            "error_median_m": errors.median,
            "error_p95_m": errors.p95,
            "error_max_m": errors.max,
        }
    return figures


def lines_of(name: str, figures: Mapping[str, Any]) -> list[str]:
    """For people."""
    plain = {k: v for k, v in figures.items() if not isinstance(v, Mapping)}
    cells = [f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in plain.items()]
    lines = [f"{name}: " + "  ".join(cells)]
    for key, value in figures.items():
        if isinstance(value, Mapping) and value:
            lines += lines_of(f"  {key}", value)
    return lines
