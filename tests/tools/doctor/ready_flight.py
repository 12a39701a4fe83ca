"""A flight's settings with all that they name: a pack, a camera file, a folder of pictures."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2

from tests.tools.small_area import CAMERA, PHOTO_PX, SmallArea
from tools.doctor.check import Check, Finding, Outcome
from tools.doctor.run_checks import look
from tools.doctor.subject import Subject


def write_ready_flight(folder: Path, area: SmallArea, more: str = "") -> Path:
    """more: further lines of the settings file. The pack is a copy: tests may damage it."""
    shutil.copytree(area.pack, folder / "area.pack")
    (folder / "cam.toml").write_text(CAMERA)
    pictures = folder / "pictures"
    pictures.mkdir()
    for i in range(12):
        cut = area.picture[9 * i : 9 * i + PHOTO_PX[1], : PHOTO_PX[0]]
        cv2.imwrite(str(pictures / f"{i:03d}.png"), cut)
    path = folder / "flight.toml"
    path.write_text(
        f'map = "area.pack"\ncamera = "pictures?fps=5"\ncamera_file = "cam.toml"\n'
        f"frame_hz = 5.0\n{more}"
    )
    return path


def found(check: Check, subject: Subject) -> Finding:
    """Of a check that finds one thing."""
    (finding,) = look(check, subject)
    return finding


def outcome(check: Check, subject: Subject) -> Outcome:
    """And whatever is wrong, something mends it."""
    finding = found(check, subject)
    assert "the check itself failed" not in finding.said
    if finding.outcome in (Outcome.FAIL, Outcome.WARN):
        assert finding.mend, finding
    return finding.outcome


def named(checks: tuple[Check, ...], name: str) -> Check:
    return next(c for c in checks if c.name == name)
