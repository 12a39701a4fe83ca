"""Writes a run as one HTML file that needs no network, and its fixes as CSV and GeoJSON."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path

from onboard.pack.map_pack import MapPack
from onboard.whole_file import make_folder, write_whole
from tools.fixes_csv import write_fixes_csv, write_fixes_geojson
from tools.report_data import report_data
from tools.run_record import RunRecord

_HERE = Path(__file__).parent


def write_report(folder: Path, run: RunRecord, pack: MapPack) -> Path:
    """Writes `report.html`, `fixes.csv` and `fixes.geojson`; returns the report's path.

    Raises InputError when the folder cannot be made or written.
    """
    make_folder(folder)
    results = [f.result for f in run.frames]
    write_fixes_csv(folder / "fixes.csv", results)
    write_fixes_geojson(folder / "fixes.geojson", results)
    write_whole(folder / "report.html", report_page(run, pack))
    return folder / "report.html"


def report_page(run: RunRecord, pack: MapPack) -> Iterator[str]:
    """The page in pieces: a thousand frames' pictures are in memory once, not five times.
    What came from outside (file names, notes) is data to its script, never markup."""
    parts = {
        "title": html.escape(run.title),
        "style": (_HERE / "report.css").read_text(encoding="utf-8"),
        "script": (_HERE / "report.js").read_text(encoding="utf-8"),
    }
    template = (_HERE / "report.html").read_text(encoding="utf-8")
    for i, piece in enumerate(re.split(r"{{(\w+)}}", template)):
        if i % 2 == 0:
            yield piece
        elif piece == "data":
            yield from _data_json(run, pack)
        else:
            yield parts[piece]


def _data_json(run: RunRecord, pack: MapPack) -> Iterator[str]:
    for piece in json.JSONEncoder(allow_nan=False).iterencode(report_data(run, pack)):
        # "<" as an escape: no text in the data can end the script element.
        yield piece.replace("<", "\\u003c")
