import cv2
import numpy as np
import pytest

from export.validation.two_dates import VIEWS_PER_PLOT, two_dates_set
from onboard.errors import InputError


def test_views_show_what_the_map_shows_there(tmp_path):
    rng = np.random.default_rng(0)
    for plot in ("001", "002"):
        ground = rng.integers(1, 255, (50, 50, 3), dtype=np.uint8)
        picture = cv2.resize(ground, (400, 400))
        for year in ("2017", "2018"):
            cv2.imwrite(str(tmp_path / f"{plot}_{year}.jpg"), picture)
    cv2.imwrite(str(tmp_path / "003_2017.jpg"), picture)
    held_out = two_dates_set(tmp_path, 0.1)
    assert len(held_out.views) == 2 * VIEWS_PER_PLOT and len(held_out.tiles) == 2 * 4
    for view, (x, y) in zip(held_out.views, held_out.view_centres, strict=True):
        x0, y0 = int(x) - 128, int(y) - 128
        assert np.array_equal(view[..., 0], held_out.region[y0 : y0 + 256, x0 : x0 + 256, 0])


def test_a_folder_without_pairs_is_named(tmp_path):
    with pytest.raises(InputError, match="no pairs"):
        two_dates_set(tmp_path, 0.1)
    for year in ("2017", "2018"):
        (tmp_path / f"001_{year}.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"001_2017\.jpg"):
        two_dates_set(tmp_path, 0.1)
