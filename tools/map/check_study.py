"""`python -m tools.map.check_study`: does `map check` predict where frames are found?

Every ground's places are predicted from its map alone and then flown; the rank correlation of
the two is printed for each ground and for all, with a bootstrap over places. With --fit the
model's coefficients are fitted instead, on the grounds kept for that. A killed study goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2

from maps.localizability.examine import Examination, Examiner, examine
from maps.localizability.findings import Findings
from maps.localizability.map_views import footprint_of
from maps.localizability.places import Place, places_of, sampled
from onboard.describe import Describer
from onboard.errors import InputError
from onboard.geodesy import pixel_size_m
from onboard.localize import Localizer
from onboard.messages import TILE_PX
from onboard.model_bundle import load_bundle
from onboard.pack.map_pack import MapPack
from onboard.recording.start import manifest_sha256
from onboard.whole_file import write_whole
from tools.integrity_frames import CAMERA
from tools.integrity_grounds import open_ground
from tools.map.study_figures import fitted, lines_of, read_measured
from tools.map.study_flights import (
    FENGYUAN_CAMERA,
    FLIGHT_CAMERA,
    PRIOR_SIGMA_M,
    Row,
    drawn_frames,
    photographs,
    recorded_flights,
)
from tools.map.study_grounds import GROUNDS, StudyGround, ariel_csv, folder_of, pack_of, pictures_of

PLACES, ROUNDS, VIEWS = 24, 12, 6
LEAST_COVERED = 0.7  # of a place's tile
AGL_TO_VIEW = 1.0  # the height at which places are examined, as a share of a view's side


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", help="one ground's name")
    parser.add_argument("--fit", action="store_true", help="the grounds kept for fitting")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    for ground in GROUNDS:
        if ground.fit == args.fit and args.only in (None, ground.name):
            measure(ground, args.data, args.out, args.rounds)
    measured = [
        m
        for g in GROUNDS
        if g.fit == args.fit
        and (m := read_measured(g.name, folder_of(g, args.out), 1 if g.flown != "frames" else 4))
    ]
    if not measured:
        return 0
    if args.fit:
        for what, alone in (("WITH_PRIOR", False), ("WITHOUT", True)):
            print(what, ", ".join(f"{c:.2f}" for c in fitted(measured, alone)))
    lines = lines_of(measured)
    write_whole(args.out / ("fit.txt" if args.fit else "study.txt"), "\n".join(lines) + "\n")
    print("\n".join(lines))
    return 0


def measure(ground: StudyGround, data: Path, out: Path, rounds: int) -> None:
    """Flies and predicts one ground; findings.jsonl and flown.jsonl in its folder."""
    pack_path = pack_of(ground, data, out)
    bundle = load_bundle()
    pack, describer = MapPack.open(pack_path, bundle), Describer(bundle, threads=1)
    folder = folder_of(ground, out)
    if ground.flown == "photographs":
        localizer = Localizer(pack, describer, FENGYUAN_CAMERA)
        rows = _kept(folder, lambda done: photographs(data / ground.name, pack, localizer))
    elif ground.flown == "logs":
        localizer = Localizer(pack, describer, FLIGHT_CAMERA)
        logs = sorted((data / ground.name / "telemetry").glob("*"))
        imagery = ariel_csv(data, folder)
        rows = _kept(folder, lambda done: recorded_flights(logs, imagery, pack, localizer))
    else:
        examiner = Examiner(pack, describer, _examination(pack, ground.level))
        places = [
            p
            for p in places_of(pack, ground.level)
            if examiner.cover_only(p).cover.covered >= LEAST_COVERED
        ]
        places = sampled(places, PLACES)
        localizer = Localizer(pack, describer, CAMERA)
        seen = open_ground(pictures_of(ground, data, out), pack)
        rows = _kept(folder, lambda done: drawn_frames(seen, pack, localizer, places, rounds, done))
    flown = sorted({Place(r["row"], r["col"], ground.level) for r in rows})
    findings(ground, pack, describer, flown, folder)
    print(f"{ground.name}: {len(flown)} places, {len(rows)} frames", flush=True)


def findings(
    ground: StudyGround, pack: MapPack, describer: Describer, places: list[Place], folder: Path
) -> list[Findings]:
    what = _examination(pack, ground.level)
    examiner = Examiner(pack, describer, what)
    covered = [examiner.cover_only(p) for p in places]
    kept = folder / "findings.jsonl"
    return examine(examiner, what, covered, places, kept, lambda done, of: None)


def _examination(pack: MapPack, level: int) -> Examination:
    side_m = TILE_PX * pixel_size_m(pack.centre[0], level)[0]
    footprint = footprint_of(CAMERA, AGL_TO_VIEW * side_m)
    return Examination(manifest_sha256(pack.path), level, footprint, PRIOR_SIGMA_M, VIEWS)


def _kept(folder: Path, fly: Callable[[list[Row]], Iterator[Row]]) -> list[Row]:
    """All rows, from the folder where the ground was flown to its end before. fly: is handed
    the rows of a study that was stopped."""
    path, end = folder / "flown.jsonl", folder / "flown.done"
    before = [row for line in _lines(path) if (row := _row(line)) is not None]
    if end.exists():
        return before
    write_whole(path, "".join(json.dumps(row) + "\n" for row in before))
    known, out = {json.dumps(row) for row in before}, []
    with path.open("a", encoding="utf-8") as file:
        for row in fly(before):
            out.append(row)
            if (line := json.dumps(row)) not in known:
                file.write(line + "\n")
                file.flush()
    write_whole(path, "".join(json.dumps(row) + "\n" for row in out))
    write_whole(end, f"{len(out)}\n")
    return out


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []


def _row(line: str) -> Row | None:
    """None for what a kill cut short."""
    try:
        row: Row = json.loads(line)
    except ValueError:
        return None
    return row


if __name__ == "__main__":
    try:
        sys.exit(main())
    except InputError as e:
        sys.exit(f"check_study: {e}")
