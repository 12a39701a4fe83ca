"""A simulated flight's files: `outcome.json` with its figures, and the report for people."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from onboard.pack.map_pack import MapPack
from onboard.whole_file import write_whole
from tools.report import write_report
from tools.run_record import RunRecord, Tick
from tools.scores import score_frame
from tools.sim.closed_loop import Flown
from tools.sim.judge import Figures
from tools.sim.scenario import Scenario
from tools.truth import track_of

NAME = "outcome.json"


def write_outcome(
    folder: Path, scenario: Scenario, flown: Flown, figures: Figures, failed: list[str],
    pack: MapPack, notes: tuple[str, ...],
) -> Path:  # fmt: skip
    """Returns the report's path. Both files appear whole."""
    told = {
        "scenario": scenario.title,
        "seed": scenario.seed,
        "passed": not failed,
        "failed": failed,
        "figures": dataclasses.asdict(figures),
        "texts": [
            [round((ns - flown.start_ns) * 1e-9, 2), text]
            for ns, text in flown.texts
            if ns >= flown.start_ns
        ],
    }
    write_whole(folder / NAME, json.dumps(told, indent=1).encode())
    return write_report(folder, record_of(scenario, flown, (*failed, *notes)), pack)


def record_of(scenario: Scenario, flown: Flown, notes: tuple[str, ...]) -> RunRecord:
    """The same flight as a replay would leave it."""
    truth = track_of([(m.time_ns, m.truth.lat_deg, m.truth.lon_deg) for m in flown.moments])
    lost_s = min(
        (f.at_s for f in scenario.faults if f.kind.value.startswith("gnss_")), default=None
    )
    return RunRecord(
        title=f"Simulation: {scenario.title}",
        frames=tuple(flown.frames),
        scores=tuple(score_frame(f.result, truth.at(f.result.time_ns), None) for f in flown.frames),
        ticks=tuple(Tick(m.time_ns, m.estimate) for m in flown.moments),
        truth=truth,
        gnss_lost_ns=None if lost_s is None else flown.start_ns + round(lost_s * 1e9),
        messages_sent=len(flown.moments),
        notes=notes,
    )


def summary_lines(figures: Figures) -> list[tuple[str, str]]:
    """What a person wants to know first."""

    def three(median: float | None, p95: float | None, most: float | None) -> str:
        if median is None or p95 is None or most is None:
            return "none"
        return f"{median:.1f} / {p95:.1f} / {most:.1f} m"

    return [
        ("flown", f"{figures.seconds:.0f} s in {figures.wall_s:.0f} s"),
        (
            "vehicle's error since the first fault: median / P95 / largest",
            three(figures.median_error_m, figures.p95_error_m, figures.max_error_m),
        ),
        ("share of it with a position", f"{100 * figures.believed_share:.1f} %"),
        (
            "error of trusted positions: median / P95 / largest",
            three(figures.median_estimate_m, figures.p95_estimate_m, figures.max_estimate_m),
        ),
        ("misleading (error above protection level)", f"{figures.misleading} of {figures.trusted}"),
        (
            "inside the 95 % ellipse",
            "none" if figures.inside_95 is None else f"{100 * figures.inside_95:.1f} %",
        ),
        ("frames accepted", f"{figures.accepted} of {figures.frames}"),
        *((f"refused: {reason}", str(n)) for reason, n in figures.refusals.items()),
        ("GNSS was", " > ".join(figures.gnss_states)),
        ("the estimate was", " > ".join(figures.modes)),
        *(
            [("GNSS astray when that was said", f"{figures.alarm_m:.0f} m")]
            if figures.alarm_m is not None
            else []
        ),
        *(("failsafe", text) for text in figures.failsafes),
    ]
