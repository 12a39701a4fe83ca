"""The table of an evaluation: a row a method, then why frames were refused and what took time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tools.scores import NEAR_M, WRONG_M, Spread, Totals

_HEADS = (
    "method",
    "frames",
    "accepted",
    f"within {NEAR_M:.0f} m",
    f"wrong > {WRONG_M:.0f} m",
    "centre median/P95/max m",
    "recorded median/P95/max m",
    "in 95 % ellipse",
    "ms median",
)


def score_table(rows: Sequence[Totals]) -> str:
    """centre: error of the ground point under the picture's centre, against the reference;
    recorded: error of the position, against the recorded one; ellipse: share of errors of
    the centre / of the position inside the stated one."""
    lines = [_HEADS, *(_row(r) for r in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(_HEADS))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def details(own: Totals, latency: Mapping[str, Spread]) -> str:
    """Refusals, retrieval and time by stage of the first method."""
    lines = [f"  refused  {n:4d}  {reason}" for reason, n in own.refusals.items()]
    if own.top5 is not None and own.top1 is not None:
        lines.append(
            f"  retrieval: right tile first {100 * own.top1:.0f} %, among the first five "
            f"{100 * own.top5:.0f} % (right: its centre within 0.35 tile)"
        )
    lines += [
        f"  {stage:<9} {s.median:7.1f} ms median {s.p95:7.1f} ms P95"
        for stage, s in latency.items()
    ]
    return "\n".join(lines)


def _row(t: Totals) -> tuple[str, ...]:
    return (
        t.name,
        f"{t.frames}",
        f"{t.accepted}",
        f"{100 * t.near_share:.1f} %",
        f"{t.wrong}",
        _errors(t.centre),
        _errors(t.vehicle),
        f"{_percent(t.inside_centre)} / {_percent(t.inside_vehicle)}",
        f"{t.latency_ms.median:.0f}" if t.latency_ms else "-",
    )


def _errors(s: Spread | None) -> str:
    return f"{s.median:.1f} / {s.p95:.1f} / {s.max:.1f}" if s else "-"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.0f} %"
