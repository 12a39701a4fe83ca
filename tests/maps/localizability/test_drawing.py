import json

import cv2
import numpy as np

from maps.localizability.drawing import LEGEND_PX, LONGEST_SIDE_PX, as_geojson, canvas_of, draw_map
from maps.localizability.findings import Findings, Tried
from maps.localizability.ground_cover import GroundCover
from maps.localizability.model import Prediction, Why
from maps.localizability.places import Place

COVER = GroundCover(1.0, 0.0, 0.0, 0.0, 2.0, 0.0)


class GreyPack:
    """Imagery of one grey at levels 16 to 18."""

    levels = (16, 17, 18)

    def picture(self, level: int, x: int, y: int, width: int, height: int) -> np.ndarray:
        assert level in self.levels and width * height < 40_000_000
        return np.full((height, width, 3), 128, np.uint8)


def predicted(row: int, col: int, chance: float) -> Prediction:
    tried = Tried(chance, chance, 0.0, chance, 1.0, 0.1, 0.1, 0.8, 1.0, None, 3)
    why = () if chance > 0.8 else (Why.WATER,)
    return Prediction(Findings(Place(row, col, 18), COVER, None, tried), chance, chance, why, 0.5)


def test_good_places_are_green_and_bad_ones_red_where_they_lie():
    few = [predicted(100 + r, 200 + c, float(c > 1)) for r in range(3) for c in range(4)]
    drawn = cv2.imdecode(np.frombuffer(draw_map(GreyPack(), few, "map"), np.uint8), 1)
    side = canvas_of(few).size_px[0] // 4
    left, right = (drawn[side // 2, side // 2 + side * c].astype(int) for c in (0, 3))
    assert left[2] > left[1] + 15 and right[1] > right[2] + 15  # BGR


def test_a_position_lies_where_its_place_is_drawn():
    few = [predicted(100 + r, 200 + c, 0.5) for r in range(3) for c in range(4)]
    canvas = canvas_of(few)
    x, y = canvas.pixel(*Place(101, 202, 18).centre)
    assert abs(x - 2.5 * canvas.scale) < 0.01 and abs(y - 1.5 * canvas.scale) < 0.01


def test_a_map_of_many_places_stays_a_picture_of_a_screen():
    many = [predicted(5 * r, 7 * c, 0.5) for r in range(60) for c in range(600)]
    drawn = cv2.imdecode(np.frombuffer(draw_map(GreyPack(), many, "large"), np.uint8), 1)
    assert drawn.shape[1] == LONGEST_SIDE_PX and drawn.shape[0] < LEGEND_PX + 120


def test_the_geojson_is_one_that_gis_open():
    text = as_geojson([predicted(100, 200, 0.25)], {"name": "a"})
    whole = json.loads(text)
    (feature,) = whole["features"]
    assert whole["type"] == "FeatureCollection" and whole["name"] == "a"
    assert feature["properties"]["reasons"] == ["water"]
    (ring,) = feature["geometry"]["coordinates"]
    assert ring[0] == ring[-1] and len(ring) == 5
    assert ring[0][0] < ring[1][0] and ring[1][1] < ring[2][1]  # counter-clockwise, RFC 7946
