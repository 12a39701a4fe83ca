import numpy as np
import pytest

from maps.world.landscape import STYLES, Landscape
from maps.world.materials import Material


@pytest.mark.parametrize("style", range(len(STYLES)))
def test_every_style_gives_a_varied_place(style: int) -> None:
    canvas = Landscape(seed=style, size_m=250.0, gsd_m=0.5, style=style).canvas
    shown = {Material(canvas.material[p]) for p in np.unique(canvas.parcel)}
    assert len(np.unique(canvas.parcel)) >= 5
    assert len(shown) >= 3
    assert canvas.parcel.max() < len(canvas.material)


def test_same_arguments_same_place_other_seed_other_place() -> None:
    places = [Landscape(seed, 200.0, 0.5) for seed in (4, 4, 5)]
    for layer in ("parcel", "building_cm", "tree_cm", "crown", "paint"):
        a, b, _ = (getattr(p.canvas, layer) for p in places)
        np.testing.assert_array_equal(a, b)
    assert (places[0].canvas.parcel != places[2].canvas.parcel).mean() > 0.2


def test_trees_and_buildings_keep_off_the_water() -> None:
    place = Landscape(seed=11, size_m=400.0, gsd_m=0.5, style=5)
    canvas = place.canvas
    deep = np.repeat(np.repeat(canvas.water_m > 1.0, 2, axis=0), 2, axis=1)
    assert deep.sum() > 500, "this seed has a river"
    assert canvas.building_cm[deep].max() == 0


def test_position_goes_to_latlon_and_back() -> None:
    place = Landscape(1, 200.0, 1.0, anchor_lat_deg=-33.5, anchor_lon_deg=151.0)
    east, north = place.east_north(*place.latlon(123.0, 45.0))
    assert east == pytest.approx(123.0, abs=1e-3)
    assert north == pytest.approx(45.0, abs=1e-3)


def test_ground_height_agrees_with_the_window_over_it() -> None:
    place = Landscape(8, 300.0, 0.5, style=7)
    window = place.terrain_window(slice(100, 101), slice(200, 201))
    north = 300.0 - 100.5 * 0.5
    assert place.ground_m(200.5 * 0.5, north) == pytest.approx(float(window[0, 0]), abs=0.2)
    assert np.ptp(place.terrain_m) > 1.0


@pytest.mark.parametrize(("size_m", "gsd_m"), [(10.0, 0.5), (200.0, 0.0), (float("nan"), 0.5)])
def test_impossible_sizes_are_refused(size_m: float, gsd_m: float) -> None:
    with pytest.raises(ValueError, match="size_m"):
        Landscape(1, size_m, gsd_m)
