"""The grounds on which `pilotage map check` is judged, and those it was fitted on: a map each,
and pictures of the same ground that the map does not hold."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from maps.build import BuildRequest, build_pack
from maps.sources.corner_csv import COLUMNS
from onboard.geodesy import offset_latlon
from onboard.model_bundle import load_bundle
from onboard.whole_file import make_folder
from tools.integrity_grounds import WORLD, world_pack

BANEPA_LEVEL, BANEPA_WEST, BANEPA_EAST = 19, (386683, 386692), (386695, 386704)
DAKOTA_MIDDLE_DEG = -99.155  # halfway across
DAKOTA = "naip_dakota/m_4709963_se_14_1_{}.tif"
SAVANNA_AT, SAVANNA_APART_M = (48.0, 8.0), 80.0  # where plots of unknown places are laid
SAVANNA_M, SAVANNA_COLUMNS = 40.0, 6
Input = Callable[[Path, Path], Path]  # (data, work folder) -> what `map build` takes


@dataclass(frozen=True)
class StudyGround:
    """imagery: of the map; pictures: what frames are taken of, None the same. fit: the model was
    fitted on it, it does not count. Levels are those of views."""

    name: str
    imagery: Input
    level: int
    area: str | None = None
    pictures: Input | None = None
    fit: bool = False
    flown: str = "frames"  # or photographs, logs


def _file(name: str) -> Input:
    return lambda data, work: data / name


def _world(seed: int) -> Input:
    return lambda data, work: Path(f"{WORLD}{seed}")


def ariel_csv(data: Path, work: Path) -> Path:
    """ariel's map with the corners that its description gives."""
    box = json.loads((data / "ariel/map_source.json").read_text())["bbox_wgs84"]
    row = [
        str(data.resolve() / "ariel/map.jpg"),
        box["north"],
        box["west"],
        box["south"],
        box["east"],
    ]
    return _csv(work / "ariel.csv", [row])


def savanna_csv(date: str) -> Input:
    """The plots of one date, laid apart from one another, each where the other date's is."""

    def write(data: Path, work: Path) -> Path:
        rows = []
        for i, file in enumerate(sorted((data / "savanna_two_dates").glob(f"*_{date}.jpg"))):
            row, col = divmod(i, SAVANNA_COLUMNS)
            east, north = col * SAVANNA_APART_M, -row * SAVANNA_APART_M
            top_left = offset_latlon(*SAVANNA_AT, east, north)
            bottom_right = offset_latlon(*SAVANNA_AT, east + SAVANNA_M, north - SAVANNA_M)
            rows.append([str(file.resolve()), *top_left, *bottom_right])
        return _csv(work / f"savanna_{date}.csv", rows)

    return write


def _csv(path: Path, rows: list[list[object]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    return path


def _banepa(columns: tuple[int, int]) -> str:
    west, east = (x / 2**BANEPA_LEVEL * 360 - 180 for x in (columns[0], columns[1] + 1))
    return f"{west:.7f},27,{east:.7f},28"


WEST, EAST = f"-100,47,{DAKOTA_MIDDLE_DEG},48", f"{DAKOTA_MIDDLE_DEG},47,-99,48"
GROUNDS = (
    StudyGround("banepa west", _file("banepa/19"), 18, _banepa(BANEPA_WEST), fit=True),
    StudyGround(
        "virginia 17", _file("naip_virginia/m_3607824_se_17_1_20160620_subset.tif"), 17, fit=True
    ),
    StudyGround(
        "dakota west 2016 under 2009",
        _file(DAKOTA.format(20160816)),
        15,
        WEST,
        _file(DAKOTA.format(20090818)),
        fit=True,
    ),
    *(StudyGround(f"world {seed}", _world(seed), 18, fit=True) for seed in (31,)),
    StudyGround("banepa east 0.5 m/px", _file("banepa/19"), 18, _banepa(BANEPA_EAST)),
    StudyGround("banepa east 0.26 m/px", _file("banepa/19"), 19, _banepa(BANEPA_EAST)),
    StudyGround("virginia 18", _file("naip_virginia/m_3607717_sw_18_1_20160620_subset.tif"), 17),
    StudyGround(
        "dakota east 2012 under 2020",
        _file(DAKOTA.format(20120731)),
        15,
        EAST,
        _file(DAKOTA.format(20200831)),
    ),
    StudyGround("turku", _file("turku/map/map.csv"), 18),
    StudyGround("savanna 2017 under 2018", savanna_csv("2017"), 20, pictures=savanna_csv("2018")),
    StudyGround("fengyuan", _file("fengyuan/map.csv"), 18, flown="photographs"),
    StudyGround("ariel", ariel_csv, 18, flown="logs"),
    *(StudyGround(f"world {seed}", _world(seed), 18) for seed in (0, 1, 2)),
)


def folder_of(ground: StudyGround, out: Path) -> Path:
    return out / ground.name.replace(" ", "_").replace("/", "_")


def pack_of(ground: StudyGround, data: Path, out: Path) -> Path:
    """The ground's map pack of one level, made unless it is there. Raises InputError."""
    folder = folder_of(ground, out)
    make_folder(folder)
    imagery = ground.imagery(data, folder)
    if str(imagery).startswith(WORLD):
        return world_pack(int(str(imagery).removeprefix(WORLD)), folder, (ground.level,))
    pack = folder / "area.pack"
    if not pack.exists():
        request = BuildRequest((imagery,), pack, area=ground.area, levels=(ground.level,))
        build_pack(request, load_bundle())
    return pack


def pictures_of(ground: StudyGround, data: Path, out: Path) -> str:
    """What `open_ground` opens for frames of this ground."""
    return str((ground.pictures or ground.imagery)(data, folder_of(ground, out)))
