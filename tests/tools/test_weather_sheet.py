"""`pilotage weather` draws all ten, and refuses what is no picture in one sentence."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from tools.cli import main
from tools.weather_sheet import CELL_PX, COLUMNS, LABEL_PX


def test_a_sheet_of_ten_cells(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (90, 120, 3)).astype(np.uint8)
    cv2.imwrite(str(tmp_path / "view.png"), picture)
    assert main(["weather", str(tmp_path / "view.png"), "--out", str(tmp_path / "s.png")]) == 0
    sheet = cv2.imread(str(tmp_path / "s.png"))
    cell = CELL_PX * 90 // 120 + LABEL_PX
    assert sheet.shape == (2 * cell, COLUMNS * CELL_PX, 3)
    cells = [
        sheet[r * cell + LABEL_PX : (r + 1) * cell, c * CELL_PX : (c + 1) * CELL_PX].tobytes()
        for r in range(2)
        for c in range(COLUMNS)
    ]
    assert len(set(cells)) == 10


@pytest.mark.parametrize("out", ["sheet.png", "sheet.tif"])
def test_bad_input_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], out: str
) -> None:
    assert main(["weather", str(tmp_path / "absent.png"), "--out", str(tmp_path / out)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert ("absent.png" if out == "sheet.png" else "sheet.tif") in said
    assert not list(tmp_path.iterdir())
