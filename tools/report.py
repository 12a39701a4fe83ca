"""Writes a run as one HTML file that needs no network, and its fixes as CSV and GeoJSON."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path

from onboard.map_pack import MapPack
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
    write_whole(folder / "report.html", report_html(run, pack))
    return folder / "report.html"


def report_html(run: RunRecord, pack: MapPack) -> str:
    """The page. What came from outside (file names, notes) is data to its script, never markup."""
    # "<" as an escape: no text in the data can end the script element.
    data = json.dumps(report_data(run, pack), allow_nan=False).replace("<", "\\u003c")
    page = (_HERE / "report.html").read_text(encoding="utf-8")
    parts = {
        "title": html.escape(run.title),
        "style": (_HERE / "report.css").read_text(encoding="utf-8"),
        "script": (_HERE / "report.js").read_text(encoding="utf-8"),
        "data": data,
    }
    return re.sub(r"{{(\w+)}}", lambda mark: parts[mark[1]], page)
