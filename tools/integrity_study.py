"""Runs the cases of an integrity study that are not done yet, on several processes.

What is done stands in a file with a line of JSON a case, so a killed study goes on.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2

from onboard.describe import Describer
from onboard.errors import InputError
from onboard.localize import Localizer
from onboard.model_bundle import DEFAULT_BUNDLE, load_bundle, shipped_bundle_of
from onboard.pack.map_error import MAP_SIGMA_M
from onboard.pack.map_pack import MapPack
from onboard.pack.pack_manifest import read_manifest
from onboard.whole_file import write_whole
from tools.integrity_flights import fly_one
from tools.integrity_frames import CAMERA, draw, judged
from tools.integrity_ground import Ground
from tools.integrity_grounds import open_ground

Row = dict[str, Any]
FRAMES, FLIGHTS = "frame", "flight"  # what a case is


@dataclass(frozen=True)
class Study:
    """imagery: what the frames are taken of, 'pack' for the pack's own tiles, 'world SEED' for
    the procedural world. map_sha256: of the pack's manifest. case: FRAMES or FLIGHTS.
    map_error_m: how far the map is off in truth, 1 sigma per axis."""

    map: str
    map_sha256: str
    imagery: str
    seed: int
    case: str = FRAMES
    map_error_m: float = MAP_SIGMA_M


def run_study(
    study: Study, count: int, jobs: int, path: Path, progress: Callable[[int, int], None]
) -> list[Row]:
    """The rows of the first `count` cases: two a frame (with a prior and without), one for every
    claim of a flight. path: where they are kept.

    Raises InputError: no such map or imagery, ground that can't be drawn from, another study's
    cases in `path`.
    """
    cases = _done(path, study)
    missing = [n for n in range(count) if n not in cases]
    progress(count - len(missing), count)
    if missing:
        _Worker(study)  # a wrong map is said once
        spawn = multiprocessing.get_context("spawn")  # ONNX Runtime doesn't survive a fork
        with path.open("a", encoding="utf-8") as file, spawn.Pool(jobs, _start, (study,)) as pool:
            for number, rows in pool.imap_unordered(_work, missing):
                cases[number] = rows
                file.write(json.dumps({"number": number, "rows": rows}) + "\n")
                file.flush()
                progress(sum(n < count for n in cases), count)
    return [row for n in sorted(cases) if n < count for row in cases[n]]


def _done(path: Path, study: Study) -> dict[int, list[Row]]:
    """The cases in the file, which is begun when absent; what a kill cut short is dropped."""
    head = json.dumps(asdict(study))
    if not path.exists():
        write_whole(path, head + "\n")
        return {}
    first, *lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    if first != head:
        raise InputError(f"{path}: holds the cases of another study; give another --out")
    whole = {line: case for line in lines if (case := _case(line))}
    if lines[-1] or len(whole) < len(lines) - 1:
        write_whole(path, "\n".join([head, *whole, ""]))
    return {int(case["number"]): case["rows"] for case in whole.values()}


def _case(line: str) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) and {"number", "rows"} <= set(value) else None


class _Worker:
    """What a process keeps from case to case."""

    def __init__(self, study: Study) -> None:
        path = Path(study.map)
        described_with = read_manifest(path).model.sha256
        bundle = load_bundle(shipped_bundle_of(described_with) or DEFAULT_BUNDLE)
        self.study = study
        self.pack = MapPack.open(path, bundle)
        self.describer = Describer(bundle, threads=1)
        self.localizer = Localizer(self.pack, self.describer, CAMERA)
        self.ground: Ground = open_ground(study.imagery, self.pack)

    def rows(self, number: int) -> list[Row]:
        ground, seed, off_m = self.ground.on(number), self.study.seed, self.study.map_error_m
        if self.study.case == FLIGHTS:
            return fly_one(number, seed, ground, self.pack, self.describer, off_m)
        return judged(draw(number, seed, ground, self.pack, off_m), self.localizer, self.pack)


_worker: _Worker | None = None


def _start(study: Study) -> None:
    global _worker
    cv2.setNumThreads(1)
    _worker = _Worker(study)


def _work(number: int) -> tuple[int, list[Row]]:
    assert _worker is not None
    return number, _worker.rows(number)
